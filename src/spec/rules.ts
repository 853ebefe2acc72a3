/**
 * What must hold between the parts of a config.json, apart from what each field must be by itself. A rule names the
 * first place that breaks it.
 */

import { SpecError } from "./error.ts";
import { isMapped, withDots } from "./parse-linux.ts";
import { isWithin } from "./paths.ts";
import { entryOf } from "./reader.ts";
import type { Mount, NamespaceType, Spec } from "./spec.ts";

export interface Rule {
  /** Where it comes from: an anchor of the specification, a manual page, an advisory. */
  readonly anchor: string;
  /** The JSON path of what breaks it, or undefined where it holds. */
  readonly broken: (spec: Spec) => string | undefined;
  /** The rest of the sentence that begins with the path. */
  readonly says: string;
}

/** __NEW_UTS_LEN of <linux/utsname.h>. */
const MAX_HOSTNAME = 64;

/** Each part of it is a directory to make, and to remove: a path of thousands would be more than PATH_MAX afterwards. */
const MAX_CGROUPS_PATH = 1024;

/** ipc_namespaces(7); the list is runc's (validator.go, sysctl). */
const IPC_SYSCTLS: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Files of /proc that lxcfs and the like put a fake over; nothing else may be covered: CVE-2019-16884. */
const COVERABLE_IN_PROC: ReadonlySet<string> = new Set([
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/meminfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/uptime",
  "/proc/loadavg",
  "/proc/slabinfo",
  "/proc/sys/kernel/ns_last_pid",
  "/proc/sys/crypto/fips_enabled",
]);

/** Names of the host's own namespaces that can be told from the text; others are for whoever opens the path. */
const HOST_NETWORK: ReadonlySet<string> = new Set(["/proc/self/ns/net", "/proc/thread-self/ns/net", "/proc/1/ns/net"]);

export const RULES: readonly Rule[] = [
  {
    anchor: "config-linux#configLinuxNamespaces; what tsrun is made of needs it (move_mount, pivot_root)",
    broken: (spec) => (isOwn(spec, "mount") ? undefined : "linux.namespaces"),
    says: 'must have one of type "mount" without a path: a container without mounts of its own is not supported',
  },
  {
    anchor: "config#configHostname",
    broken: (spec) => (spec.hostname === undefined || has(spec, "uts") ? undefined : "hostname"),
    says: 'needs a namespace of type "uts": else the name of the host would change',
  },
  {
    anchor: "config#configDomainname",
    broken: (spec) => (spec.domainname === undefined || has(spec, "uts") ? undefined : "domainname"),
    says: 'needs a namespace of type "uts": else the name of the host would change',
  },
  {
    anchor: "sethostname(2)",
    broken: ({ hostname, domainname }) => {
      if (!isShort(hostname, MAX_HOSTNAME)) return "hostname";
      return isShort(domainname, MAX_HOSTNAME) ? undefined : "domainname";
    },
    says: `must not be longer than ${MAX_HOSTNAME} bytes`,
  },
  {
    anchor: "config-linux#configLinuxCgroupsPath; path_resolution(7)",
    broken: ({ cgroup }) => (isShort(cgroup.path, MAX_CGROUPS_PATH) ? undefined : "linux.cgroupsPath"),
    says: `must not be longer than ${MAX_CGROUPS_PATH} bytes`,
  },
  {
    anchor: "config-linux#configLinuxSysctl",
    broken: (spec) => findSysctl(spec, (key) => key === "kernel.hostname"),
    says: "is not for a sysctl: set hostname",
  },
  {
    anchor: "namespaces(7): the other sysctls are the host's",
    broken: (spec) => findSysctl(spec, (key) => namespaceOfSysctl(key) === undefined),
    says: "is not separate for a container: setting it would change the host",
  },
  {
    anchor: "CVE-2022-0811",
    broken: (spec) => findSysctl(spec, (key) => !has(spec, namespaceOfSysctl(key) ?? "mount")),
    says: "needs the namespace it belongs to (network, ipc or uts): else it would change the host",
  },
  {
    anchor: "CVE-2022-0811; network_namespaces(7)",
    broken: (spec) => (joinsHostNetwork(spec) ? findSysctl(spec, (key) => key.startsWith("net.")) : undefined),
    says: "is not allowed in the network namespace of the host",
  },
  {
    anchor: "config#configMounts",
    broken: (spec) => findMount(spec, ({ destination }) => destination === "/"),
    says: 'must not be "/": what lies there is root.path',
  },
  {
    anchor: "CVE-2019-16884",
    broken: (spec) => findMount(spec, coversProc),
    says: "must not be covered by anything but proc: security labels are written there",
  },
  {
    anchor: "CVE-2019-16884",
    broken: (spec) => findMount(spec, liesInProc),
    says: "must not lie inside /proc",
  },
  {
    anchor: "config#configProcess, terminal; pts(4)",
    broken: (spec) => (!spec.process.terminal || offersTerminals(spec) ? undefined : "process.terminal"),
    says: "needs a mount of devpts on /dev/pts, from which the terminal comes",
  },
  {
    anchor: "capset(2)",
    broken: ({ process: { capabilities: caps } }) =>
      isSubset(caps.effective, caps.permitted) ? undefined : "process.capabilities.effective",
    says: "must not have more than process.capabilities.permitted",
  },
  {
    anchor: "capabilities(7), bounding set",
    broken: ({ process: { capabilities: caps } }) =>
      isSubset(caps.inheritable, caps.bounding) ? undefined : "process.capabilities.inheritable",
    says: "must not have more than process.capabilities.bounding",
  },
  {
    anchor: "user_namespaces(7)",
    broken: findUnmappedUser,
    says: "must be an id that the mappings of the user namespace contain",
  },
  {
    anchor: "config#configMounts",
    broken: ({ mounts, namespaces }) => {
      if (namespaces.some(({ type }) => type === "user")) return undefined;
      const index = mounts.findIndex(({ idmap }) => idmap !== undefined && idmap.maps === undefined);
      return index === -1 ? undefined : `mounts[${index}].options`;
    },
    says: "idmap needs uidMappings and gidMappings of the mount, or a user namespace of the container",
  },
];

/** Throws at the first rule that does not hold. */
export function checkRules(spec: Spec): void {
  for (const rule of RULES) {
    const at = rule.broken(spec);
    if (at !== undefined) throw new SpecError(at, rule.says);
  }
}

/**
 * The JSON path of what changes the namespace `type` for all that are in it, or undefined. Joined by a path that turns out to
 * be the caller's own namespace, it would change the host (CVE-2022-0811).
 */
export function changeOf(spec: Spec, type: NamespaceType): string | undefined {
  if (type === "uts" && spec.hostname !== undefined) return "hostname";
  if (type === "uts" && spec.domainname !== undefined) return "domainname";
  return findSysctl(spec, (key) => namespaceOfSysctl(key) === type);
}

function has(spec: Spec, type: NamespaceType): boolean {
  return spec.namespaces.some((namespace) => namespace.type === type);
}

function isOwn(spec: Spec, type: NamespaceType): boolean {
  return spec.namespaces.some((namespace) => namespace.type === type && namespace.path === undefined);
}

function joinsHostNetwork(spec: Spec): boolean {
  return spec.namespaces.some(({ type, path }) => type === "network" && path !== undefined && HOST_NETWORK.has(path));
}

/** In bytes of UTF-8, of which no character has more than three times its UTF-16 units. */
function isShort(name: string | undefined, limit: number): boolean {
  if (name === undefined || name.length * 3 <= limit) return true;
  let bytes = 0;
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes <= limit;
}

/** The namespace that a sysctl belongs to, undefined where it is the whole host's. */
function namespaceOfSysctl(key: string): NamespaceType | undefined {
  if (key.startsWith("net.")) return "network";
  if (key.startsWith("fs.mqueue.") || IPC_SYSCTLS.has(key)) return "ipc";
  return key === "kernel.domainname" ? "uts" : undefined;
}

function findSysctl(spec: Spec, matches: (key: string) => boolean): string | undefined {
  const found = spec.sysctl.find(([key]) => matches(withDots(key)));
  return found === undefined ? undefined : entryOf("linux.sysctl", found[0]);
}

function findMount(spec: Spec, matches: (mount: Mount) => boolean): string | undefined {
  const index = spec.mounts.findIndex(matches);
  return index === -1 ? undefined : `mounts[${index}].destination`;
}

/** Whether a bind is one of a proc is for whoever opens its source. */
function coversProc({ destination, type }: Mount): boolean {
  return destination === "/proc" && type !== "proc" && type !== "bind";
}

function liesInProc({ destination }: Mount): boolean {
  return destination !== "/proc" && isWithin(destination, "/proc") && !COVERABLE_IN_PROC.has(destination);
}

/** devpts itself, or a bind of one; a bind of /dev brings its own. */
function offersTerminals({ mounts }: Spec): boolean {
  return mounts.some(({ destination: at, bind }) => at === "/dev/pts" || (at === "/dev" && bind !== "no"));
}

function isSubset(part: readonly string[], whole: readonly string[]): boolean {
  const names = new Set(whole);
  return part.every((name) => names.has(name));
}

function findUnmappedUser({ userNamespace, process: { user } }: Spec): string | undefined {
  if (userNamespace === undefined) return undefined;
  const { uidMappings, gidMappings } = userNamespace;
  if (!isMapped(uidMappings, user.uid)) return "process.user.uid";
  if (!isMapped(gidMappings, user.gid)) return "process.user.gid";
  const index = user.additionalGids.findIndex((gid) => !isMapped(gidMappings, gid));
  return index === -1 ? undefined : `process.user.additionalGids[${index}]`;
}
