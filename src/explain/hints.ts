/**
 * What an errno means where its name misleads, by verb. Each was read in the kernel or its manual, which stands beside it.
 */
import { isSysError } from "../sys/errno.ts";
import type { Step, Verb } from "../plan/step.ts";

/** openat2(2) below a root refuses /proc/PID/fd and the like; it says the same of links that go in circles. */
const LOOP =
  "the path leads through a link that goes in circles, or through one of /proc's magic links, which are not followed";
/** path_resolution(7): every directory on the way must be searchable, also for root of a user namespace. */
const UNREACHABLE =
  "in a user namespace root is an ordinary user outside: it may have to be let into the directories on the way (chmod o+x)";
/** mkdirat(2), openat(2). */
const READ_ONLY = "the place for it is missing, and cannot be made in a file system that is read-only";

const HINTS: { readonly [V in Verb]?: Readonly<Record<string, string>> } = {
  makeCgroup: {
    EACCES: "it needs root, or a cgroup that is delegated to this user: cgroups(7)",
    EPERM: "it needs root, or a cgroup that is delegated to this user: cgroups(7)",
    EROFS: "cgroup2 is mounted read-only here, as it is inside most containers",
    // kernel/cgroup/cgroup.c, cgroup_check_hierarchy_limits.
    EAGAIN: "cgroup.max.descendants or cgroup.max.depth of a cgroup above is reached",
  },
  writeCgroup: {
    // The file is there once cgroup.subtree_control of the parent names the controller.
    ENOENT:
      "its controller is not offered to this cgroup: a cgroup above holds processes (cgroups(7), no internal processes) or was not given it",
    EBUSY: "a cgroup that holds processes cannot distribute resources to children: cgroups(7), no internal processes",
    EINVAL: "the kernel does not take this value",
    ERANGE: "the value is outside of what the file takes",
    // block/blk-cgroup.c, blkg_conf_open_bdev.
    ENODEV: "there is no such block device, or it is a partition: limits are for whole disks",
    EACCES: "it needs root, or a cgroup whose files are delegated to this user",
    EPERM: "it needs root, or a cgroup whose files are delegated to this user",
  },
  filterDevices: {
    // kernel/bpf/syscall.c, bpf_prog_load: asked of the initial user namespace.
    EPERM: "a device filter needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, outside of any user namespace",
    EINVAL: "the kernel is built without CONFIG_CGROUP_BPF",
    ENOSYS: "the kernel is built without CONFIG_BPF_SYSCALL",
  },
  // security/keys/key.c, key_alloc: each container has a keyring, and they count.
  joinKeyring: {
    EDQUOT:
      "too many keys: see /proc/sys/kernel/keys/maxkeys, root_maxkeys, maxbytes and root_maxbytes, or use --no-new-keyring",
  },
  // namespaces(7), /proc/sys/user.
  enterNamespace: {
    ENOSPC: "too many namespaces of this type: see /proc/sys/user/max_cgroup_namespaces and max_net_namespaces",
  },
  bringUpLoopback: { EPERM: "it needs CAP_NET_ADMIN in the user namespace that owns the network namespace" },
  mountRoot: {
    ENOENT: "root.path must be a directory that exists",
    ENOTDIR: "root.path must be a directory",
    // fs/namespace.c, __do_loopback; fs/overlayfs/super.c.
    EINVAL:
      "the directory is on an unbindable mount; or overlayfs refuses the layers: an upper one on overlayfs, or without extended attributes",
    // overlayfs.rst, index=on and inodes index.
    EBUSY: "the upper or work directory is in use by another overlay",
    ESTALE: "the upper directory was used with other lower layers before",
    EACCES: UNREACHABLE,
  },
  mount: {
    // fs/namespace.c, count_mounts.
    ENOSPC: "too many mounts: see /proc/sys/fs/mount-max",
    ENODEV: "the kernel has no such file system: see /proc/filesystems",
    // fsconfig(2); do_move_mount.
    EINVAL: "the file system does not know an option or take its value; or a file was to be mounted on a directory",
    // mount_too_revealing; sysfs_init_fs_context; mqueue_init_fs_context.
    EPERM:
      "in a user namespace proc and sysfs need a new pid and network namespace, and must not reveal what is hidden outside; mqueue needs a new ipc namespace",
    ENOTDIR: "a file lies where a directory is needed",
    ELOOP: LOOP,
    EROFS: READ_ONLY,
    EACCES: UNREACHABLE,
  },
  makeDevice: {
    ENOENT: "the host has no such device to mount",
    EROFS: READ_ONLY,
    ELOOP: LOOP,
  },
  linkDevices: {
    ENOENT: "the root file system has no directory /dev, and no mount makes one",
    // openDev opens with O_NOFOLLOW.
    ENOTDIR: "/dev must be a directory, not a link",
    ELOOP: "/dev must be a directory, not a link",
    EROFS: READ_ONLY,
  },
  makeTerminal: {
    ENOENT: "/dev/pts has no ptmx: is a devpts mounted there?",
    // fs/devpts/inode.c, devpts_new_index.
    ENOSPC: "too many terminals: see /proc/sys/kernel/pty/max, and the option max= of the devpts",
    EROFS: READ_ONLY,
  },
  setHostname: { EPERM: "it needs CAP_SYS_ADMIN in the user namespace that owns the uts namespace" },
  setDomainname: { EPERM: "it needs CAP_SYS_ADMIN in the user namespace that owns the uts namespace" },
  writeSysctl: {
    ENOENT: "this kernel has no such parameter, or none of it in this namespace",
    EINVAL: "the kernel does not take this value",
    EACCES: "the parameter is not for this user namespace to set",
    EPERM: "the parameter is not for this user namespace to set",
  },
  makeDirectory: { EROFS: READ_ONLY, ELOOP: LOOP, ENOTDIR: "a file is in its place" },
  pivotRoot: {
    // pivot_root(2), NOTES; move_mount(2).
    EINVAL: "where the host's root is the initial ramfs it cannot be exchanged: use --no-pivot",
  },
  loadSeccomp: {
    // seccomp(2).
    EACCES: "without noNewPrivileges it needs CAP_SYS_ADMIN",
    EINVAL: "the kernel does not know one of the filter's flags, or is built without CONFIG_SECCOMP_FILTER",
    ENOMEM: "this filter and those that are in force already are too long together",
  },
  // capabilities(7), prctl(2).
  dropBoundingSet: { EPERM: "dropping capabilities needs CAP_SETPCAP" },
  setIds: {
    EINVAL: "the id is not mapped in the user namespace",
    // setgroups is "deny" where the map was written without privileges: user_namespaces(7).
    EPERM: "the list of groups may not be set in this user namespace: /proc/PID/setgroups says deny",
    ENOENT: "the working directory does not exist",
  },
  setCapabilities: { EPERM: "a capability is asked for that the caller does not have" },
};

/** A hint for the failure of a step, if there is one. */
export function hintFor(step: Step, error: unknown): string | undefined {
  return isSysError(error) ? HINTS[step.do]?.[error.code] : undefined;
}
