import assert from "node:assert/strict";
import { openSync, readFileSync } from "node:fs";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Process, Tweak } from "../support/config.ts";
import { eventually, textOf } from "../support/runtime.ts";

function sleeping(box: Box, tweak?: Tweak): string {
  return box.started(["sleep", "1000"], tweak).id;
}

/** Runs a process.json as containerd does, based on the container's own process. */
function execProcess(box: Box, id: string, change: (process: Process) => void, flags: string[] = []) {
  const config = JSON.parse(readFileSync(`${box.state(id).bundle}/config.json`, "utf8")) as { process: Process };
  change(config.process);
  const file = box.file("process.json", JSON.stringify(config.process));
  return box.tsrun(["exec", ...flags, "--process", file, id], { output: box.path("exec") });
}

test("exec runs a program in the container and ends with its code", [], (box) => {
  const id = sleeping(box);
  const { status, stdout } = box.exec(id, "hostname; exit 17");
  assert.equal(stdout, "box\n");
  assert.equal(status, 17);
});

test("exec ends with 128+n, where signal n ended the program", [], (box) => {
  assert.equal(box.exec(sleeping(box), "kill -9 $$").status, 137);
});

test("exec hands stdin, stdout and stderr through", [], (box) => {
  const { stdout, stderr } = box.exec(sleeping(box), "cat; echo bad >&2", { input: "good\n" });
  assert.equal(stdout, "good\n");
  assert.equal(stderr, "bad\n");
});

test("exec is in all of init's namespaces and in its cgroup", [], (box) => {
  const id = sleeping(box);
  const script = "for ns in pid net ipc uts mnt cgroup user; do readlink /proc/$P/ns/$ns; done; cat /proc/$P/cgroup";
  const { stdout } = box.exec(id, `P=self; f() { ${script}; }; f; echo --; P=1; f`);
  const [own, init] = stdout.split("--\n");
  assert.equal(own, init);
});

test("exec of a missing container, or of one that is not running, fails with 255", [], async (box) => {
  const missing = box.exec(box.id(), "true");
  assert.equal(missing.status, 255);
  assert.match(missing.stderr, /does not exist/);
  const { id } = box.started("true");
  await box.reaches(id, "stopped");
  const stopped = box.exec(id, "true");
  assert.equal(stopped.status, 255);
  assert.match(stopped.stderr, /stopped|not running/);
});

test("exec of a program that there is none of fails with 255 and the words that docker looks for", [], (box) => {
  const id = sleeping(box);
  for (const [program, words] of [
    ["no-such-program", /no-such-program.*executable file not found/],
    ["/no/such/program", /\/no\/such\/program.*no such file or directory/],
    ["/etc/passwd", /\/etc\/passwd.*permission denied/],
  ] as const) {
    const { status, stderr } = box.exec(id, [program]);
    assert.equal(status, 255);
    assert.match(stderr, words);
  }
});

test("exec of nothing is refused", [], (box) => {
  assert.notEqual(box.tsrun(["exec", sleeping(box)]).status, 0);
});

test("exec takes env and cwd from the container, --env and --cwd on top", [], (box) => {
  const id = sleeping(box, ({ process }) => {
    process.env.push("KEPT=1", "CHANGED=1");
    process.cwd = "/tmp";
  });
  assert.equal(box.exec(id, "echo $KEPT$CHANGED $PWD").stdout, "11 /tmp\n");
  const flags = ["--env", "CHANGED=2", "--env", "NEW=3", "--cwd", "/etc"];
  assert.equal(box.exec(id, "echo $KEPT$CHANGED$NEW $PWD", { flags }).stdout, "123 /etc\n");
});

test("exec --user takes uid and uid:gid", [], (box) => {
  const id = sleeping(box);
  assert.equal(box.exec(id, "id -u; id -g", { flags: ["--user", "1000:1001"] }).stdout, "1000\n1001\n");
  assert.equal(box.exec(id, "id -u; id -g", { flags: ["-u", "7"] }).stdout, "7\n0\n");
});

test("exec --user takes numbers only, and never turns a wrong one into root", [], (box) => {
  const id = sleeping(box);
  for (const user of ["alice", "1x", "-1", "1:y", "0x1", "1:2:3", ":"]) {
    const { status, stdout } = box.exec(id, "id -u", { flags: ["--user", user] });
    assert.notEqual(status, 0, user);
    assert.equal(stdout, "", user);
  }
});

// runc 1.1.5 wraps it round to 0.
test("exec --user refuses an id beyond 2^32-2", ["tsrun"], (box) => {
  const id = sleeping(box);
  for (const user of ["4294967295", "4294967296", "18446744073709551616", "0:4294967296"]) {
    assert.notEqual(box.exec(id, "true", { flags: ["--user", user] }).status, 0, user);
  }
});

test("exec gives HOME of the user that it runs as", [], (box) => {
  const id = sleeping(box);
  assert.equal(box.exec(id, "echo $HOME").stdout, "/root\n");
  assert.equal(box.exec(id, "echo $HOME", { flags: ["--user", "1000"] }).stdout, "/home/alice\n");
});

test("exec --additional-gids adds groups", [], (box) => {
  const flags = ["-g", "100", "-g", "65534"];
  const { stdout } = box.exec(sleeping(box), "grep Groups /proc/self/status", { flags });
  assert.match(stdout, /^Groups:\s*(0 )?100 65534 ?\n$/);
});

test("exec has the container's capabilities, and --cap adds to all sets but the inheritable one", [], (box) => {
  const id = sleeping(box, ({ process }) => {
    process.capabilities = { bounding: ["CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"] };
  });
  const sets = (flags: string[]) =>
    [...box.exec(id, "grep ^Cap /proc/self/status", { flags }).stdout.matchAll(/:\s*([0-9a-f]+)/g)].map(
      ([, bits = ""]) => parseInt(bits, 16),
    );
  assert.deepEqual(sets([]), [0, 0x20, 0x20, 0x20, 0]);
  const [inheritable, permitted, effective, bounding] = sets(["--cap", "CAP_SYS_PTRACE", "--cap", "CAP_NET_ADMIN"]);
  assert.deepEqual([inheritable, permitted, effective, bounding], [0, 0x81020, 0x81020, 0x81020]);
});

test("exec --no-new-privs sets what the container does not have", [], (box) => {
  const id = sleeping(box);
  const value = (flags: string[]) => box.exec(id, "grep NoNewPrivs /proc/self/status", { flags }).stdout.trim().at(-1);
  assert.deepEqual([value([]), value(["--no-new-privs"])], ["0", "1"]);
});

test("exec has the container's noNewPrivileges and seccomp filter", [], (box) => {
  const id = sleeping(box, ({ process, linux }) => {
    process.noNewPrivileges = true;
    linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
    };
  });
  const { stdout, stderr } = box.exec(id, "mkdir /tmp/x; grep -E 'NoNewPrivs|Seccomp:' /proc/self/status");
  assert.equal(stdout, "NoNewPrivs:\t1\nSeccomp:\t2\n");
  assert.match(stderr, /Operation not permitted/);
});

test("exec --process takes all from the file", [], async (box) => {
  const id = sleeping(box);
  const { status, stdout } = execProcess(box, id, (process) => {
    process.args = ["sh", "-c", "echo $A $PWD; id -u; grep Groups /proc/self/status; ulimit -n; exit 5"];
    process.env.push("A=x");
    process.cwd = "/tmp";
    process.user = { uid: 12, gid: 13, additionalGids: [14] };
    process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 99, hard: 99 }];
  });
  assert.equal(status, 5);
  assert.match(stdout, /^x \/tmp\n12\nGroups:\s*(13 )?14 ?\n99\n$/);
});

test("exec with a limit of three open files works, since it holds for the program alone", [], (box) => {
  const { status, stdout, stderr } = execProcess(box, sleeping(box), (process) => {
    process.args = ["sh", "-c", "ulimit -n; echo $HOME"];
    process.env = ["PATH=/bin"];
    process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 3, hard: 3 }];
  });
  assert.deepEqual([status, stdout, stderr], [0, "3\n/root\n", ""]);
});

test("exec --process keeps inheritable and ambient capabilities of the file apart from the container's", [], (box) => {
  const id = sleeping(box);
  const { stdout, stderr } = execProcess(box, id, (process) => {
    process.args = ["sh", "-c", "grep ^Cap /proc/self/status"];
    process.user = { uid: 1000, gid: 1000 };
    process.capabilities = { bounding: ["CAP_CHOWN"], effective: [], permitted: [], inheritable: [], ambient: [] };
  });
  const sets = [...stdout.matchAll(/:\s*([0-9a-f]+)/g)].map(([, bits = ""]) => parseInt(bits, 16));
  assert.deepEqual(sets, [0, 0, 0, 1, 0], stderr);
});

test("exec --process of a file that is missing or wrong fails with 255 and one line", [], (box) => {
  const id = sleeping(box);
  for (const text of [undefined, "", "{", "[]", '{"args":[]}']) {
    const file = text === undefined ? box.path("none") : box.file("wrong.json", text);
    const { status, stderr } = box.tsrun(["exec", "--process", file, id]);
    assert.equal(status, 255, text);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
});

test("exec --detach returns at once, and the pid file has the process's pid without a newline", [], async (box) => {
  const id = sleeping(box);
  const pidFile = box.path("exec.pid");
  const flags = ["--detach", "--pid-file", pidFile];
  const started = Date.now();
  const { status } = execProcess(box, id, (process) => (process.args = ["sleep", "900"]), flags);
  assert.equal(status, 0);
  assert.ok(Date.now() - started < 15_000);
  const pid = readFileSync(pidFile, "utf8");
  assert.match(pid, /^\d+$/);
  await eventually(() => textOf(`/proc/${pid}/cmdline`) === "sleep\x00900\x00", "the program");
  assert.equal(textOf(`/proc/${pid}/cgroup`), textOf(`/proc/${box.state(id).pid}/cgroup`));
});

test("an executed process that is killed leaves the container running", [], async (box) => {
  const id = sleeping(box);
  const pidFile = box.path("exec.pid");
  execProcess(box, id, (process) => (process.args = ["sleep", "900"]), ["-d", "--pid-file", pidFile]);
  const pid = Number(readFileSync(pidFile, "utf8"));
  process.kill(pid, "SIGKILL");
  await eventually(() => !textOf(`/proc/${pid}/cmdline`).includes("900"), "its end");
  assert.equal(box.state(id).status, "running");
});

test("exec in the foreground forwards signals", [], async (box) => {
  const id = sleeping(box);
  const script = "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.02; done";
  const running = box.begin(["exec", id, "sh", "-c", script]);
  await eventually(() => running.read().stdout.includes("ready"), "its trap");
  running.child.kill("SIGTERM");
  const { status, stdout } = await running.ended;
  assert.deepEqual([stdout, status], ["ready\ngot\n", 9]);
});

// runc 1.1.5 leaves it at 0022.
test("exec has the container's umask", ["tsrun"], (box) => {
  const id = sleeping(box, ({ process }) => (process.user.umask = 0o27));
  assert.equal(box.exec(id, "umask").stdout, "0027\n");
});

test("exec hands over --preserve-fds, and nothing else", [], (box) => {
  const id = sleeping(box);
  const path = box.file("kept", "kept\n");
  const extra = [openSync(path, "r"), openSync(path, "r")];
  const flags = ["--preserve-fds", "1"];
  // 4 is ls's own.
  assert.equal(box.exec(id, "cat <&3; ls /proc/self/fd", { flags, extra }).stdout, "kept\n0\n1\n2\n3\n4\n");
});

test("exec works in a container that is only created", [], (box) => {
  const { id } = box.create(["sleep", "1000"]);
  assert.equal(box.exec(id, "echo in").stdout, "in\n");
});

test("when init ends, executed processes end with it", [], async (box) => {
  const id = sleeping(box);
  const running = box.begin(["exec", id, "sleep", "900"]);
  // Killed before it has become its program it would not have run: 255.
  const pids = () => JSON.parse(box.ok("ps", "--format", "json", id).stdout) as number[];
  await eventually(
    () => pids().some((pid) => textOf(`/proc/${pid}/cmdline`) === "sleep\x00900\x00"),
    "the second process",
  );
  box.ok("kill", id, "KILL");
  assert.equal((await running.ended).status, 137);
});
