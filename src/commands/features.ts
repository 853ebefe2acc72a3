/** `features`: what this runtime can do, for containerd, CRI-O and dockerd. features.md of the OCI runtime specification. */
import { NAMESPACES } from "../mechanisms/namespaces.ts";
import { knownMountOptions } from "../spec/mount-options.ts";
import { CAPABILITIES } from "../spec/parse-process.ts";
import { ACTIONS, ARCHES, FLAGS, OPERATORS } from "../spec/parse-seccomp.ts";
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
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: false },
    },
    annotations: { "org.opencontainers.runc.checkpoint.enabled": "false" },
    potentiallyUnsafeConfigAnnotations: [],
  };
}

/** What parse-seccomp.ts takes. */
export const SECCOMP = {
  enabled: true,
  actions: [...ACTIONS.keys()].toSorted(),
  operators: [...OPERATORS.keys()].toSorted(),
  archs: [...ARCHES].toSorted(),
  knownFlags: [...FLAGS.keys()].toSorted(),
  // Without the one that waits for a listener, which is not done.
  supportedFlags: [...FLAGS.keys()].filter((name) => !name.endsWith("_WAIT_KILLABLE_RECV")).toSorted(),
};
