/** `process` of config.json, and the file that `exec --process` reads: config#configProcess. */

import { readDocument } from "./document.ts";
import { SpecError } from "./error.ts";
import { cleanPath } from "./paths.ts";
import {
  absolutePathIn,
  arrayIn,
  asInteger,
  booleanIn,
  ID,
  integerIn,
  listIn,
  mustBe,
  objectIn,
  pathOf,
  quote,
  requiredStringIn,
  stringsIn,
  uint64In,
  UINT16,
} from "./reader.ts";
import type { JsonObject, Range } from "./reader.ts";
import type { Capabilities, CapName, ConsoleSize, Process, Rlimit, User } from "./spec.ts";
import { refuse, UNSUPPORTED } from "./unsupported.ts";

/** What runc leaves to its child where config.json names none (rootfs_linux.go, finalizeRootfs). */
const DEFAULT_UMASK = 0o022;

const UMASK: Range = { min: 0, max: 0o777 };

/** proc_pid_oom_score_adj(5). */
const OOM_SCORE_ADJ: Range = { min: -1000, max: 1000 };

const NO_CAPABILITIES: Capabilities = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };

/** capabilities(7), in the order of their numbers. */
export const CAPABILITIES: readonly CapName[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
];

/** getrlimit(2). */
const RLIMITS: ReadonlySet<string> = new Set([
  "RLIMIT_AS",
  "RLIMIT_CORE",
  "RLIMIT_CPU",
  "RLIMIT_DATA",
  "RLIMIT_FSIZE",
  "RLIMIT_LOCKS",
  "RLIMIT_MEMLOCK",
  "RLIMIT_MSGQUEUE",
  "RLIMIT_NICE",
  "RLIMIT_NOFILE",
  "RLIMIT_NPROC",
  "RLIMIT_RSS",
  "RLIMIT_RTPRIO",
  "RLIMIT_RTTIME",
  "RLIMIT_SIGPENDING",
  "RLIMIT_STACK",
]);

const CAPABILITY_NAMES: ReadonlySet<string> = new Set(CAPABILITIES);

/** What `process` leaves out: of the container's own process, or the defaults. */
export type Inherited = Pick<Process, "capabilities"> & { readonly user: Pick<User, "umask"> };

/**
 * The file of `exec --process`. What it leaves out is as for runc (container_linux.go, newInitConfig): capabilities
 * and umask are those of `container`, the process that config.json describes, and no limits mean no change of limits.
 */
export function parseProcessFile(text: string, container?: Inherited, warnings: string[] = []): Process {
  const said: string[] = [];
  const process = readDocument(text, (raw) => parseProcess(raw, "", said, container));
  warnings.push(...new Set(said));
  return process;
}

/** `process`, which stands at `at`. */
export function parseProcess(raw: JsonObject, at: string, warnings: string[], inherited?: Inherited): Process {
  refuse(raw, at, UNSUPPORTED.process);
  const args = stringsIn(raw, "args", at);
  if (args.length === 0) throw new SpecError(pathOf(at, "args"), "must name the program to run: it is empty");
  requiredStringIn(raw, "cwd", at);
  return {
    terminal: booleanIn(raw, "terminal", at),
    consoleSize: parseConsoleSize(raw, at),
    user: parseUser(raw, at, inherited?.user.umask ?? DEFAULT_UMASK),
    args,
    env: parseEnv(raw, at),
    cwd: cleanPath(absolutePathIn(raw, "cwd", at) ?? "/"),
    capabilities: parseCapabilities(raw, at, warnings) ?? inherited?.capabilities ?? NO_CAPABILITIES,
    rlimits: parseRlimits(raw, at),
    noNewPrivileges: booleanIn(raw, "noNewPrivileges", at),
    oomScoreAdj: integerIn(raw, "oomScoreAdj", at, OOM_SCORE_ADJ),
  };
}

/** The kernel's struct winsize has 16 bits for each. */
function parseConsoleSize(raw: JsonObject, at: string): ConsoleSize | undefined {
  const size = objectIn(raw, "consoleSize", at);
  if (size === undefined) return undefined;
  const width = integerIn(size, "width", pathOf(at, "consoleSize"), UINT16) ?? 0;
  const height = integerIn(size, "height", pathOf(at, "consoleSize"), UINT16) ?? 0;
  return width === 0 && height === 0 ? undefined : { width, height };
}

function parseUser(raw: JsonObject, at: string, umask: number): User {
  const user = objectIn(raw, "user", at);
  if (user === undefined) return { uid: 0, gid: 0, umask, additionalGids: [] };
  const userAt = pathOf(at, "user");
  refuse(user, userAt, UNSUPPORTED.user);
  const additionalGids: number[] = [];
  for (const [index, gid] of arrayIn(user, "additionalGids", userAt).entries()) {
    additionalGids.push(asInteger(gid, `${userAt}.additionalGids[${index}]`, ID));
  }
  return {
    uid: integerIn(user, "uid", userAt, ID) ?? 0,
    gid: integerIn(user, "gid", userAt, ID) ?? 0,
    umask: integerIn(user, "umask", userAt, UMASK) ?? umask,
    additionalGids,
  };
}

/**
 * The last of each name, in the order of the last ones; an empty HOME is none (both as runc's env.go). A variable
 * without "=" must never stand for one of the host: CVE-2026-57231.
 */
function parseEnv(raw: JsonObject, at: string): string[] {
  const given = stringsIn(raw, "env", at);
  const seen = new Set<string>();
  const env: string[] = [];
  for (let index = given.length - 1; index >= 0; index--) {
    const variable = given[index] ?? "";
    const equals = variable.indexOf("=");
    if (equals <= 0) throw mustBe(`${pathOf(at, "env")}[${index}]`, 'a name, "=" and a value', variable);
    const name = variable.slice(0, equals);
    if (seen.has(name)) continue;
    seen.add(name);
    if (variable !== "HOME=") env.push(variable);
  }
  return env.toReversed();
}

/** undefined where config.json does not speak of them. */
function parseCapabilities(raw: JsonObject, at: string, warnings: string[]): Capabilities | undefined {
  const sets = objectIn(raw, "capabilities", at);
  if (sets === undefined) return undefined;
  const setsAt = pathOf(at, "capabilities");
  const unknown = new Set<string>();
  const permitted = parseCapabilitySet(sets, "permitted", setsAt, unknown);
  const inheritable = parseCapabilitySet(sets, "inheritable", setsAt, unknown);
  const ambient = parseCapabilitySet(sets, "ambient", setsAt, unknown);
  const capabilities: Capabilities = {
    bounding: parseCapabilitySet(sets, "bounding", setsAt, unknown),
    effective: parseCapabilitySet(sets, "effective", setsAt, unknown),
    inheritable,
    permitted,
    // PR_CAP_AMBIENT_RAISE fails for others, capabilities(7); runc warns and goes on.
    ambient: ambient.filter((name) => permitted.includes(name) && inheritable.includes(name)),
  };
  if (unknown.size > 0) {
    // As runc: a profile that names a capability of a newer kernel must work on an older one.
    warnings.push(`${setsAt}: unknown capabilities are ignored: ${[...unknown].map(quote).join(", ").slice(0, 1000)}`);
  }
  const lost = ambient.filter((name) => !capabilities.ambient.includes(name));
  if (lost.length > 0) {
    warnings.push(`${setsAt}.ambient can only have what is permitted and inheritable too: ${lost.join(", ")} left out`);
  }
  return capabilities;
}

function parseCapabilitySet(sets: JsonObject, key: string, at: string, unknown: Set<string>): CapName[] {
  const names = new Set<CapName>();
  for (const name of stringsIn(sets, key, at)) {
    if (isCapability(name)) names.add(name);
    else unknown.add(name);
  }
  return [...names];
}

function isCapability(name: string): name is CapName {
  return CAPABILITY_NAMES.has(name);
}

function parseRlimits(raw: JsonObject, at: string): Rlimit[] {
  const seen = new Set<string>();
  return listIn(raw, "rlimits", at, (entry, limitAt) => {
    const limit = parseRlimit(entry, limitAt);
    // config#configProcess: duplicated entries MUST be an error.
    if (seen.has(limit.type)) throw new SpecError(`${limitAt}.type`, `must not occur twice: ${limit.type}`);
    seen.add(limit.type);
    return limit;
  });
}

function parseRlimit(raw: JsonObject, at: string): Rlimit {
  const type = requiredStringIn(raw, "type", at);
  if (!isRlimit(type)) throw mustBe(`${at}.type`, "a limit of getrlimit(2) such as RLIMIT_NOFILE", type);
  const soft = uint64In(raw, "soft", at);
  const hard = uint64In(raw, "hard", at);
  if (soft === undefined) throw new SpecError(`${at}.soft`, "is required");
  if (hard === undefined) throw new SpecError(`${at}.hard`, "is required");
  if (soft > hard) throw mustBe(`${at}.soft`, `at most the hard limit ${hard}`, soft);
  return { type, soft, hard };
}

function isRlimit(type: string): type is Rlimit["type"] {
  return RLIMITS.has(type);
}
