/**
 * The seccomp profile of containers made from images: what a container needs is allowed, the rest fails with EPERM.
 * The policy is that of the usual container engines (https://docs.docker.com/engine/security/seccomp/), so that an
 * image that runs there runs here.
 *
 * Left out for good: keyctl and its like (keys have no namespace), io_uring, userfaultfd, kexec, swap, and what old
 * kernels had and new ones do not. Allowed with a capability: what the kernel would refuse without it anyway. The
 * filter is the second lock, because most holes in the kernel were in such calls.
 */

/** linux.seccomp of config.json. */
export interface RawSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly syscalls?: readonly RawSyscall[];
}

/** An entry of linux.seccomp.syscalls. */
export interface RawSyscall {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly RawArg[];
}

/** A condition: `value` is the mask of SCMP_CMP_MASKED_EQ, `valueTwo` what must be left under it. */
interface RawArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

const ALWAYS = wordsOf([
  // Reading, writing and placing data in files.
  "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek sendfile sendfile64\
 copy_file_range splice tee vmsplice readahead fadvise64 fadvise64_64 fallocate truncate truncate64 ftruncate\
 ftruncate64 sync syncfs fsync fdatasync sync_file_range cachestat",
  // Opening, closing and steering descriptors.
  "open openat openat2 creat close close_range dup dup2 dup3 pipe pipe2 fcntl fcntl64 flock ioctl memfd_create\
 memfd_secret eventfd eventfd2 name_to_handle_at",
  // Names: directories, links, renames. Device nodes may be made, the device filter says what they are good for.
  "chdir fchdir getcwd mkdir mkdirat rmdir getdents getdents64 link linkat symlink symlinkat readlink\
 readlinkat unlink unlinkat rename renameat renameat2 mknod mknodat umask",
  // What is known of a file, its owner, mode, times and attributes.
  "stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 access\
 faccessat faccessat2 chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat\
 utime utimes utimensat utimensat_time64 futimesat getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr\
 fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr\
 removexattrat",
  // Waiting for events on files.
  "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl\
 epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 inotify_init inotify_init1 inotify_add_watch\
 inotify_rm_watch fanotify_mark",
  // Asynchronous I/O of the old kind. Not io_uring: it does on behalf of the process what no filter sees.
  "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64",
  // Memory.
  "brk mmap mmap2 munmap mremap mprotect madvise msync mincore mlock mlock2 mlockall munlock munlockall mseal\
 remap_file_pages pkey_alloc pkey_free pkey_mprotect membarrier map_shadow_stack process_mrelease",
  // Processes and threads; clone and clone3 stand below.
  "execve execveat exit exit_group fork vfork wait4 waitid waitpid getpid getppid gettid set_tid_address\
 set_thread_area get_thread_area set_robust_list get_robust_list rseq restart_syscall pidfd_open\
 pidfd_send_signal getpgid getpgrp setpgid getsid setsid prctl uretprobe",
  // Debugging one's own processes: since Linux 4.8 a tracer cannot get past the filter, seccomp(2).
  "ptrace process_vm_readv process_vm_writev",
  // Signals.
  "kill tkill tgkill pause sigaltstack sigprocmask sigreturn signalfd signalfd4 rt_sigaction rt_sigpending\
 rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64\
 rt_tgsigqueueinfo",
  // Locks.
  "futex futex_time64 futex_wait futex_wake futex_requeue futex_waitv",
  // Clocks and timers. Setting the clock is the kernel's to refuse: adjtimex reads it as well.
  "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep\
 clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex nanosleep alarm getitimer setitimer times\
 timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64\
 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64",
  // Scheduling and limits.
  "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam\
 sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval\
 sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set getcpu getrlimit ugetrlimit\
 setrlimit prlimit64 getrusage",
  // Users, groups and capabilities.
  "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid\
 getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32\
 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32\
 capget capset",
  // Sockets that exist; `socket` stands below. i386 may make them by socketcall, behind which nothing can be told apart.
  "socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt\
 setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64",
  // System V IPC and message queues: they have a namespace.
  "ipc msgget msgctl msgsnd msgrcv semget semctl semop semtimedop semtimedop_time64 shmget shmctl shmat shmdt\
 mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend\
 mq_timedsend_time64",
  // Asking the system, and giving up more rights.
  "uname sysinfo getrandom statmount listmount riscv_hwprobe seccomp landlock_create_ruleset landlock_add_rule\
 landlock_restrict_self",
]);

const BY_MACHINE = {
  x86_64: { arches: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], names: "arch_prctl modify_ldt" },
  aarch64: {
    arches: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    names: "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
  },
};

const BY_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_BPF: "bpf",
  CAP_DAC_READ_SEARCH: "open_by_handle_at", // by inode, past every mount: the way out of containers of 2014, "shocker"
  CAP_PERFMON: "perf_event_open",
  CAP_SYSLOG: "syslog",
  // Mounts, namespaces and what else was put under this capability. It stands for bpf, perfmon and syslog too.
  CAP_SYS_ADMIN:
    "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules\
 lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname\
 sethostname setns syslog umount umount2 unshare",
  CAP_SYS_BOOT: "reboot",
  CAP_SYS_CHROOT: "chroot",
  CAP_SYS_MODULE: "delete_module init_module finit_module",
  CAP_SYS_NICE: "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
  CAP_SYS_PACCT: "acct",
  CAP_SYS_PTRACE: "kcmp pidfd_getfd process_madvise",
  CAP_SYS_RAWIO: "iopl ioperm",
  CAP_SYS_TIME: "settimeofday stime clock_settime clock_settime64",
  CAP_SYS_TTY_CONFIG: "vhangup",
};

/** PER_LINUX, PER_LINUX32, each with UNAME26 or not, and the question for the present one: personality(2). */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/**
 * Families of socket(2) from 12 on that the kernel still has, those before are all allowed. Not AF_ALG (38): crypto in
 * the kernel, CVE-2026-31431. Not AF_VSOCK (40): it reaches virtual machines past the network namespace.
 */
const FAMILIES = [13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; the time namespace is not for clone(2) to make. */
const NAMESPACES = 0x7e020000;

const ENOSYS = 38;

/** What does not depend on anything; made once, when the program is built. */
const BY_ARGUMENT: readonly RawSyscall[] = [
  ...PERSONALITIES.map((value) => allowIf("personality", { index: 0, value, op: "SCMP_CMP_EQ" })),
  allowIf("socket", { index: 0, value: 12, op: "SCMP_CMP_LT" }),
  ...FAMILIES.map((value) => allowIf("socket", { index: 0, value, op: "SCMP_CMP_EQ" })),
];

/** clone3 has its flags in memory, where no filter sees them; with ENOSYS a libc falls back to clone. */
const WITHOUT_NAMESPACES: readonly RawSyscall[] = [
  allowIf("clone", { index: 0, value: NAMESPACES, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),
  { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
];

type Arch = keyof typeof BY_MACHINE;

/** The JSON of what depends on nothing, without brackets: made when the program is built, since it is most of a config.json. */
const TEXTS = { always: membersOf(ALWAYS), byArgument: membersOf(BY_ARGUMENT), without: membersOf(WITHOUT_NAMESPACES) };

/**
 * Takes the capabilities of the bounding set, by which some calls are allowed, and the machine.
 * Returns the profile as the JSON of linux.seccomp in config.json: config.json with it written from objects took 0.3 ms.
 */
export function defaultSeccomp(bounding: readonly string[], arch: Arch): string {
  const [arches, granted] = [membersOf(BY_MACHINE[arch].arches), membersOf(grantedTo(bounding, arch))];
  const without = bounding.includes("CAP_SYS_ADMIN") ? "" : `,${TEXTS.without}`;
  return (
    `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":[${arches}],"syscalls":[` +
    `{"names":[${TEXTS.always},${granted}],"action":"SCMP_ACT_ALLOW"},${TEXTS.byArgument}${without}]}`
  );
}

function membersOf(array: readonly unknown[]): string {
  return JSON.stringify(array).slice(1, -1);
}

function grantedTo(bounding: readonly string[], arch: Arch): string[] {
  const lists = bounding.flatMap((capability) => BY_CAPABILITY[capability] ?? []);
  return [...new Set(wordsOf([BY_MACHINE[arch].names, ...lists]))];
}

function wordsOf(lists: readonly string[]): string[] {
  return lists.flatMap((list) => list.split(" "));
}

function allowIf(name: string, arg: RawArg): RawSyscall {
  return { names: [name], action: "SCMP_ACT_ALLOW", args: [arg] };
}
