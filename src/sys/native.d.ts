// Made from native/host/src/sys by scripts/fix: do not edit.

/** A descriptor with one owner: closed when its scope ends, or by `take` given away. */
export interface Fd {
  /** The kernel's number: for messages and for what execve keeps, never for a call. */
  readonly number: number;
  /** Gives the descriptor away: this object is closed afterwards, the new one owns it. */
  take(): Fd;
  /** close(2); a second time it does nothing. */
  [Symbol.dispose](): void;
}

/** The system calls that the host offers. A call that fails throws a SysError. */
export interface Native {
  /** `openat(2)`, close-on-exec always. For host paths; below a root file system only `openat2` will do. */
  openat(dir: Fd | null, path: string, flags: number, mode: number): Fd;
  /** As openat; undefined where there is nothing. */
  openIfAny(dir: Fd | null, path: string, flags: number): Fd | undefined;
  /** `openat2(2)`, close-on-exec always; `resolve` is RESOLVE_*. */
  openat2(dir: Fd | null, path: string, flags: number, mode: number, resolve: number): Fd;
  /** As openat2; undefined where there is nothing. */
  openat2IfAny(dir: Fd | null, path: string, flags: number, resolve: number): Fd | undefined;
  /** `mkdirat(2)`. */
  mkdirat(dir: Fd | null, path: string, mode: number): void;
  /** As mkdirat; says whether nothing was there before. */
  mkdirIfNone(dir: Fd | null, path: string, mode: number): boolean;
  /** `mknodat(2)`; `mode` holds the type too. */
  mknodat(dir: Fd | null, path: string, mode: number, major: number, minor: number): void;
  /** `symlinkat(2)`. */
  symlinkat(target: string, dir: Fd | null, path: string): void;
  /** `linkat(2)`; the link that `path` may be is not followed. */
  linkat(fromDir: Fd | null, fromPath: string, dir: Fd | null, path: string): void;
  /** `readlinkat(2)`; with an empty path the link that `dir` is (O_PATH|O_NOFOLLOW). */
  readlinkat(dir: Fd | null, path: string): string;
  /** `unlinkat(2)`; `flags` is AT_REMOVEDIR or 0. */
  unlinkat(dir: Fd | null, path: string, flags: number): void;
  /** As unlinkat; says whether there was something. */
  unlinkIfAny(dir: Fd | null, path: string, flags: number): boolean;
  /** Removes the file or directory `name` with all that is in it, by descriptors, through no link and into no other mount;
   * fine if there is none. Natively, because names need not be text and trees may be deeper than the engine's stack. */
  removeTree(dir: Fd | null, name: string): void;
  /** `renameat2(2)`. */
  renameat2(from: Fd | null, oldName: string, to: Fd | null, newName: string, flags: number): void;
  /** `fchmod(2)`. */
  fchmod(fd: Fd, mode: number): void;
  /** `fchownat(2)`; `flags` is AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW or both; a gid of 2^32-1 leaves the group as it is. */
  fchownat(dir: Fd | null, path: string, uid: number, gid: number, flags: number): void;
  /** `statx(2)`; an empty path with AT_EMPTY_PATH for the descriptor itself. */
  statx(dir: Fd | null, path: string, flags: number): { readonly mode: number; readonly ino: number; readonly uid: number; readonly gid: number; readonly size: number; readonly nlink: number; readonly rdevMajor: number; readonly rdevMinor: number; readonly attributes: number; readonly mountId: number };
  /** As statx; undefined where there is nothing. */
  statxIfAny(dir: Fd | null, path: string, flags: number): { readonly mode: number; readonly ino: number; readonly uid: number; readonly gid: number; readonly size: number; readonly nlink: number; readonly rdevMajor: number; readonly rdevMinor: number; readonly attributes: number; readonly mountId: number } | undefined;
  /** `fstatfs(2)`. */
  fstatfs(fd: Fd): { readonly type: number; readonly flags: number };
  /** The names in a directory, without . and .., in the order of the file system. */
  readDirectory(fd: Fd): string[];
  /** `faccessat(2)` with the effective ids; `mode` is R_OK, W_OK, X_OK or their sum. */
  faccessat(dir: Fd | null, path: string, mode: number): void;
  /** `flock(2)`; `operation` is LOCK_*. */
  flock(fd: Fd, operation: number): void;
  /** `fchdir(2)`. */
  fchdir(fd: Fd): void;
  /** `chdir(2)`. */
  chdir(path: string): void;
  /** `getcwd(2)`, raw: a directory out of reach begins with "(unreachable)", which libc would hide. */
  getcwd(): string;
  /** `umask(2)`; gives the old one. */
  umask(mode: number): number;
  /** Reads a file to its end as text; at most `limit` bytes. */
  readText(fd: Fd, limit: number): string;
  /** Reads a file to its end; at most `limit` bytes. */
  readBytes(fd: Fd, limit: number): Uint8Array;
  /** Cuts the member at `path` out of a JSON text: the text with null in its place, and the member's own text. Undefined
   * where there is none, or where only a parser can tell. */
  cutJson(text: string, path: readonly string[]): string[] | undefined;
  /** The member at `path` of a JSON text, as `cutJson` finds it. */
  findInJson(text: string, path: readonly string[]): string | undefined;
  /** Whether bytes are the UTF-8 of a text. */
  sameText(bytes: Uint8Array, text: string): boolean;
  /** The UTF-8 of a text. */
  bytesOf(text: string): Uint8Array;
  /** A hash of a text, 64 bits in hexadecimal: for a file's name, not against anybody. FNV-1a, but of words of eight bytes. */
  hashText(text: string): string;
  /** One `read(2)` of at most `limit` bytes; empty at the end. */
  readSome(fd: Fd, limit: number): Uint8Array;
  /** `write(2)` of the whole text. */
  writeText(fd: Fd, text: string): void;
  /** `write(2)` of all bytes. */
  writeBytes(fd: Fd, bytes: Uint8Array): void;
  /** One `write(2)`; gives how many bytes were taken. */
  writeSome(fd: Fd, bytes: Uint8Array): number;
  /** `fcntl(2)` F_SETFL O_NONBLOCK. */
  setNonblocking(fd: Fd): void;
  /** One `write(2)`, so that a file of /proc or cgroupfs gets the value at once; an empty text is written too. */
  writeOnce(fd: Fd, text: string): void;
  /** `fsync(2)`. */
  fsync(fd: Fd): void;
  /** `pipe2(2)`, close-on-exec: the end to read from, the end to write to. */
  pipe(): [Fd, Fd];
  /** `fcntl(2)` F_DUPFD_CLOEXEC: another descriptor for the same file, with the lowest number from `least` on. */
  duplicate(fd: Fd, least: number): Fd;
  /** `dup3(2)`: makes `number` a copy that survives execve. */
  duplicateTo(fd: Fd, number: number): void;
  /** `fcntl(2)` F_GET_SEALS: F_SEAL_*. EINVAL for what can have none. */
  getSeals(fd: Fd): number;
  /** Takes over a descriptor that was open when the program began: 0, 1, 2, or one that a caller passed on. */
  inherited(number: number): Fd;
  /** Gives a file the times of another one of the same name: `utimensat(2)`. An empty path is for the descriptors themselves. */
  copyTimes(from: Fd, to: Fd, path: string): void;
  /** Gives a file the extended attributes of another one of the same name, as far as its file system and privileges allow, but
   * for those that mean something to overlayfs: xattr(7). An empty path is for the descriptors themselves. A name is not
   * followed; before Linux 6.13 no call reaches it so, and what can only be named stays without. */
  copyXattrs(from: Fd, to: Fd, path: string): void;
  /** Copies a file into an empty one, in the kernel; holes stay holes. */
  copyFile(from: Fd, to: Fd): void;
  /** `open_tree(2)`, close-on-exec always: with OPEN_TREE_CLONE a detached copy of a mount. */
  openTree(dir: Fd | null, path: string, flags: number): Fd;
  /** `move_mount(2)`, descriptor to descriptor. */
  moveMount(from: Fd, to: Fd): void;
  /** `mount_setattr(2)` on the mount that `fd` is; `flags` is AT_RECURSIVE or 0, `propagation` one of MS_* or 0. */
  mountSetattr(fd: Fd, flags: number, set: number, clear: number, propagation: number): void;
  /** `mount_setattr(2)` MOUNT_ATTR_IDMAP: the detached mount `fd` shows the ids of its files as `namespace`, a user
   * namespace, maps them. `flags` is AT_RECURSIVE or 0. */
  mountIdmap(fd: Fd, flags: number, namespace: Fd): void;
  /** `fsopen(2)`, close-on-exec. */
  fsopen(kind: string): Fd;
  /** `fsconfig(2)` FSCONFIG_SET_STRING. */
  fsconfigString(context: Fd, key: string, value: string): void;
  /** `fsconfig(2)` FSCONFIG_SET_FLAG. */
  fsconfigFlag(context: Fd, key: string): void;
  /** `fsconfig(2)` FSCONFIG_SET_FD. */
  fsconfigFd(context: Fd, key: string, value: Fd): void;
  /** `fsconfig(2)` FSCONFIG_CMD_CREATE. */
  fsconfigCreate(context: Fd): void;
  /** `fsmount(2)`, close-on-exec; `attributes` is MOUNT_ATTR_*. */
  fsmount(context: Fd, attributes: number): Fd;
  /** `umount2(2)` MNT_DETACH of the working directory's mount. */
  detachWorkingDirectory(): void;
  /** `pivot_root(".", ".")`: the working directory becomes the root, the old root lies over it. See pivot_root(2), NOTES. */
  pivotRoot(): void;
  /** `chroot(2)` to the working directory. */
  chrootHere(): void;
  /** `clone3(2)` as fork: both sides go on from here, with a heap each. `flags` is CLONE_*; CLONE_PIDFD is added. With
   * `cgroup` the child begins its life there (CLONE_INTO_CGROUP). The child gets pid 0. */
  clone3(flags: number, cgroup: readonly Fd[]): { readonly pid: number; readonly pidfd: Fd[] };
  /** `wait4(2)`; `pid` -1 waits for any child; with `block` false it only looks, and no child at all is none that has ended. */
  wait(pid: number, block: boolean): { readonly pid: number; readonly code: number; readonly signal: number };
  /** `pidfd_open(2)`. */
  pidfdOpen(pid: number): Fd;
  /** `pidfd_send_signal(2)`; 0 only asks whether the process is there. */
  pidfdSendSignal(pidfd: Fd, signal: number): void;
  /** `kill(2)`. */
  kill(pid: number, signal: number): void;
  /** `setns(2)`; with a pidfd `flags` says which namespaces. */
  setns(fd: Fd, flags: number): void;
  /** `unshare(2)`. */
  unshare(flags: number): void;
  /** `setsid(2)`. */
  setsid(): void;
  /** `getpid(2)`. */
  getpid(): number;
  /** `getppid(2)`; 0 where the parent is outside of the pid namespace. */
  getppid(): number;
  /** `prctl(2)`; gives its answer. */
  prctl(option: number, second: number, third: number): number;
  /** `prctl(2)` PR_SET_NAME: what /proc/PID/comm shows. */
  setName(name: string): void;
  /** `sethostname(2)`. */
  setHostname(name: string): void;
  /** `setdomainname(2)`. */
  setDomainname(name: string): void;
  /** `execve(2)`. Returns only by failing. */
  execve(path: string, args: readonly string[], env: readonly string[]): void;
  /** Begins the program anew, out of a container's reach: see protect.rs. Returns only by failing. */
  protect(args: readonly string[], env: readonly string[]): void;
  /** Ends the process at once: `_exit(2)`. */
  exit(code: number): void;
  /** `uname(2)`. */
  uname(): { readonly release: string; readonly machine: string };
  /** The time of day: whole seconds since 1970, and nanoseconds. */
  clockRealtime(): number[];
  /** Microseconds since the machine began. */
  clockMonotonic(): number;
  /** Sleeps. */
  sleep(milliseconds: number): void;
  /** `getrandom(2)`, as lower-case hexadecimal digits of `count` bytes. */
  randomHex(count: number): string;
  /** SIOCSIFFLAGS on the interface `name`: sets IFF_UP. See netdevice(7). */
  interfaceUp(name: string): void;
  /** Begins to make a network namespace, which `takeNetwork` gives. It belongs to the caller's user namespace. */
  beginNetwork(): void;
  /** The namespace that was begun, once it is made. Throws what the helper failed with. */
  takeNetwork(): Fd;
  /** PR_CAPBSET_DROP of every capability that the kernel knows, but for those in `keep`, bits 1 << CAP_*. One that is out of
   * the set already may be dropped by anybody. */
  dropBoundingSet(keep: number): void;
  /** `capset(2)`: sets of bits 1 << CAP_*. */
  capset(effective: number, permitted: number, inheritable: number): void;
  /** `setgroups(2)`, raw: libc would signal other threads, of which there are none. */
  setgroups(groups: readonly number[]): void;
  /** `setresuid(2)`. */
  setresuid(uid: number): void;
  /** `setresgid(2)`. */
  setresgid(gid: number): void;
  /** `geteuid(2)`. */
  geteuid(): number;
  /** `getegid(2)`. */
  getegid(): number;
  /** `prlimit(2)` of a process (0: the caller), exact to 64 bits. */
  setrlimit(pid: number, resource: number, soft: bigint, hard: bigint): void;
  /** `prlimit(2)`: the hard limit of a process becomes `hard` where it is lower; the soft one stays. */
  raiseLimit(pid: number, resource: number, hard: bigint): void;
  /** `keyctl(2)` KEYCTL_JOIN_SESSION_KEYRING. */
  joinSessionKeyring(name: string): void;
  /** Blocks all signals and gives a `signalfd(2)`, close-on-exec, that they are read from. */
  signalFd(): Fd;
  /** The next signal of a signalfd, 0 if there is none. */
  readSignal(fd: Fd): number;
  /** Every signal to its default, none blocked: what the kernel gives to a program that nobody started. */
  resetSignals(): void;
  /** `sigprocmask(2)`: no signal is blocked any more. */
  unblockSignals(): void;
  /** `signal(2)` SIG_IGN. */
  ignoreSignal(signal: number): void;
  /** `signal(2)` SIG_DFL. */
  heedSignal(signal: number): void;
  /** `poll(2)`: waits until one of `fds` can be read (or written, where its entry in `events` says POLLOUT); gives
   * the revents of each. `timeout` in milliseconds, -1 for ever. An interruption counts as nothing happened. */
  poll(fds: readonly Fd[], events: readonly number[], timeout: number): number[];
  /** `socketpair(2)`: SOCK_SEQPACKET, close-on-exec. */
  socketPair(): [Fd, Fd];
  /** `connect(2)` to the stream socket at `path`, which must be shorter than 108 bytes: unix(7). */
  connectUnix(path: string): Fd;
  /** `sendmsg(2)` of one message, with up to four descriptors (SCM_RIGHTS). */
  sendMessage(socket: Fd, text: string, fds: readonly Fd[]): void;
  /** `recvmsg(2)`: the next message, of at most `limit` bytes. */
  receiveMessage(socket: Fd, limit: number): { readonly text: string; readonly fds: Fd[] };
  /** Whether `fd` is a terminal. */
  isTerminal(fd: Fd): boolean;
  /** TIOCSPTLCK: lets the other side of a new pseudoterminal be opened. */
  unlockTerminal(master: Fd): void;
  /** TIOCGPTN: the number below /dev/pts. */
  terminalNumber(master: Fd): number;
  /** TIOCGPTPEER: opens the other side without a path, close-on-exec. */
  terminalPeer(master: Fd): Fd;
  /** TIOCSCTTY: makes it the controlling terminal of this session. */
  controlTerminal(fd: Fd): void;
  /** TIOCGWINSZ: columns and rows. */
  windowSize(fd: Fd): number[];
  /** TIOCSWINSZ. */
  setWindowSize(fd: Fd, columns: number, rows: number): void;
  /** Sets a terminal raw, as cfmakeraw(3) does, but for output processing; gives what it was before. */
  rawTerminal(fd: Fd): Uint8Array;
  /** Puts a terminal back to what `rawTerminal` gave. */
  restoreTerminal(fd: Fd, state: Uint8Array): void;
  /** Takes the newline translation off a pseudoterminal that the container writes to: ONLCR is what runc sets. */
  terminalNewlines(fd: Fd): void;
  /** `seccomp(2)` SECCOMP_SET_MODE_FILTER; `program` is an array of struct sock_filter. */
  seccomp(flags: number, program: Uint8Array): void;
  /** `bpf(2)` BPF_PROG_LOAD of a BPF_PROG_TYPE_CGROUP_DEVICE program; `program` is an array of struct bpf_insn. */
  loadDeviceFilter(program: Uint8Array): Fd;
  /** `bpf(2)` BPF_PROG_ATTACH of a device filter to a cgroup; `flags` is BPF_F_ALLOW_MULTI or 0. */
  attachDeviceFilter(cgroup: Fd, program: Fd, flags: number): void;
  /** `close_range(2)`; `flags` is CLOSE_RANGE_CLOEXEC or 0. */
  closeRange(first: number, last: number, flags: number): void;
  /** The end of a container's init: closes every descriptor from `keep` on but `report` (which execve closes), installs the
   * seccomp filter if `program` is not empty, and calls execve(2). Nothing of the program runs in between: CVE-2024-21626.
   * No descriptor gets another number, which a low limit of open files would forbid. */
  becomeProcess(path: string, args: readonly string[], env: readonly string[], keep: number, report: Fd, flags: number, program: Uint8Array): void;
  /** Begins a phase of `TSRUN_TRACE=phases`; nothing without it. */
  phase(name: string): void;
  /** Ends the last phase; gives a line for each that was, of all processes: process, nanoseconds of its beginning, its
   * length, and the part of it in native calls, page faults, name; with tabs between. */
  phases(): string[];
}
