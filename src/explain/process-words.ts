/** What a process may and what it has, in words: namespaces(7), capabilities(7), getrlimit(2). */
import { BY_INIT } from "../mechanisms/namespaces.ts";
import type { Capabilities, CapName, Namespace, NamespaceType, Rlimit } from "../spec/spec.ts";
import { bytesOf, listOf } from "./words.ts";

/** What a process sees of its own that is in a namespace of this type. */
const NAMESPACE_WORDS: { readonly [T in NamespaceType]: string } = {
  user: "user and group ids of its own, of which root has power inside only",
  mount: "mounts of its own, and so a file tree of its own",
  pid: "processes of its own, counted from 1: it sees no other",
  network: "network interfaces, addresses, routes, ports and firewall of its own",
  uts: "a host name and domain name of its own",
  ipc: "System V and POSIX message queues, semaphores and shared memory of its own",
  cgroup: "its own cgroup as the root of all cgroups that it sees",
  time: "clocks since boot of its own",
};

/** What capabilities(7) says, in one line each. */
const CAPABILITIES: Readonly<Record<CapName, string>> = {
  CAP_CHOWN: "give files to other owners",
  CAP_DAC_OVERRIDE: "read, write and run files whatever their permissions",
  CAP_DAC_READ_SEARCH: "read files and search directories whatever their permissions",
  CAP_FOWNER: "do with files of others what only the owner may, such as chmod",
  CAP_FSETID: "keep set-user-ID and set-group-ID bits of files that it changes",
  CAP_KILL: "send signals to processes of other users",
  CAP_SETGID: "change its group ids and the list of its groups",
  CAP_SETUID: "change its user ids",
  CAP_SETPCAP: "drop capabilities from the bounding set, add from it to the inheritable set",
  CAP_LINUX_IMMUTABLE: "set the flags append-only and immutable of files",
  CAP_NET_BIND_SERVICE: "listen on ports below 1024",
  CAP_NET_BROADCAST: "(unused)",
  CAP_NET_ADMIN: "configure interfaces, routes and the firewall of its network namespace",
  CAP_NET_RAW: "use raw and packet sockets, as ping does, also to forge addresses",
  CAP_IPC_LOCK: "lock memory",
  CAP_IPC_OWNER: "use System V IPC objects whatever their permissions",
  CAP_SYS_MODULE: "load modules into the kernel: it is the host's kernel",
  CAP_SYS_RAWIO: "use I/O ports and raw memory of the machine",
  CAP_SYS_CHROOT: "use chroot, and enter mount namespaces",
  CAP_SYS_PTRACE: "look into and change other processes",
  CAP_SYS_PACCT: "switch process accounting",
  CAP_SYS_ADMIN: "mount, make namespaces, and much more: the new root",
  CAP_SYS_BOOT: "reboot, and load another kernel",
  CAP_SYS_NICE: "raise priorities, choose processors for others",
  CAP_SYS_RESOURCE: "exceed limits and raise hard ones",
  CAP_SYS_TIME: "set the clock: it is the host's clock",
  CAP_SYS_TTY_CONFIG: "hang up and configure terminals",
  CAP_MKNOD: "make device nodes; the device filter says which ones work",
  CAP_LEASE: "take leases on files of others",
  CAP_AUDIT_WRITE: "write to the kernel's audit log",
  CAP_AUDIT_CONTROL: "configure the kernel's audit",
  CAP_SETFCAP: "give capabilities to files",
  CAP_MAC_OVERRIDE: "override mandatory access control (Smack)",
  CAP_MAC_ADMIN: "configure mandatory access control (Smack)",
  CAP_SYSLOG: "read the kernel's log and addresses",
  CAP_WAKE_ALARM: "wake the machine by a timer",
  CAP_BLOCK_SUSPEND: "keep the machine awake",
  CAP_AUDIT_READ: "read the kernel's audit log",
  CAP_PERFMON: "measure the performance of the whole machine",
  CAP_BPF: "load programs of eBPF",
  CAP_CHECKPOINT_RESTORE: "choose pids, and do what checkpoints need",
};

/** The lines of a `dropBoundingSet` step. */
export function describeBoundingSet(keep: readonly CapName[]): string[] {
  return [
    ...keep.map((name) => `${name} is kept: ${CAPABILITIES[name] ?? "new in this kernel"}`),
    "all others go, also those that are newer than this runtime; what this process has now it keeps, until execve",
    "and the permitted capabilities shall outlive the change of the user that comes next (PR_SET_KEEPCAPS)",
  ];
}

/** The lines of a `setCapabilities` step. Sets that are alike are said once. */
export function describeCapabilities(sets: Capabilities): string[] {
  const byNames = new Map<string, string[]>();
  for (const set of ["permitted", "effective", "inheritable", "ambient"] as const) {
    const names = set === "ambient" ? sets.ambient.filter((name) => canBeAmbient(sets, name)) : sets[set];
    const key = names.toSorted().join(" ");
    byNames.set(key, [...(byNames.get(key) ?? []), set]);
  }
  const bounding = sets.bounding.toSorted().join(" ");
  const lines = [...byNames].map(([names, which]) => {
    const what = names === "" ? "nothing" : names === bounding ? "what the bounding set keeps" : names;
    return `${listOf(which)}: ${what}`;
  });
  const lost = sets.ambient.filter((name) => !canBeAmbient(sets, name));
  if (lost.length > 0) lines.push(`not ambient, because neither permitted nor inheritable allow it: ${listOf(lost)}`);
  return [...lines, "and a change of the user takes capabilities away again (no PR_SET_KEEPCAPS)"];
}

function canBeAmbient({ permitted, inheritable }: Capabilities, name: CapName): boolean {
  return permitted.includes(name) && inheritable.includes(name);
}

const UNLIMITED = 2n ** 64n - 1n;

const LIMITS: Readonly<Record<string, { readonly what: string; readonly unit: "bytes" | "" | "µs" | "s" }>> = {
  RLIMIT_CPU: { what: "time on a processor", unit: "s" },
  RLIMIT_FSIZE: { what: "size of a file that it writes", unit: "bytes" },
  RLIMIT_DATA: { what: "size of its data", unit: "bytes" },
  RLIMIT_STACK: { what: "size of its stack", unit: "bytes" },
  RLIMIT_CORE: { what: "size of a core dump", unit: "bytes" },
  RLIMIT_RSS: { what: "memory (without effect in Linux)", unit: "bytes" },
  RLIMIT_NPROC: { what: "processes of its user", unit: "" },
  RLIMIT_NOFILE: { what: "open files", unit: "" },
  RLIMIT_MEMLOCK: { what: "locked memory", unit: "bytes" },
  RLIMIT_AS: { what: "address space", unit: "bytes" },
  RLIMIT_LOCKS: { what: "file locks (without effect in Linux)", unit: "" },
  RLIMIT_SIGPENDING: { what: "signals that wait", unit: "" },
  RLIMIT_MSGQUEUE: { what: "size of POSIX message queues", unit: "bytes" },
  RLIMIT_NICE: { what: "priority, as 20 less the nice value", unit: "" },
  RLIMIT_RTPRIO: { what: "real-time priority", unit: "" },
  RLIMIT_RTTIME: { what: "time on a processor without a break, under real-time scheduling", unit: "µs" },
};

/** "RLIMIT_NOFILE, open files: 1024, which it may raise itself to 4096". */
export function describeRlimit({ type, soft, hard }: Rlimit): string {
  const { what, unit } = LIMITS[type] ?? { what: "", unit: "" };
  const said = (limit: bigint): string => {
    if (limit === UNLIMITED) return "no limit";
    return unit === "bytes" ? bytesOf(limit) : unit === "" ? String(limit) : `${limit} ${unit}`;
  };
  const raise =
    soft === hard ? " (without CAP_SYS_RESOURCE it cannot raise that)" : `, which it may raise itself to ${said(hard)}`;
  return `${type}, ${what}: ${said(soft)}${raise}`;
}

/** Which namespaces are new, which are joined, and which stay the host's. */
export function describeNamespaces(namespaces: readonly Namespace[]): string[] {
  const types = ["user", "pid", "mount", "network", "ipc", "uts", "cgroup"] as const;
  return types.map((type) => {
    const namespace = namespaces.find((each) => each.type === type);
    if (namespace === undefined) return `${type}: the host's, because config.json does not list it`;
    if (namespace.path !== undefined)
      return `${type}: that of ${namespace.path}${type === "pid" || type === "user" ? "" : ", which init joins"}`;
    return `${type}: a new one${BY_INIT.includes(type) ? ", which init makes itself" : ""}, for ${NAMESPACE_WORDS[type]}`;
  });
}
