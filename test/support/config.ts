/** A container's config.json as the tests write it: the parts they touch, and a base much like docker's. */

export interface Mount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
  uidMappings?: object[];
  gidMappings?: object[];
}

export interface Hook {
  path: string;
  args?: string[];
  env?: string[];
  timeout?: number;
}

interface Namespace {
  type: string;
  path?: string;
}

interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

interface Capabilities {
  bounding: string[];
  effective: string[];
  permitted: string[];
  inheritable?: string[];
  ambient?: string[];
}

export interface SyscallRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
}

export interface Seccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  syscalls: SyscallRule[];
}

interface DeviceRule {
  allow: boolean;
  type?: string;
  major?: number;
  minor?: number;
  access?: string;
}

interface Resources {
  devices: DeviceRule[];
  memory?: { limit?: number; swap?: number; reservation?: number };
  cpu?: { shares?: number; quota?: number; period?: number };
  pids?: { limit: number };
  blockIO?: Record<string, unknown>;
  hugepageLimits?: { pageSize: string; limit: number }[];
  unified?: Record<string, string>;
}

export interface Process {
  terminal: boolean;
  consoleSize?: { width: number; height: number };
  user: { uid: number; gid: number; umask?: number; additionalGids?: number[] };
  args: string[];
  env: string[];
  cwd: string;
  capabilities: Capabilities;
  rlimits?: { type: string; soft: number; hard: number }[];
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
}

export interface Config {
  ociVersion: string;
  process: Process;
  root: { path: string; readonly?: boolean };
  hostname?: string;
  domainname?: string;
  mounts: Mount[];
  annotations?: Record<string, string>;
  hooks?: Partial<Record<HookStage, Hook[]>>;
  linux: {
    namespaces: Namespace[];
    uidMappings?: IdMapping[];
    gidMappings?: IdMapping[];
    devices?: Record<string, unknown>[];
    sysctl?: Record<string, string>;
    maskedPaths: string[];
    readonlyPaths: string[];
    rootfsPropagation?: string;
    cgroupsPath?: string;
    resources: Resources;
    seccomp?: Seccomp;
  };
}

export type HookStage = "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop";

/** Changes a config in place before it is written into the bundle. */
export type Tweak = (config: Config) => void;

/** A shell script for the container's own sh, or an argument vector. */
export type Program = string | string[];

export const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function baseConfig(program: Program): Config {
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: argv(program),
      env: [PATH],
      cwd: "/",
      capabilities: {
        bounding: [...DOCKER_CAPABILITIES],
        effective: [...DOCKER_CAPABILITIES],
        permitted: [...DOCKER_CAPABILITIES],
      },
    },
    root: { path: "rootfs" },
    hostname: "box",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
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
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"],
      },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      {
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["ro", "nosuid", "noexec", "nodev"],
      },
    ],
    linux: {
      namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
      maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi", "/sys/firmware"],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
      resources: { devices: [{ allow: false, access: "rwm" }] },
    },
  };
}

function argv(program: Program): string[] {
  return typeof program === "string" ? ["sh", "-c", program] : program;
}

/** Gives the container ids 0 to 65535 of its own, which are `first` and up outside. */
export function ownUsers(config: Config, first = 100_000): void {
  config.linux.namespaces.push({ type: "user" });
  config.linux.uidMappings = [{ containerID: 0, hostID: first, size: 65_536 }];
  config.linux.gidMappings = [{ containerID: 0, hostID: first, size: 65_536 }];
}

/** Takes a namespace away, or joins the one at `path` in its place. */
export function namespace(config: Config, type: string, path?: string): void {
  const others = config.linux.namespaces.filter((each) => each.type !== type);
  config.linux.namespaces = path === undefined ? others : [...others, { type, path }];
}

/** Takes the mount at `destination` away. */
export function unmounted(config: Config, ...destinations: string[]): void {
  config.mounts = config.mounts.filter((each) => !destinations.includes(each.destination));
}

const DOCKER_CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];
