/** What an errno means where its name misleads, by verb. */
import { isSysError } from "../sys/errno.ts";
import type { Step, Verb } from "../plan/step.ts";

const HINTS: Partial<Record<Verb, Readonly<Record<string, string>>>> = {
  mount: {
    ENOSPC: "too many mounts: see /proc/sys/fs/mount-max",
    ENODEV: "the kernel has no such file system",
    EINVAL: "an option that the file system does not know, or a source that is not a mount of this namespace",
    EPERM: "in a user namespace a mount of proc or sysfs must not reveal what is hidden outside",
  },
  mountRoot: { EINVAL: "overlayfs refuses an upper layer on overlayfs, or one whose file system has no extended attributes" },
  writeCgroup: {
    EBUSY: "a cgroup with processes cannot distribute resources to children: cgroups(7), no internal processes",
    ENOENT: "the controller is not available in this cgroup",
    EINVAL: "the kernel refuses the value",
    ERANGE: "the kernel refuses the value",
  },
  filterDevices: { EPERM: "a device filter needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN" },
  dropBoundingSet: { EPERM: "dropping capabilities needs CAP_SETPCAP" },
  setCapabilities: { EPERM: "a capability is asked for that the caller does not have" },
  pivotRoot: { EINVAL: "the host's root is the initial ramfs: use --no-pivot" },
  setIds: { EINVAL: "the id is not mapped in the user namespace", EPERM: "the group list may not be set in this user namespace" },
};

/** A hint for the failure of a step, if there is one. */
export function hintFor(step: Step, error: unknown): string | undefined {
  return isSysError(error) ? HINTS[step.do]?.[error.code] : undefined;
}
