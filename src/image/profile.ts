/** What a container from an image has without being asked: the choices of docker, so that an image that runs there runs here. */
import { CAPABILITIES } from "../spec/parse-process.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import type { RawMount } from "./flags/wish.ts";

/** docs.docker.com, "Runtime privilege and Linux capabilities". */
const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SYS_CHROOT",
  "CAP_MKNOD",
  "CAP_AUDIT_WRITE",
  "CAP_SETFCAP",
];

export const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Of /proc and /sys: what tells of the host, or speaks to its hardware. */
export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/scsi",
  "/proc/sched_debug",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

export const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** Of a new network namespace: who is not root may listen on any port and send pings, since it concerns nobody else. */
export const DEFAULT_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

const SAFE = ["nosuid", "noexec", "nodev"];

export const DEFAULT_MOUNTS: readonly RawMount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: SAFE },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: [...SAFE, "ro"] },
  { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...SAFE, "ro"] },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: SAFE },
  { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...SAFE, "mode=1777", "size=65536k"] },
];

/** The default set with what --cap-drop takes and --cap-add gives; ALL stands for all. Throws a Failure. */
export function tweakCapabilities(add: readonly string[], drop: readonly string[]): readonly string[] {
  const added = names(add, "cap-add");
  const dropped = names(drop, "cap-drop");
  if (added.includes("ALL")) return CAPABILITIES.filter((name) => !dropped.includes(name));
  const base = dropped.includes("ALL") ? [] : DEFAULT_CAPABILITIES.filter((name) => !dropped.includes(name));
  return [...new Set([...base, ...added])];
}

/** Whether ALL is among what is added. */
export function hasAll(add: readonly string[]): boolean {
  return names(add, "cap-add").includes("ALL");
}

function names(values: readonly string[], flag: string): string[] {
  return values
    .flatMap((value) => value.split(","))
    .map((value) => {
      const upper = value.trim().toUpperCase();
      if (upper === "ALL") return upper;
      const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
      if (!(CAPABILITIES as readonly string[]).includes(name))
        throw new Failure(`--${flag}: ${quote(value)} is no capability, see capabilities(7)`);
      return name;
    });
}
