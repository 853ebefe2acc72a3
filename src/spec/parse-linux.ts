/** `linux` of config.json, apart from resources and seccomp: config-linux. */

import { SpecError } from "./error.ts";
import { propagationOf } from "./mount-options.ts";
import { cleanPath } from "./paths.ts";
import {
  absolutePathIn,
  entryOf,
  ID,
  integerIn,
  listIn,
  mustBe,
  requiredStringIn,
  stringIn,
  stringMapIn,
  stringsIn,
  UINT32,
} from "./reader.ts";
import type { JsonObject, Range } from "./reader.ts";
import type { Device, IdMapping, Namespace, NamespaceType, Spec, IdMaps } from "./spec.ts";

/** dev_t of the kernel has 12 bits for the major and 20 for the minor number: <linux/kdev_t.h>. */
const MAJOR: Range = { min: 0, max: 0xfff };
const MINOR: Range = { min: 0, max: 0xfffff };

/** user_namespaces(7): more lines are an EINVAL. */
const MAX_MAPPINGS = 340;

/** As runc's when config.json names none: mounts of the host come in, none of the container's go out. */
const DEFAULT_PROPAGATION = { type: "slave", recursive: true } as const;

const NAMESPACE_TYPES: ReadonlySet<string> = new Set([
  "pid",
  "network",
  "mount",
  "ipc",
  "uts",
  "user",
  "cgroup",
  "time",
] satisfies NamespaceType[]);

/** config-linux#configLinuxNamespaces. */
export function parseNamespaces(linux: JsonObject): Namespace[] {
  const seen = new Set<NamespaceType>();
  return listIn(linux, "namespaces", "linux", (raw, at) => {
    const namespace = parseNamespace(raw, at);
    if (seen.has(namespace.type)) throw new SpecError(`${at}.type`, `must not occur twice: "${namespace.type}"`);
    seen.add(namespace.type);
    return namespace;
  });
}

function parseNamespace(raw: JsonObject, at: string): Namespace {
  const type = requiredStringIn(raw, "type", at);
  if (!isNamespaceType(type)) throw mustBe(`${at}.type`, `one of ${[...NAMESPACE_TYPES].join(", ")}`, type);
  if (type === "time") throw new SpecError(`${at}.type`, '"time" is not supported yet');
  const path = absolutePathIn(raw, "path", at);
  return { type, path: path === undefined ? undefined : cleanPath(path) };
}

function isNamespaceType(type: string): type is NamespaceType {
  return NAMESPACE_TYPES.has(type);
}

/** config-linux#configLinuxUserNamespaceMappings. */
export function parseUserNamespace(
  linux: JsonObject,
  namespaces: readonly Namespace[],
  warnings: string[],
): IdMaps | undefined {
  const uidMappings = parseMappings(linux, "uidMappings", "linux");
  const gidMappings = parseMappings(linux, "gidMappings", "linux");
  const given = uidMappings.length > 0 || gidMappings.length > 0;
  const namespace = namespaces.find(({ type }) => type === "user");
  if (namespace === undefined) {
    if (!given) return undefined;
    throw new SpecError("linux.uidMappings", 'needs a namespace of type "user" in linux.namespaces');
  }
  if (namespace.path !== undefined) {
    // containerd and CRI-O send both. The namespace has its mappings, and they cannot change.
    if (given) warnings.push("linux.uidMappings and gidMappings are ignored: the user namespace to join has its own");
    return undefined;
  }
  for (const [key, mappings] of [
    ["uidMappings", uidMappings],
    ["gidMappings", gidMappings],
  ] as const) {
    if (!isMapped(mappings, 0)) throw new SpecError(`linux.${key}`, "must map the id 0 of a new user namespace");
  }
  return { uidMappings, gidMappings };
}

/** Whether the id `id` of the container is one that the host knows. */
export function isMapped(mappings: readonly IdMapping[], id: number): boolean {
  return mappings.some(({ containerID, size }) => id >= containerID && id < containerID + size);
}

/** Maps that a namespace, or a mount, has. Throws a SpecError. */
export function parseMappings(object: JsonObject, key: string, at: string): IdMapping[] {
  const mappings = listIn(object, key, at, parseMapping);
  if (mappings.length > MAX_MAPPINGS) {
    throw new SpecError(`${at}.${key}`, `must not have more than ${MAX_MAPPINGS} entries`);
  }
  for (const [index, mapping] of mappings.entries()) {
    if (mappings.slice(0, index).some((other) => overlap(other, mapping))) {
      throw new SpecError(`${at}.${key}[${index}]`, "must not overlap with another mapping: user_namespaces(7)");
    }
  }
  return mappings;
}

function parseMapping(raw: JsonObject, at: string): IdMapping {
  const mapping: IdMapping = {
    containerID: idIn(raw, "containerID", at),
    hostID: idIn(raw, "hostID", at),
    size: idIn(raw, "size", at),
  };
  if (mapping.size === 0) throw new SpecError(`${at}.size`, "must be at least 1: current value is 0");
  const end = Math.max(mapping.containerID, mapping.hostID) + mapping.size;
  if (end > ID.max + 1) throw new SpecError(`${at}.size`, `must not reach beyond the id ${ID.max}`);
  return mapping;
}

function idIn(raw: JsonObject, key: string, at: string): number {
  const id = integerIn(raw, key, at, UINT32);
  if (id === undefined) throw new SpecError(`${at}.${key}`, "is required");
  return id;
}

function overlap(a: IdMapping, b: IdMapping): boolean {
  const inside = a.containerID < b.containerID + b.size && b.containerID < a.containerID + a.size;
  return inside || (a.hostID < b.hostID + b.size && b.hostID < a.hostID + a.size);
}

/** config-linux#configLinuxDevices: what config.json asks for; what every container has is in defaults.ts. */
export function parseDevices(linux: JsonObject): Device[] {
  return listIn(linux, "devices", "linux", parseDevice);
}

function parseDevice(raw: JsonObject, at: string): Device {
  const path = cleanPath(requiredAbsolutePathIn(raw, at));
  if (path === "/") throw mustBe(`${at}.path`, "a path below the root", path);
  const type = requiredStringIn(raw, "type", at);
  if (type !== "c" && type !== "b" && type !== "u" && type !== "p") throw mustBe(`${at}.type`, "c, b, u or p", type);
  return {
    path,
    type,
    // A FIFO has no numbers.
    major: type === "p" ? 0 : deviceNumberIn(raw, "major", at, MAJOR),
    minor: type === "p" ? 0 : deviceNumberIn(raw, "minor", at, MINOR),
    // Engines copy st_mode, with the bits of the type; runc cuts them off too.
    fileMode: (integerIn(raw, "fileMode", at, UINT32) ?? 0o666) & 0o7777,
    uid: integerIn(raw, "uid", at, ID) ?? 0,
    gid: integerIn(raw, "gid", at, ID) ?? 0,
  };
}

function deviceNumberIn(raw: JsonObject, key: string, at: string, range: Range): number {
  const number = integerIn(raw, key, at, range);
  if (number === undefined) throw new SpecError(`${at}.${key}`, "is required for a device that is not a FIFO");
  return number;
}

function requiredAbsolutePathIn(raw: JsonObject, at: string): string {
  requiredStringIn(raw, "path", at);
  return absolutePathIn(raw, "path", at) ?? "/";
}

/**
 * config-linux#configLinuxSysctl. Keys come out with dots between their parts, or as paths with slashes where a part
 * has a dot of its own: "net/ipv4/conf/eno2.100/forwarding".
 */
export function parseSysctl(linux: JsonObject): (readonly [key: string, value: string])[] {
  return Object.entries(stringMapIn(linux, "sysctl", "linux")).map(([key, value]) => {
    // A newline would be a second value: GHSA-w2j5-3rcx-vx7x.
    if (value.includes("\n")) throw mustBe(entryOf("linux.sysctl", key), "one line", value);
    const dotted = withDots(key);
    if (!namesFile(dotted)) throw new SpecError(entryOf("linux.sysctl", key), "must name a file below /proc/sys");
    return [dotted.includes("/") ? swapSeparators(dotted) : dotted, value];
  });
}

/** "net.//.kernel.x" reads net/../kernel/x once the separators are swapped. */
function namesFile(dotted: string): boolean {
  return dotted.split(".").every((part) => part !== "" && part !== "/" && part !== "//");
}

/**
 * Of the two separators of sysctl(8) the first one decides, and the other one stands for the dot in a name:
 * "net/ipv4/conf/eno2.100/forwarding" is "net.ipv4.conf.eno2/100.forwarding".
 */
export function withDots(key: string): string {
  const dot = key.indexOf(".");
  const slash = key.indexOf("/");
  return slash !== -1 && (dot === -1 || slash < dot) ? swapSeparators(key) : key;
}

function swapSeparators(key: string): string {
  let swapped = "";
  for (const character of key) swapped += character === "." ? "/" : character === "/" ? "." : character;
  return swapped;
}

/** `maskedPaths` or `readonlyPaths`: config-linux#configLinuxMaskedPaths. */
export function parsePaths(linux: JsonObject, key: "maskedPaths" | "readonlyPaths"): string[] {
  return stringsIn(linux, key, "linux").map((path, index) => {
    const clean = cleanPath(path);
    if (!path.startsWith("/")) throw mustBe(`linux.${key}[${index}]`, "an absolute path", path);
    if (clean === "/") throw mustBe(`linux.${key}[${index}]`, "a path below the root", path);
    return clean;
  });
}

/** config-linux#configLinuxRootfsMountPropagation; the recursive words are runc's. */
export function parseRootfsPropagation(linux: JsonObject): Spec["rootfsPropagation"] {
  const word = stringIn(linux, "rootfsPropagation", "linux");
  if (word === "") return DEFAULT_PROPAGATION;
  const propagation = propagationOf(word);
  if (propagation === undefined) {
    throw mustBe("linux.rootfsPropagation", "private, shared, slave or unbindable, with an r or without", word);
  }
  return propagation;
}

/** config-linux#configLinuxCgroupsPath. Whether it is a path or slice:prefix:name is for the cgroup manager to say. */
export function parseCgroupsPath(linux: JsonObject): string | undefined {
  const path = stringIn(linux, "cgroupsPath", "linux");
  if (path.includes("\n")) throw mustBe("linux.cgroupsPath", "one line", path);
  return path === "" ? undefined : path;
}
