/** `mounts` of config.json: config#configMounts. */

import { SpecError } from "./error.ts";
import { sortOptions } from "./mount-options.ts";
import type { SortedOptions } from "./mount-options.ts";
import { cleanPath, isAbsolute, resolve } from "./paths.ts";
import { listIn, quote, requiredStringIn, stringIn, stringsIn } from "./reader.ts";
import type { JsonObject } from "./reader.ts";
import { parseMappings } from "./parse-linux.ts";
import type { Mount, MountIdmap } from "./spec.ts";

/** The mounts in the order of config.json, which is the order they are made in. */
export function parseMounts(config: JsonObject, bundle: string, warnings: string[]): Mount[] {
  return listIn(config, "mounts", "", (raw, at) => parseMount(raw, at, bundle, warnings));
}

function parseMount(raw: JsonObject, at: string, bundle: string, warnings: string[]): Mount {
  const options = stringsIn(raw, "options", at);
  const sorted = sortOptions(options);
  const type = stringIn(raw, "type", at);
  // The word "bind" as a type asks for no more than the option does; crun takes it so, runc fails in the kernel.
  if (type === "bind" && sorted.bind === "no") sorted.bind = "single";
  const bind = sorted.bind !== "no";
  if (bind) checkBind(sorted, at, warnings);
  else checkNew(sorted, type, at, warnings);
  return {
    destination: parseDestination(raw, at, warnings),
    type: bind ? "bind" : fileSystemOf(type),
    source: bind ? parseBindSource(raw, at, bundle) : stringIn(raw, "source", at) || type,
    bind: sorted.bind,
    attr: sorted.attr,
    flags: bind ? [] : sorted.flags,
    data: sorted.data,
    propagation: sorted.propagation,
    tmpcopyup: sorted.tmpcopyup && type === "tmpfs",
    idmap: parseIdmap(raw, sorted, at),
    options,
  };
}

/** config#configMounts: maps of the mount's own, or with "idmap" alone those of the container's user namespace. */
function parseIdmap(raw: JsonObject, { bind, idmap }: SortedOptions, at: string): MountIdmap | undefined {
  // Nearly every mount.
  if (idmap === "no" && raw["uidMappings"] === undefined && raw["gidMappings"] === undefined) return undefined;
  const maps = {
    uidMappings: parseMappings(raw, "uidMappings", at),
    gidMappings: parseMappings(raw, "gidMappings", at),
  };
  const [uids, gids] = [maps.uidMappings.length > 0, maps.gidMappings.length > 0];
  if (uids !== gids) throw new SpecError(`${at}.${uids ? "gidMappings" : "uidMappings"}`, "is required with the other");
  if (!uids && idmap === "no") return undefined;
  if (bind === "no") throw new SpecError(at, "cannot be idmapped: only bind mounts can here");
  return { maps: uids ? maps : undefined, recursive: idmap === "recursive" };
}

/** Relative destinations are deprecated, but MUST be taken as relative to "/": config#configMounts. */
function parseDestination(raw: JsonObject, at: string, warnings: string[]): string {
  const destination = requiredStringIn(raw, "destination", at);
  if (isAbsolute(destination)) return cleanPath(destination);
  warnings.push(`${at}.destination should be an absolute path: ${quote(destination)} is taken as relative to "/"`);
  return cleanPath(`/${destination}`);
}

function parseBindSource(raw: JsonObject, at: string, bundle: string): string {
  return resolve(bundle, requiredStringIn(raw, "source", at));
}

/** There is one cgroup file system here, cgroup2; engines write "cgroup" for whichever the host has. */
function fileSystemOf(type: string): string {
  return type === "cgroup2" ? "cgroup" : type;
}

/**
 * The superblock of a bind mount belongs to others: data for it is refused as in runc (validator.go,
 * checkBindOptions), flags for it have no effect in the kernel and are left out.
 */
function checkBind(sorted: SortedOptions, at: string, warnings: string[]): void {
  const [first] = sorted.data;
  if (first !== undefined) {
    throw new SpecError(`${at}.options`, `of a bind mount must not have any for a file system: ${quote(first[0])}`);
  }
  const flags = sorted.flags.filter((flag) => flag !== "ro");
  if (flags.length > 0) warnings.push(`${at}.options have no effect on a bind mount: ${flags.join(", ")}`);
  if (sorted.tmpcopyup) warnings.push(`${at}.options have no effect on a bind mount: tmpcopyup`);
}

function checkNew(sorted: SortedOptions, type: string, at: string, warnings: string[]): void {
  if (type === "") throw new SpecError(`${at}.type`, 'is required for a mount without the option "bind" or "rbind"');
  if (sorted.remount) {
    throw new SpecError(`${at}.options`, '"remount" is not supported: give the options to the mount itself');
  }
  if (sorted.tmpcopyup && type !== "tmpfs") warnings.push(`${at}.options: tmpcopyup has an effect on a tmpfs only`);
}
