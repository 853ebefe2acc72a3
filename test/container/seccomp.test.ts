import assert from "node:assert/strict";
import {
  chmodSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Config, Seccomp, SyscallRule } from "../support/config.ts";

/** All is allowed but for what the rules say. */
function except(...syscalls: SyscallRule[]): Seccomp {
  return { defaultAction: "SCMP_ACT_ALLOW", syscalls };
}

function run(box: Box, program: string | string[], seccomp: Seccomp, more: (config: Config) => void = () => undefined) {
  return box.run(program, (config) => {
    config.linux.seccomp = seccomp;
    more(config);
  });
}

const MKDIR = ["mkdir", "mkdirat"];

test("with seccomp the process is in filter mode, without it is not", [], (box) => {
  const script = "grep Seccomp: /proc/self/status";
  assert.equal(run(box, script, except()).stdout, "Seccomp:\t2\n");
  assert.equal(box.prints(script), "Seccomp:\t0\n");
});

test("SCMP_ACT_ERRNO gives EPERM, or what errnoRet says", [], (box) => {
  const rule = { names: MKDIR, action: "SCMP_ACT_ERRNO" };
  assert.match(run(box, "mkdir /x", except(rule)).stderr, /Operation not permitted/);
  assert.match(run(box, "mkdir /x", except({ ...rule, errnoRet: 28 })).stderr, /No space left/);
});

test("defaultErrnoRet is given where no rule says otherwise", [], (box) => {
  const ok = run(box, ["true"], {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 28,
    syscalls: [{ names: EVERYTHING_FOR_SH, action: "SCMP_ACT_ALLOW" }],
  });
  assert.equal(ok.status, 0, ok.stderr);
  const refused = run(box, "mkdir /x", {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 28,
    syscalls: [{ names: EVERYTHING_FOR_SH, action: "SCMP_ACT_ALLOW" }],
  });
  assert.match(refused.stderr, /No space left/);
});

for (const [action, signal] of [
  ["SCMP_ACT_KILL", 31],
  ["SCMP_ACT_KILL_THREAD", 31],
  ["SCMP_ACT_KILL_PROCESS", 31],
  ["SCMP_ACT_TRAP", 31],
] as const) {
  test(`${action} ends the process by SIGSYS`, [], (box) => {
    const { status } = run(box, "mkdir /x; exit $?", except({ names: MKDIR, action }));
    assert.equal(status, 128 + signal);
  });
}

test("SCMP_ACT_LOG and SCMP_ACT_ALLOW let it pass", [], (box) => {
  for (const action of ["SCMP_ACT_LOG", "SCMP_ACT_ALLOW"]) {
    const { status, stderr } = run(box, "mkdir /x", {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: MKDIR, action }],
    });
    assert.equal(status, 0, stderr);
  }
});

test("SCMP_ACT_TRACE without a tracer gives ENOSYS", [], (box) => {
  const { stderr } = run(box, "mkdir /x", except({ names: MKDIR, action: "SCMP_ACT_TRACE", errnoRet: 3 }));
  assert.match(stderr, /Function not implemented/);
});

/** A rule on the mode of chmod. */
const chmod = (op: string, value: number, valueTwo?: number): SyscallRule => ({
  names: ["chmod"],
  action: "SCMP_ACT_ERRNO",
  args: [{ index: 1, op, value, ...(valueTwo === undefined ? {} : { valueTwo }) }],
});

test("an argument is compared: only chmod to 0700 is refused", [], (box) => {
  const refused = (rules: SyscallRule[]) => {
    const script = "for m in 600 700 777; do chmod $m /tmp 2>/dev/null || echo $m; done";
    return run(box, script, except(...rules))
      .stdout.split("\n")
      .filter(Boolean)
      .join(" ");
  };
  assert.equal(refused([chmod("SCMP_CMP_EQ", 0o700)]), "700");
  assert.equal(refused([chmod("SCMP_CMP_NE", 0o700)]), "600 777");
  assert.equal(refused([chmod("SCMP_CMP_GT", 0o700)]), "777");
  assert.equal(refused([chmod("SCMP_CMP_GE", 0o700)]), "700 777");
  assert.equal(refused([chmod("SCMP_CMP_LT", 0o700)]), "600");
  assert.equal(refused([chmod("SCMP_CMP_LE", 0o700)]), "600 700");
  assert.equal(refused([chmod("SCMP_CMP_MASKED_EQ", 0o077, 0o077)]), "777");
  assert.equal(refused([chmod("SCMP_CMP_EQ", 0o600), chmod("SCMP_CMP_EQ", 0o777)]), "600 777");
});

test("the arguments of one rule must all hold", [], (box) => {
  const both: SyscallRule = {
    names: ["chown", "fchownat", "lchown"],
    action: "SCMP_ACT_ERRNO",
    args: [
      { index: 1, op: "SCMP_CMP_EQ", value: 5 },
      { index: 2, op: "SCMP_CMP_EQ", value: 6 },
    ],
  };
  const { stdout } = run(box, "for o in 5:6 5:7 4:6; do chown $o /tmp 2>/dev/null || echo $o; done", except(both));
  assert.equal(stdout, "5:6\n");
});

test("a name that this kernel does not know is passed over", [], (box) => {
  const { status, stderr } = run(
    box,
    "true",
    except({ names: ["no_such_syscall", ...MKDIR], action: "SCMP_ACT_ERRNO" }),
  );
  assert.equal(status, 0, stderr);
});

// runc 1.1.5 refuses flags.
test("flags are taken", ["tsrun"], (box) => {
  const seccomp = {
    ...except({ names: MKDIR, action: "SCMP_ACT_ERRNO" }),
    flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
  };
  const { status, stderr } = run(box, "grep -q 'Seccomp:.*2' /proc/self/status", seccomp);
  assert.equal(status, 0, stderr);
});

test("an action, operator, architecture or flag that is unknown is refused", [], (box) => {
  const wrong: Seccomp[] = [
    { defaultAction: "SCMP_ACT_SHRUG", syscalls: [] },
    except({ names: MKDIR, action: "SCMP_ACT_SHRUG" }),
    except({ names: MKDIR, action: "SCMP_ACT_ERRNO", args: [{ index: 0, op: "SCMP_CMP_ODD", value: 1 }] }),
    except({ names: MKDIR, action: "SCMP_ACT_ERRNO", args: [{ index: 6, op: "SCMP_CMP_EQ", value: 1 }] }),
    { ...except(), architectures: ["SCMP_ARCH_PDP11"] },
    { ...except(), flags: ["SECCOMP_FILTER_FLAG_SHRUG"] },
  ];
  for (const seccomp of wrong) {
    assert.equal(run(box, "true", seccomp).status, 1, JSON.stringify(seccomp));
    assert.deepEqual(box.settled(), []);
  }
});

test("a filter that forbids what the runtime itself needs last is no hindrance", [], (box) => {
  const seccomp = except({
    names: [
      "mount",
      "umount2",
      "pivot_root",
      "setns",
      "unshare",
      "clone3",
      "move_mount",
      "open_tree",
      "fsopen",
      "bpf",
      "close_range",
      "prctl",
      "capset",
      "setgroups",
      "setuid",
      "setgid",
      "setresuid",
      "setresgid",
      "openat2",
      "seccomp",
    ],
    action: "SCMP_ACT_ERRNO",
  });
  for (const noNewPrivileges of [true, false]) {
    const { status, stderr } = run(box, "true", seccomp, ({ process }) => {
      process.noNewPrivileges = noNewPrivileges;
    });
    // Without no_new_privs the filter must come before the user changes: runc refuses it then, or succeeds.
    if (noNewPrivileges) assert.equal(status, 0, stderr);
    else assert.ok(status === 0 || status === 1);
  }
});

/** What a filter cache may be found as: cut at any place, empty, of another profile, or no file at all. */
const DAMAGE: Readonly<Record<string, (path: string) => void>> = {
  "is cut": (path) => truncateSync(path, 200),
  "is empty": (path) => truncateSync(path, 0),
  "lacks its last byte": (path) => truncateSync(path, statSync(path).size - 1),
  "has another program's length in it": (path) => writeFileSync(path, Buffer.alloc(12)),
  "is a link": (path) => {
    rmSync(path);
    symlinkSync("/dev/zero", path);
  },
};

for (const [how, damage] of Object.entries(DAMAGE)) {
  test(`a kept filter that ${how} is not believed: the container has its own all the same`, ["tsrun"], (box) => {
    const profile = except({ names: MKDIR, action: "SCMP_ACT_ERRNO" });
    const script = "mkdir /x; grep Seccomp: /proc/self/status";
    assert.equal(run(box, script, profile).stdout, "Seccomp:\t2\n");
    const cache = join(box.root, "~seccomp");
    for (const name of readdirSync(cache)) damage(join(cache, name));
    const { stdout, stderr } = run(box, script, profile);
    assert.equal(stdout, "Seccomp:\t2\n");
    assert.match(stderr, /Operation not permitted/);
  });
}

test("a cache that somebody else may write to is not believed", ["tsrun"], (box) => {
  const profile = except({ names: MKDIR, action: "SCMP_ACT_ERRNO" });
  run(box, "true", profile);
  const cache = join(box.root, "~seccomp");
  const [name = ""] = readdirSync(cache);
  const forged = readFileSync(join(cache, name));
  forged.fill(0, forged.length - 8); // Its last instruction.
  writeFileSync(join(cache, name), forged);
  chmodSync(cache, 0o777);
  assert.equal(run(box, "grep Seccomp: /proc/self/status", profile).stdout, "Seccomp:\t2\n");
});

test("a user without capabilities gets the filter too", [], (box) => {
  for (const noNewPrivileges of [true, false]) {
    const { stdout, stderr } = run(
      box,
      "grep Seccomp: /proc/self/status; mkdir /tmp/x 2>&1",
      except({ names: MKDIR, action: "SCMP_ACT_ERRNO" }),
      ({ process }) => {
        process.user = { uid: 1000, gid: 1000 };
        process.capabilities = { bounding: [], effective: [], permitted: [] };
        process.noNewPrivileges = noNewPrivileges;
      },
    );
    assert.match(stdout, /^Seccomp:\t2\nmkdir: .*Operation not permitted/, stderr);
  }
});

test("docker's kind of profile, an allow-list of hundreds of names, loads", [], (box) => {
  const { status, stderr } = run(box, ["true"], {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls: [
      { names: EVERYTHING_FOR_SH, action: "SCMP_ACT_ALLOW" },
      { names: ["personality"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 0xffffffff, op: "SCMP_CMP_EQ" }] },
      {
        names: ["clone"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, value: 2114060288, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      },
    ],
  });
  assert.equal(status, 0, stderr);
});

/** What busybox's sh, true and mkdir call, mkdir itself apart, and what a runtime calls between filter and execve. */
const EVERYTHING_FOR_SH =
  `access arch_prctl brk capget capset chdir chmod clone3 close close_range dup dup2 dup3 epoll_create1 epoll_ctl
  epoll_pwait epoll_wait eventfd2 execve exit exit_group faccessat faccessat2 fchdir fchown fcntl fork fstat fstatfs fsync
  ftruncate futex getcwd getdents64 getegid geteuid getgid getpgrp getpid getppid getpriority getrandom getrlimit
  getsid getsockopt gettid getuid ioctl keyctl lseek lstat madvise mmap mount mprotect mremap munmap nanosleep
  newfstatat open openat openat2 pipe pipe2 pivot_root poll ppoll prctl pread64 prlimit64 pwrite64 read readlink
  readlinkat readv recvfrom recvmsg rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield seccomp
  sendmsg sendto set_robust_list set_tid_address setgid setgroups sethostname setpgid setresgid setresuid setrlimit
  setsid setsockopt setuid sigaltstack socket socketpair stat statfs statx symlinkat sysinfo tgkill tkill umask umount2
  uname unlink unlinkat vfork wait4 waitid write writev`.split(/\s+/);
