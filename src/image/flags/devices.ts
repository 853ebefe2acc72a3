/** --device and --device-cgroup-rule, as docker has them. Pure. */
import { quote } from "../../spec/reader.ts";
import { cleanPath, isAbsolute } from "../../spec/paths.ts";
import { Failure } from "../../sys/failure.ts";
import { everyCharacter, isDigits } from "../text.ts";

/** A device of `linux.devices`. */
export interface RawDevice {
  readonly path: string;
  readonly type: string;
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A rule of `linux.resources.devices`. */
export interface RawRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

/** A device of the host, or all in a directory; its place in the container, and what may be done with it: r, w, m. */
export interface DeviceWish {
  readonly source: string;
  readonly destination: string;
  readonly access: string;
}

/** What --device names: a path, or by the Container Device Interface a name such as "vendor.com/gpu=0". */
export interface DeviceWishes {
  readonly paths: readonly DeviceWish[];
  readonly names: readonly string[];
  /** Where those are looked for, instead of the usual places. */
  readonly directories: readonly string[];
}

/** Throws a Failure. */
export function parseDevices(texts: readonly string[], directories: readonly string[]): DeviceWishes {
  const names = texts.filter(isQualified);
  return { paths: texts.filter((text) => !isQualified(text)).map(parseDevice), names, directories };
}

/** VENDOR/CLASS=NAME, where a path has its first slash at the beginning. */
function isQualified(text: string): boolean {
  const slash = text.indexOf("/");
  return slash > 0 && text.indexOf("=") > slash;
}

/** HOST[:CONTAINER][:rwm]. */
function parseDevice(text: string): DeviceWish {
  const parts = text.split(":");
  const last = parts.at(-1) ?? "";
  const access = parts.length > 1 && isAccess(last) ? last : undefined;
  const [source = "", destination = source, ...more] = access === undefined ? parts : parts.slice(0, -1);
  if (more.length > 0) throw deviceError(text, "it must be HOST[:CONTAINER][:rwm]");
  if (!isAbsolute(source) || !isAbsolute(destination)) throw deviceError(text, "both paths must be absolute");
  return { source: cleanPath(source), destination: cleanPath(destination), access: access ?? "rwm" };
}

function isAccess(text: string): boolean {
  return text !== "" && text.length === new Set(text).size && everyCharacter(text, (letter) => "rwm".includes(letter));
}

export function deviceError(text: string, why: string): Failure {
  return new Failure(`--device ${quote(text)}: ${why}`);
}

/** "c 1:3 rwm", where * stands for any number. Throws a Failure. */
export function parseRule(text: string): RawRule {
  const [type = "", numbers = "", access = "", ...more] = text.split(" ");
  const pair = numbers.split(":");
  const isRule = ["a", "b", "c"].includes(type) && pair.length === 2 && pair.every(isNumber) && isAccess(access);
  if (!isRule || more.length > 0)
    throw new Failure(`--device-cgroup-rule must be such as "c 1:3 rwm": current value is ${quote(text)}`);
  const [major, minor] = pair;
  return {
    allow: true,
    type,
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    access,
  };
}

function isNumber(part: string): boolean {
  return part === "*" || (isDigits(part) && part.length < 8);
}
