/** What a container's processes are given, seen from inside: exactly what config.json says, and nothing of the caller's. */

import assert from "node:assert/strict";
import { chmodSync, openSync } from "node:fs";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import { addChecker, dumpHere, readDump } from "../support/checker.ts";
import type { Dump } from "../support/checker.ts";
import { PATH } from "../support/config.ts";
import type { Config, Tweak } from "../support/config.ts";
import { run } from "../support/runtime.ts";
import type { RunOptions } from "../support/runtime.ts";

const NEEDS = ["tool:gcc"] as const;

function all({ process, linux }: Config): void {
  process.args = ["/dump", "one", "", "th ree"];
  process.env = [PATH, "A=1", "QUOTE=\"'", "EMPTY="];
  process.cwd = "/tmp";
  process.user = { uid: 0, gid: 0, umask: 0o27, additionalGids: [10, 20] };
  process.capabilities = {
    bounding: ["CAP_CHOWN", "CAP_SETUID"],
    effective: ["CAP_CHOWN", "CAP_SETUID"],
    permitted: ["CAP_CHOWN", "CAP_SETUID"],
    inheritable: [],
    ambient: [],
  };
  process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 111, hard: 222 }];
  process.oomScoreAdj = 77;
  linux.namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type }));
}

function dumped(
  box: Box,
  tweak: Tweak = all,
  options: RunOptions & { before?: string[]; flags?: string[] } = {},
): Dump {
  const bundle = box.bundle(["/dump"], tweak);
  addChecker(bundle);
  const command = box.command("run", ...(options.flags ?? []), "--bundle", bundle, `${box.mark}-dump`);
  const env = box.environment(options.env);
  const { status, stdout, stderr } = run([...(options.before ?? []), ...command], box.dir, { ...options, env });
  assert.equal(status, 0, stderr);
  return readDump(stdout);
}

test("init has descriptors 0, 1 and 2 and no other", NEEDS, (box) => {
  const { fds } = dumped(box);
  assert.deepEqual(
    fds.map(({ fd }) => fd),
    [0, 1, 2],
  );
  // A pipe, where the runtime copies what it is given.
  assert.match(fds[0]?.target ?? "", /^(\/dev\/null|pipe:.*)$/);
});

test("init has none of the descriptors that its caller left open", NEEDS, (box) => {
  const extra = ["/", "/proc", "/sys/fs/cgroup", "/dev/null"].map((path) => openSync(path, "r"));
  assert.deepEqual(
    dumped(box, all, { extra }).fds.map(({ fd }) => fd),
    [0, 1, 2],
  );
});

test("init has the arguments and the environment of config.json, and HOME", NEEDS, (box) => {
  const { args, env } = dumped(box);
  assert.deepEqual(args, ["/dump", "one", "", "th ree"]);
  assert.deepEqual(env.toSorted(), [PATH, "A=1", "QUOTE=\"'", "EMPTY=", "HOME=/root"].toSorted());
});

test("init has the ids, groups and umask of config.json", NEEDS, (box) => {
  const { uid, gid, groups, umask } = dumped(box);
  assert.deepEqual({ uid, gid, groups, umask }, { uid: [0, 0, 0], gid: [0, 0, 0], groups: [10, 20], umask: 0o27 });
});

test("init has the capabilities of config.json", NEEDS, (box) => {
  const { CapInh, CapPrm, CapEff, CapBnd, CapAmb } = dumped(box).status;
  const [none, both] = ["0000000000000000", "0000000000000081"];
  assert.deepEqual(
    { CapInh, CapPrm, CapEff, CapBnd, CapAmb },
    {
      CapInh: none,
      CapPrm: both,
      CapEff: both,
      CapBnd: both,
      CapAmb: none,
    },
  );
});

test("init has a session keyring of its own, named for the container", NEEDS, (box) => {
  const { keyring } = dumped(box);
  assert.match(keyring, new RegExp(`^keyring;0;0;[0-9a-f]+;_ses\\.${box.mark}-dump$`));
  assert.doesNotMatch(dumpHere().keyring, new RegExp(box.mark));
});

test("with --no-new-keyring init keeps its caller's session keyring", NEEDS, (box) => {
  assert.equal(dumped(box, all, { flags: ["--no-new-keyring"] }).keyring, dumpHere().keyring);
});

test("init blocks no signal and handles each by default", NEEDS, (box) => {
  const before = ["env", "--default-signal"];
  const { blocked, notDefault } = dumped(box, all, { before });
  assert.deepEqual({ blocked, notDefault }, { blocked: [], notDefault: [] });
});

// runc hands over what its caller ignores and blocks.
test("a caller that ignores and blocks signals does not hand that over", [...NEEDS, "tsrun"], (box) => {
  const before = ["env", "--ignore-signal=QUIT,USR1,PIPE,CHLD", "--block-signal=TERM,USR2,HUP"];
  const { blocked, notDefault } = dumped(box, all, { before });
  assert.deepEqual({ blocked, notDefault }, { blocked: [], notDefault: [] });
});

test("init is in new namespaces where config.json lists them, else in the caller's", NEEDS, (box) => {
  const [inside, outside] = [dumped(box).namespaces, dumpHere().namespaces];
  const same = Object.keys(outside).filter((type) => inside[type] === outside[type]);
  assert.deepEqual(same.toSorted(), ["time", "user"]);
});

test("init leads its session and group, has no terminal and no parent in sight", NEEDS, (box) => {
  const { pid, parent, session, group, terminal } = dumped(box);
  assert.deepEqual({ pid, parent, session, group, terminal }, { pid: 1, parent: 0, session: 1, group: 1, terminal: 0 });
});

test("init has the limits of config.json, and its caller's where there are none", NEEDS, (box) => {
  const expected = dumpHere().limits;
  const RLIMIT_NOFILE = 7;
  expected[RLIMIT_NOFILE] = ["111", "222"];
  assert.deepEqual(dumped(box).limits, expected);
});

test("nothing of the runtime's own set-up shows in init", NEEDS, (box) => {
  const { securebits, keepCapabilities, dumpable, deathSignal, subreaper, secure, nice, scheduler, personality } =
    dumped(box);
  assert.deepEqual(
    { securebits, keepCapabilities, dumpable, deathSignal, subreaper, secure, nice, scheduler, personality },
    {
      securebits: 0,
      keepCapabilities: 0,
      dumpable: 1,
      deathSignal: 0,
      subreaper: 0,
      secure: 0,
      nice: dumpHere().nice,
      scheduler: 0,
      personality: 0,
    },
  );
});

test("init has the working folder, oom score, cgroup and privileges of config.json", NEEDS, (box) => {
  const { cwd, oomScoreAdj, cgroup, status } = dumped(box);
  assert.equal(cwd, "/tmp");
  assert.equal(oomScoreAdj, "77\n");
  assert.match(cgroup, /^0::\/$/m);
  assert.equal(status["NoNewPrivs"], "0");
  assert.equal(status["Seccomp"], "0");
  assert.equal(status["Threads"], "1");
});

test("init sees the mounts of config.json, its root, masks and devices, and no others", NEEDS, (box) => {
  const points = dumped(box)
    .mounts.trimEnd()
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  const unexpected = points.filter((point) => !EXPECTED_MOUNTS.test(point));
  assert.deepEqual(unexpected, []);
  for (const point of ["/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/sys", "/proc/keys", "/proc/sys"]) {
    assert.ok(points.includes(point), point);
  }
});

test("an executed process is given the same, and its own arguments", NEEDS, (box) => {
  const bundle = box.bundle(["sleep", "100"], (config) => {
    all(config);
    config.process.args = ["sleep", "100"];
  });
  addChecker(bundle);
  const id = box.id();
  const created = box.tsrun(["create", "--bundle", bundle, id], { output: box.path("create") });
  assert.equal(created.status, 0, created.stderr);
  box.ok("start", id);
  const extra = [openSync("/", "r"), openSync("/proc", "r")];
  const { stdout, stderr } = box.tsrun(["exec", id, "/dump", "here"], { extra });
  assert.notEqual(stdout, "", stderr);
  const { fds, args, env, uid, groups, status, cwd, session, terminal, pid, keyring, deathSignal } = readDump(stdout);
  assert.deepEqual(
    { fds: fds.map(({ fd }) => fd), args, env: env.toSorted(), uid, groups, cwd, terminal, deathSignal },
    {
      fds: [0, 1, 2],
      args: ["/dump", "here"],
      env: [PATH, "A=1", "QUOTE=\"'", "EMPTY=", "HOME=/root"].toSorted(),
      uid: [0, 0, 0],
      groups: [10, 20],
      cwd: "/tmp",
      terminal: 0,
      deathSignal: 0,
    },
  );
  assert.equal(session, pid);
  assert.equal(status["CapBnd"], "0000000000000081");
  assert.equal(status["CapInh"], "0000000000000000");
  assert.match(keyring, new RegExp(`_ses\\.${id}$`));
});

test("noNewPrivileges keeps a set-user-id program from becoming root", NEEDS, (box) => {
  for (const [noNewPrivileges, effective] of [
    [false, 0],
    [true, 1000],
  ] as const) {
    const bundle = box.bundle(["/dump"], ({ process }) => {
      process.noNewPrivileges = noNewPrivileges;
      process.user = { uid: 1000, gid: 1000 };
    });
    addChecker(bundle);
    chmodSync(`${bundle}/rootfs/dump`, 0o4755);
    const { stdout, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
    assert.notEqual(stdout, "", stderr);
    assert.equal(readDump(stdout).uid[1], effective);
  }
});

const EXPECTED_MOUNTS = new RegExp(
  "^/(|proc|dev|dev/(pts|shm|mqueue|console)|sys|sys/fs/cgroup|sys/firmware" +
    "|proc/(kcore|keys|timer_list|acpi|bus|fs|irq|sys|sysrq-trigger)" +
    "|dev/(null|zero|full|random|urandom|tty))$",
);
