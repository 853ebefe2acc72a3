/**
 * Properties that the OCI schema knows and that tsrun does not do. What nobody knows must be ignored
 * (runtime-spec config#extensibility); what asks for something and would not get it is refused by name.
 * To implement one, take it off its list and read it.
 */

import { SpecError } from "./error.ts";
import { pathOf } from "./reader.ts";
import type { JsonObject } from "./reader.ts";

export const UNSUPPORTED = {
  config: ["solaris", "windows", "vm", "zos", "freebsd"],
  process: [
    "apparmorProfile",
    "selinuxLabel",
    "scheduler",
    "ioPriority",
    "execCPUAffinity",
    "commandLine", // Windows only, like the user's name.
  ],
  user: ["username"],
  linux: ["timeOffsets", "intelRdt", "personality", "memoryPolicy", "netDevices", "mountLabel"],
  seccomp: ["listenerPath", "listenerMetadata"],
} as const satisfies Record<string, readonly string[]>;

/** Settings that cgroup v1 had and v2 has not: no conversion is possible, so config-linux#unified wants an error. */
export const ONLY_IN_CGROUP_V1 = {
  cpu: ["realtimeRuntime", "realtimePeriod"],
  blockIO: ["leafWeight"],
  weightDevice: ["leafWeight"],
  network: ["classID", "priorities"],
  memory: ["disableOOMKiller"],
} as const satisfies Record<string, readonly string[]>;

/** Throws where `object` asks for one of `names`; an empty value asks for nothing. */
export function refuse(object: JsonObject, at: string, names: readonly string[]): void {
  for (const name of names) {
    if (!isBlank(object[name])) throw new SpecError(pathOf(at, name), "is not supported yet");
  }
}

/** The same for what cgroup v2 cannot do. */
export function refuseV1(object: JsonObject, at: string, names: readonly string[]): void {
  for (const name of names) {
    if (!isBlank(object[name])) throw new SpecError(pathOf(at, name), "is not possible: cgroup v2 has no such setting");
  }
}

/** What docker and others send for "not set": nothing, zero, false, an empty string, array or object. */
export function isBlank(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return !value;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}
