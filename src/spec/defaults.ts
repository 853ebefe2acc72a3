/** What a container has without config.json asking for it, and the config.json that `tsrun spec` writes. */

import { cleanPath } from "./paths.ts";
import type { Device } from "./spec.ts";

/** config-linux#configLinuxDefaultDevices. One of config.json with the same path takes the place of one of these. */
export const DEFAULT_DEVICES: readonly Device[] = [
  characterDevice("/dev/null", 1, 3),
  characterDevice("/dev/zero", 1, 5),
  characterDevice("/dev/full", 1, 7),
  characterDevice("/dev/random", 1, 8),
  characterDevice("/dev/urandom", 1, 9),
  characterDevice("/dev/tty", 5, 0),
];

/** Documentation/admin-guide/devices.txt has the numbers. */
function characterDevice(path: string, major: number, minor: number): Device {
  return { path, type: "c", major, minor, fileMode: 0o666, uid: 0, gid: 0 };
}

/** A link that is made where `needs`, a path of the container, exists or is undefined. */
export interface DevSymlink {
  readonly path: string;
  readonly target: string;
  readonly needs: string | undefined;
}

/** runtime-linux#dev-symbolic-links, and /dev/ptmx of config-linux#configLinuxDefaultDevices. */
export const DEV_SYMLINKS: readonly DevSymlink[] = [
  { path: "/dev/fd", target: "/proc/self/fd", needs: undefined },
  { path: "/dev/stdin", target: "/proc/self/fd/0", needs: undefined },
  { path: "/dev/stdout", target: "/proc/self/fd/1", needs: undefined },
  { path: "/dev/stderr", target: "/proc/self/fd/2", needs: undefined },
  { path: "/dev/core", target: "/proc/kcore", needs: "/proc/kcore" },
  { path: "/dev/ptmx", target: "pts/ptmx", needs: undefined },
];

interface ExampleMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

interface ExampleNamespace {
  readonly type: string;
}

interface ExampleMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

interface ExampleResources {
  readonly devices: readonly { readonly allow: boolean; readonly access: string }[];
}

/** As much of the schema as the example uses. */
export interface ExampleConfig {
  readonly ociVersion: string;
  readonly process: object;
  readonly root: object;
  readonly hostname: string;
  readonly mounts: readonly ExampleMount[];
  readonly linux: {
    readonly uidMappings?: readonly ExampleMapping[];
    readonly gidMappings?: readonly ExampleMapping[];
    readonly resources?: ExampleResources;
    readonly namespaces: readonly ExampleNamespace[];
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
  };
}

/** What `tsrun spec` writes: a shell with few capabilities, every namespace but the user's; the choices are runc's. */
export function exampleConfig(): ExampleConfig {
  return {
    ociVersion: "1.3.0",
    process: exampleProcess(),
    root: { path: "rootfs", readonly: true },
    hostname: "tsrun",
    mounts: exampleMounts(),
    linux: {
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
      maskedPaths: [
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/sys/firmware",
        "/proc/scsi",
        "/sys/devices/virtual/tpm",
      ],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

/** No inheritable capabilities, and so no ambient ones: CVE-2022-24769. */
function exampleProcess(): object {
  const capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
  return {
    terminal: true,
    user: { uid: 0, gid: 0 },
    args: ["sh"],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    cwd: "/",
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  };
}

function exampleMounts(): ExampleMount[] {
  const safe = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc" },
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
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...safe, "mode=1777", "size=65536k"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: safe },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...safe, "ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...safe, "relatime", "ro"] },
  ];
}

/**
 * `config` for a user without privileges, whose only ids are `uid` and `gid`: a user namespace instead of a network
 * of its own (so the container uses the host's), /sys bound from the host because a sysfs belongs to a network
 * namespace, no ids in options that the namespace does not know, no limits. As runc's `spec --rootless`.
 */
export function toRootless(config: ExampleConfig, uid: number, gid: number): ExampleConfig {
  const { resources: _dropped, ...linux } = config.linux;
  const namespaces = linux.namespaces.filter(({ type }) => type !== "network" && type !== "user");
  return {
    ...config,
    mounts: config.mounts.map(toRootlessMount),
    linux: {
      ...linux,
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
      namespaces: [...namespaces, { type: "user" }],
    },
  };
}

function toRootlessMount(mount: ExampleMount): ExampleMount {
  if (cleanPath(mount.destination) === "/sys") {
    return { destination: "/sys", type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] };
  }
  if (mount.options === undefined) return mount;
  const options = mount.options.filter((option) => !option.startsWith("uid=") && !option.startsWith("gid="));
  return { ...mount, options };
}
