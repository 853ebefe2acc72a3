/**
 * The validated form of config.json. Total: nothing here is optional that means a default, paths are
 * clean and absolute, names are known. `undefined` says that the container does not want the thing at all.
 */

/** Names as in capabilities(7), with the CAP_ prefix. */
export type CapName = `CAP_${string}`;

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

/** A namespace the container has of its own: made new, or joined where `path` names an existing one. */
export interface Namespace {
  readonly type: NamespaceType;
  readonly path: string | undefined;
}

export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask: number;
  readonly additionalGids: readonly number[];
}

/** The five sets of capabilities(7), each without duplicates. */
export interface Capabilities {
  readonly bounding: readonly CapName[];
  readonly effective: readonly CapName[];
  readonly inheritable: readonly CapName[];
  readonly permitted: readonly CapName[];
  readonly ambient: readonly CapName[];
}

/** Limits are exact to 64 bits; RLIM_INFINITY is 2^64-1. */
export interface Rlimit {
  readonly type: `RLIMIT_${string}`;
  readonly soft: bigint;
  readonly hard: bigint;
}

export interface ConsoleSize {
  readonly width: number;
  readonly height: number;
}

export interface Process {
  readonly terminal: boolean;
  readonly consoleSize: ConsoleSize | undefined;
  readonly user: User;
  readonly args: readonly string[];
  /** `NAME=value`, the last of each name. HOME is added by init from the container's passwd where absent. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Capabilities;
  readonly rlimits: readonly Rlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number | undefined;
}

/** The layers of an image, stacked inside the container's own mount namespace; lower ones are topmost first. */
export interface Overlay {
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  /** What the ids on the disk are to the host, where the layers are mounted idmapped; undefined where they are what they are. */
  readonly idmap: IdMaps | undefined;
  /** What is written goes with the container, before anybody could want it back after a power cut. */
  readonly isVolatile: boolean;
}

export interface Root {
  /** Absolute: relative ones are resolved against the bundle. */
  readonly path: string;
  readonly readonly: boolean;
  readonly overlay: Overlay | undefined;
}

/** Bits of mount_setattr(2), MOUNT_ATTR_*. */
export interface MountAttr {
  readonly set: number;
  readonly clear: number;
  readonly recursiveSet: number;
  readonly recursiveClear: number;
}

export type Propagation = "private" | "shared" | "slave" | "unbindable";

/** The ids of a mount's files, mapped for whoever sees them through it: mount_setattr(2), MOUNT_ATTR_IDMAP. */
export interface MountIdmap {
  /** Maps of the mount's own, or undefined: those of the container's user namespace. */
  readonly maps: IdMaps | undefined;
  readonly recursive: boolean;
}

/** One of the mounts of config.json, its options sorted by what the kernel does with them. */
export interface Mount {
  /** Clean, absolute, as seen from the container. */
  readonly destination: string;
  /** "bind", or a file system of the kernel: "proc", "tmpfs" …; "cgroup" stands for cgroup2. */
  readonly type: string;
  /** For a bind absolute on the host (relative ones are resolved against the bundle); else what mount(2) takes as source. */
  readonly source: string;
  readonly bind: "no" | "single" | "recursive";
  readonly attr: MountAttr;
  /** Superblock flags for fsconfig(2) FSCONFIG_SET_FLAG: "ro", "sync", "dirsync", "lazytime", "mand" … */
  readonly flags: readonly string[];
  /** Data for fsconfig(2) FSCONFIG_SET_STRING (value) or SET_FLAG (value undefined): size=, mode=, gid= … */
  readonly data: readonly (readonly [key: string, value: string | undefined])[];
  readonly propagation: { readonly type: Propagation; readonly recursive: boolean } | undefined;
  readonly tmpcopyup: boolean;
  /** How the ids of its files are mapped, and whether those of the mounts below it are too. */
  readonly idmap: MountIdmap | undefined;
  /** The options as they stand in config.json, for messages and `explain`. */
  readonly options: readonly string[];
}

export interface Device {
  readonly path: string;
  readonly type: "c" | "b" | "u" | "p";
  readonly major: number;
  readonly minor: number;
  /** Permission bits, 0666 where config.json has none. */
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface DeviceRule {
  readonly allow: boolean;
  /** "a" stands for both. */
  readonly type: "a" | "b" | "c";
  /** undefined stands for any. */
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly read: boolean;
  readonly write: boolean;
  readonly mknod: boolean;
}

/** A value for one file of cgroup v2, e.g. memory.max. */
export interface CgroupSetting {
  readonly file: string;
  readonly value: string;
  /** The controller that offers the file ("memory", "cpu", …), or "" for files of the core. */
  readonly controller: string;
  /** Where config.json asks for it. */
  readonly at: string;
  /**
   * What to do where the kernel does not offer the file although the controller is there: write another one, or
   * nothing, because it would say what is true anyway. Without this a missing file is an error.
   */
  readonly whenMissing?: "skip" | { readonly file: string; readonly value: string };
}

interface Cgroup {
  /** cgroupsPath as it stands, or undefined: the runtime chooses. */
  readonly path: string | undefined;
  readonly settings: readonly CgroupSetting[];
  readonly devices: readonly DeviceRule[];
}

export type SeccompAction =
  | { readonly kind: "allow" | "log" | "trap" | "killThread" | "killProcess" }
  | { readonly kind: "errno" | "trace"; readonly value: number };

export type SeccompOperator = "NE" | "LT" | "LE" | "EQ" | "GE" | "GT" | "MASKED_EQ";

export interface SeccompArg {
  readonly index: number;
  readonly op: SeccompOperator;
  /** 64 bits, unsigned. For MASKED_EQ `value` is the mask and `valueTwo` the wanted value, as in config.json. */
  readonly value: bigint;
  readonly valueTwo: bigint;
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly args: readonly SeccompArg[];
}

/** Names of the OCI spec: SCMP_ARCH_X86_64 … */
export type SeccompArch = `SCMP_ARCH_${string}`;

export interface Seccomp {
  readonly defaultAction: SeccompAction;
  /** Empty: the native one only. */
  readonly architectures: readonly SeccompArch[];
  /** Bits of seccomp(2) SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  readonly rules: readonly SeccompRule[];
}

export interface Hook {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Seconds; undefined waits for ever. */
  readonly timeout: number | undefined;
}

export type HookStage = "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop";

/** What the ids of a user namespace are outside of it. */
export interface IdMaps {
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

export interface Spec {
  readonly ociVersion: string;
  readonly bundle: string;
  readonly process: Process;
  readonly root: Root;
  readonly hostname: string | undefined;
  readonly domainname: string | undefined;
  readonly mounts: readonly Mount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly hooks: Readonly<Record<HookStage, readonly Hook[]>>;
  readonly namespaces: readonly Namespace[];
  /** Mappings of a new user namespace; undefined where there is none, or an existing one is joined. */
  readonly userNamespace: IdMaps | undefined;
  readonly devices: readonly Device[];
  readonly sysctl: readonly (readonly [key: string, value: string])[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** What becomes of "/" of the new mount namespace before anything is mounted; recursive. */
  readonly rootfsPropagation: { readonly type: Propagation; readonly recursive: boolean };
  readonly cgroup: Cgroup;
  readonly seccomp: Seccomp | undefined;
  /** What config.json asks for and will not get, one line each, for the log; absent where there is nothing to say. */
  readonly warnings?: readonly string[];
}
