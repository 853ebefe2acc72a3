/** `features`: what this runtime can do, for containerd, CRI-O and dockerd. features.md of the OCI runtime specification. */
import { NAMESPACES } from "../mechanisms/namespaces.ts";
import { knownMountOptions } from "../spec/mount-options.ts";
import { CAPABILITIES } from "../spec/parse-process.ts";
import { print, type Context } from "./context.ts";

export function run({ sys }: Context): number {
  print(sys, `${JSON.stringify(features(), undefined, 4)}\n`);
  return 0;
}

/**
 * No `org.opencontainers.runc.version`: whoever reads it takes the commands of that version for granted, and pause, update and
 * checkpoint are not here yet. No annotation of a config.json changes what tsrun does, so none can be unsafe.
 */
export function features(): object {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: "1.3.0",
    hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
    mountOptions: knownMountOptions(),
    linux: {
      // Of a time namespace neither offsets nor a joined one are done.
      namespaces: Object.keys(NAMESPACES)
        .filter((type) => type !== "time")
        .toSorted(),
      capabilities: CAPABILITIES,
      cgroup: { v1: false, v2: true, systemd: false, systemdUser: false, rdma: true },
      seccomp: SECCOMP,
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
      netDevices: { enabled: false },
    },
    annotations: { "org.opencontainers.runc.checkpoint.enabled": "false" },
    potentiallyUnsafeConfigAnnotations: [],
  };
}

/** What parse-seccomp.ts takes: a unit test holds the two together. */
export const SECCOMP = {
  enabled: true,
  actions: [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
  ],
  operators: [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
  ],
  archs: [
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
  ],
  knownFlags: [
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
  ],
  // The last of them waits for a listener, which is not done.
  supportedFlags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"],
} as const;
