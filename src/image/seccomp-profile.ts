/**
 * The file of --security-opt seccomp=FILE: linux.seccomp of config.json as it is, or docker's form of it, in which a rule can be
 * for some capabilities, architectures or kernels only (moby/profiles/seccomp).
 */
import type { RawSeccomp, RawSyscall } from "../mechanisms/seccomp-default.ts";
import { readDocument } from "../spec/document.ts";
import { arrayIn, listIn, objectIn, stringIn, stringsIn } from "../spec/reader.ts";
import type { JsonObject } from "../spec/reader.ts";

/** The profile's own word for each machine. */
const ARCHES = { x86_64: "amd64", aarch64: "arm64" } as const;

export interface Holds {
  readonly capabilities: readonly string[];
  readonly machine: keyof typeof ARCHES;
  /** uname(2): "6.1.0-18". */
  readonly release: string;
}

/** The profile for this container. What is in its rules is checked with config.json. Throws a SpecError. */
export function parseProfile(text: string, holds: Holds): RawSeccomp {
  return readDocument(text, (profile) => {
    const { archMap: _map, syscalls: _rules, ...rest } = profile;
    const rules = listIn(profile, "syscalls", "", (rule, at) => ({ rule, applies: applies(rule, at, holds) }));
    const architectures = architecturesOf(profile, holds);
    return {
      ...rest,
      ...(architectures.length === 0 ? {} : { architectures }),
      syscalls: rules.filter(({ applies: does }) => does).map(({ rule }) => withoutConditions(rule)),
    } as unknown as RawSeccomp; // What it holds goes through the parser of config.json like everything else.
  });
}

function withoutConditions(rule: JsonObject): RawSyscall {
  const { includes: _includes, excludes: _excludes, comment: _comment, name, ...rest } = rule;
  return (typeof name === "string" && name !== "" ? { ...rest, names: [name] } : rest) as unknown as RawSyscall;
}

function architecturesOf(profile: JsonObject, { machine }: Holds): readonly string[] {
  const native = { x86_64: "SCMP_ARCH_X86_64", aarch64: "SCMP_ARCH_AARCH64" }[machine];
  const maps = listIn(profile, "archMap", "", (map, at) => ({
    first: stringIn(map, "architecture", at),
    others: stringsIn(map, "subArchitectures", at),
  }));
  const own = maps.find(({ first }) => first === native);
  return own === undefined ? stringsIn(profile, "architectures", "") : [own.first, ...own.others];
}

/** Everything that it includes must hold, and nothing that it excludes. */
function applies(rule: JsonObject, at: string, holds: Holds): boolean {
  const includes = objectIn(rule, "includes", at) ?? {};
  const excludes = objectIn(rule, "excludes", at) ?? {};
  const { capabilities, machine, release } = holds;
  const here = (arches: readonly string[]): boolean => arches.includes(ARCHES[machine]);
  const wanted = stringsIn(includes, "caps", `${at}.includes`);
  const unwanted = stringsIn(excludes, "caps", `${at}.excludes`);
  if (arrayIn(includes, "arches", at).length > 0 && !here(stringsIn(includes, "arches", `${at}.includes`)))
    return false;
  if (here(stringsIn(excludes, "arches", `${at}.excludes`))) return false;
  if (!wanted.every((capability) => capabilities.includes(capability))) return false;
  if (unwanted.some((capability) => capabilities.includes(capability))) return false;
  const least = stringIn(includes, "minKernel", `${at}.includes`);
  const tooNew = stringIn(excludes, "minKernel", `${at}.excludes`);
  return (least === "" || isAtLeast(release, least)) && (tooNew === "" || !isAtLeast(release, tooNew));
}

function isAtLeast(release: string, version: string): boolean {
  const [major = 0, minor = 0] = numbersIn(release);
  const [leastMajor = 0, leastMinor = 0] = numbersIn(version);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

function numbersIn(version: string): number[] {
  return version.split(".").map((part) => Number.parseInt(part, 10) || 0);
}
