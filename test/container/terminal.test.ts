import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Process, Tweak } from "../support/config.ts";
import { eventually } from "../support/runtime.ts";
import { Terminal } from "../support/terminal.ts";

const NEEDS = ["tool:python3"] as const;

const onTerminal: Tweak = ({ process }) => (process.terminal = true);

async function createdWithTerminal(box: Box, script: string, tweak: Tweak = onTerminal) {
  const socket = box.path("console.sock");
  const terminal = await Terminal.listen(socket);
  const container = box.create(script, tweak, ["--console-socket", socket]);
  return { terminal, ...container };
}

function foreground(box: Box, script: string, size?: [number, number]): Terminal {
  const bundle = box.bundle(script, onTerminal);
  return Terminal.run(box.command("run", "--bundle", bundle, box.id()), box.path("tty"), box.environment(), size);
}

test(
  "create sends one message with one descriptor of a terminal, and its name, to the console socket",
  NEEDS,
  async (box) => {
    const { terminal } = await createdWithTerminal(box, "sleep 100");
    const { name, size, ...received } = await terminal.received();
    assert.match(name, /^\/dev\/(pts\/\d+|ptmx)$/);
    assert.ok(size.length === 2);
    assert.deepEqual(received, { messages: 1, fds: 1, truncated: false, more: 0, terminal: true });
    terminal.close();
  },
);

test("stdin, stdout and stderr of the process are that terminal, and it is the controlling one", NEEDS, async (box) => {
  const { terminal, id } = await createdWithTerminal(box, "tty; tty <&1; tty <&2; echo to tty > /dev/tty; sleep 100");
  box.ok("start", id);
  await terminal.shows("/dev/pts/0\r\n/dev/pts/0\r\n/dev/pts/0\r\nto tty\r\n");
  terminal.close();
});

test("/dev/console is the terminal, and the terminal belongs to the container's devpts", NEEDS, async (box) => {
  const { terminal, id } = await createdWithTerminal(box, "ls /dev/pts; echo console > /dev/console; sleep 100");
  box.ok("start", id);
  await terminal.shows(/0\s+ptmx\s+console/);
  terminal.close();
});

test("what is typed reaches the process, and control-C interrupts it", NEEDS, async (box) => {
  const script = "trap 'echo interrupted' INT; echo ready; read line; echo \"got $line\"; while :; do sleep 0.05; done";
  const { terminal, id } = await createdWithTerminal(box, script);
  box.ok("start", id);
  await terminal.shows("ready");
  terminal.type("hello\n");
  await terminal.shows("got hello");
  terminal.type("\x03");
  await terminal.shows("interrupted");
  terminal.close();
});

test("consoleSize is set before the terminal is sent", NEEDS, async (box) => {
  const { terminal } = await createdWithTerminal(box, "true", ({ process }) => {
    process.terminal = true;
    process.consoleSize = { width: 91, height: 37 };
  });
  assert.deepEqual((await terminal.received()).size, [37, 91]);
  terminal.close();
});

test("the terminal belongs to the user of the process", NEEDS, async (box) => {
  const { terminal, id } = await createdWithTerminal(box, "stat -c '%u %a' $(tty); sleep 100", ({ process }) => {
    process.terminal = true;
    process.user = { uid: 1000, gid: 1000 };
  });
  box.ok("start", id);
  await terminal.shows("1000 620");
  terminal.close();
});

test("create with a terminal and no console socket is refused", [], (box) => {
  const { status, stderr } = box.tsrun(["create", "--bundle", box.bundle("true", onTerminal), box.id()]);
  assert.equal(status, 1);
  assert.match(stderr, /cannot allocate tty if runc will detach without setting console socket/);
  assert.deepEqual(box.settled(), []);
});

test("a console socket without a terminal is refused", NEEDS, async (box) => {
  const socket = box.path("console.sock");
  const terminal = await Terminal.listen(socket);
  const args = ["create", "--console-socket", socket, "--bundle", box.bundle("true"), box.id()];
  const { status, stderr } = box.tsrun(args);
  terminal.close();
  assert.equal(status, 1);
  assert.match(stderr, /cannot use console socket if runc will not detach or allocate tty/);
});

test("a console socket that nobody listens on is an error that leaves nothing", [], (box) => {
  const args = ["create", "--console-socket", box.path("nobody"), "--bundle", box.bundle("true", onTerminal), box.id()];
  assert.equal(box.tsrun(args).status, 1);
  assert.deepEqual(box.settled(), []);
});

test("run in the foreground connects the caller's terminal with a new one", NEEDS, async (box) => {
  const terminal = foreground(box, "tty; read line; echo got $line; exit 5");
  await terminal.shows("/dev/pts/0\r\n");
  terminal.type("typed\r");
  await terminal.shows("got typed");
  assert.equal(await terminal.ended(), 5);
});

test("run in the foreground hands over the size, and changes of it", NEEDS, async (box) => {
  const script = "trap 'echo changed' WINCH; echo ready; while :; do stty size; sleep 0.05; done 2>/dev/null";
  const terminal = foreground(box, script, [33, 77]);
  await terminal.shows("33 77");
  terminal.resize(44, 88);
  await terminal.shows("44 88");
  await terminal.shows("changed");
  process.kill(terminal.pid, "SIGKILL");
  await terminal.ended();
});

// runc sets it after it has started the process, which is too late now and then.
test("the size is there before the process runs", ["tsrun", ...NEEDS], async (box) => {
  const bundle = box.bundle("stty size", onTerminal);
  for (let round = 0; round < 20; round += 1) {
    const command = box.command("run", "--bundle", bundle, box.id());
    const terminal = Terminal.run(command, box.path(`tty${round}`), box.environment(), [33, 77]);
    await terminal.ended();
    assert.match(terminal.shown(), /^33 77\r+\n$/);
  }
});

test("control-C on the caller's terminal interrupts the process and not the runtime", NEEDS, async (box) => {
  const terminal = foreground(box, "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.05; done");
  await terminal.shows("ready");
  terminal.type("\x03");
  await terminal.shows("interrupted");
  assert.equal(await terminal.ended(), 3);
});

test("the caller's terminal is as it was, when run has ended", NEEDS, async (box) => {
  const bundle = box.bundle("true", onTerminal);
  const run = box.command("run", "--bundle", bundle, box.id()).join(" ");
  const script = `stty -g; ${run}; stty -g`;
  const terminal = Terminal.run(["sh", "-c", script], box.path("tty"), box.environment());
  await terminal.ended();
  const [before, after] = terminal.shown().trim().split("\r\n");
  assert.ok(before !== undefined && before.length > 20);
  assert.equal(after, before);
});

test("exec --tty gives the program a terminal of its own", NEEDS, async (box) => {
  const { id } = box.started(["sleep", "1000"]);
  const command = box.command("exec", "--tty", id, "sh", "-c", "tty; test -t 0 && echo terminal; exit 6");
  const terminal = Terminal.run(command, box.path("tty"), box.environment());
  assert.equal(await terminal.ended(), 6);
  assert.match(terminal.shown(), /^\/dev\/pts\/0\r+\nterminal\r+\n$/);
});

test("exec --detach --console-socket sends the terminal as create does", NEEDS, async (box) => {
  const { id } = box.started(["sleep", "1000"]);
  const socket = box.path("console.sock");
  const listening = await Terminal.listen(socket);
  const file = box.file("process.json", JSON.stringify(processOnTerminal("stty size; read line; echo got $line")));
  box.ok("exec", "--process", file, "--tty", "--console-socket", socket, "--detach", id);
  const { name, fds } = await listening.received();
  assert.match(name, /^\/dev\/(pts\/\d+|ptmx)$/);
  assert.equal(fds, 1);
  await listening.shows("21 43");
  listening.type("line\n");
  await listening.shows("got line");
  await listening.ended();
});

test("without a terminal the process has no controlling one, even if its caller has", NEEDS, async (box) => {
  const bundle = box.bundle("(: < /dev/tty) 2>&1; cut -d' ' -f7 /proc/self/stat; cat");
  const terminal = Terminal.run(box.command("run", "--bundle", bundle, box.id()), box.path("tty"), box.environment());
  await terminal.shows(/No such device or address\r\n0\r\n/);
  terminal.type("\x04");
  await terminal.ended();
});

test("the terminal's socket is no longer needed when create has returned", NEEDS, async (box) => {
  const { terminal, id } = await createdWithTerminal(box, "read line; echo got $line > /tmp/line; sleep 100");
  await terminal.received();
  box.ok("start", id);
  terminal.type("still here\n");
  const { bundle } = box.state(id);
  await eventually(() => existsSync(`${bundle}/rootfs/tmp/line`), "the line");
  terminal.close();
});

function processOnTerminal(script: string): Process {
  return {
    terminal: true,
    consoleSize: { width: 43, height: 21 },
    user: { uid: 0, gid: 0 },
    args: ["sh", "-c", script],
    env: ["PATH=/bin"],
    cwd: "/",
    capabilities: { bounding: [], effective: [], permitted: [] },
  };
}
