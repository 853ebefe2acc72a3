/** --security-opt and --privileged: what protects the host, and what is taken away of it. Pure. */
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { cutAtFirst } from "../text.ts";

export interface Security {
  readonly noNewPrivileges: boolean;
  /** "default", "unconfined", or the path of a profile. */
  readonly seccomp: string;
  /** Whether what tells of the host in /proc and /sys is hidden or read-only. */
  readonly masked: boolean;
  /** Everything of docker's --privileged: all devices too, and /sys can be written. */
  readonly privileged: boolean;
}

/** The words that are known: what each makes of the value that stands behind "=" or ":". */
const WORDS: Readonly<Record<string, (value: string | undefined) => Partial<Security> | undefined>> = {
  "no-new-privileges": (value) =>
    value === undefined || isBoolean(value) ? { noNewPrivileges: value !== "false" } : undefined,
  seccomp: (value) =>
    value === undefined || value === "" ? undefined : { seccomp: value === "builtin" ? "default" : value },
  systempaths: (value) => (value === "unconfined" ? { masked: false } : undefined),
  // Nothing is confined by a module of security here, so that this much is so without doing anything.
  apparmor: (value) => (value === "unconfined" ? {} : refuse(`apparmor=${value ?? ""}`, "no AppArmor profile is set")),
  label: (value) => (value === "disable" ? {} : refuse(`label=${value ?? ""}`, "no SELinux label is set")),
};

/** Throws a Failure. */
export function parseSecurity(words: readonly string[], privileged: boolean): Security {
  const security = {
    noNewPrivileges: false,
    seccomp: privileged ? "unconfined" : "default",
    masked: !privileged,
    privileged,
  };
  for (const word of words) {
    const [name, value] = splitWord(word);
    const change = Object.hasOwn(WORDS, name) ? WORDS[name]?.(value) : undefined;
    if (change === undefined) {
      throw new Failure(
        `--security-opt must be seccomp=FILE, seccomp=unconfined, no-new-privileges or systempaths=unconfined: current value is ${quote(word)}`,
      );
    }
    Object.assign(security, change);
  }
  return security;
}

function isBoolean(value: string): boolean {
  return value === "true" || value === "false";
}

function refuse(word: string, why: string): never {
  throw new Failure(`--security-opt ${quote(word)} is not supported: ${why} by tsrun`);
}

/** At the first "=" or ":", as docker. */
function splitWord(word: string): readonly [name: string, value: string | undefined] {
  const [byEquals, byColon] = [cutAtFirst(word, "="), cutAtFirst(word, ":")];
  return byEquals[0].length <= byColon[0].length ? byEquals : byColon;
}
