/** containerd's ctr, with tsrun as the runtime of its shim and nothing else changed. */

import assert from "node:assert/strict";
import { after } from "node:test";
import { startContainerd } from "../support/beside-docker.ts";
import { ociArchive } from "../support/oci-archive.ts";
import { eventually } from "../support/runtime.ts";
import { rootfsTar, testsIn, TSRUN, World } from "../support/world.ts";

const IMAGE = "example.org/box:latest";

const { test, end } = testsIn(async () => {
  const world = await World.create("containerd");
  await startContainerd(world);
  world.prints("ctr", "image", "import", ociArchive(world, rootfsTar(world), IMAGE));
  return world;
}, ["tool:containerd", "tool:ctr", "tool:python3"]);

after(end);

/** `ctr run`: without shares, which a host without the cpu controller refuses. */
function runs(flags: readonly string[], id: string, ...program: string[]): string[] {
  return ["ctr", "run", "--runc-binary", TSRUN, "--cpu-shares", "0", ...flags, IMAGE, id, ...program];
}

let made = 0;

function name(): string {
  return `c${(made += 1)}`;
}

function status(world: World, id: string): string | undefined {
  const lines = world.prints("ctr", "task", "ls").split("\n");
  return lines
    .find((line) => line.split(/\s+/)[0] === id)
    ?.trim()
    .split(/\s+/)[2];
}

test("run in the foreground prints what the program prints, and ends with its code", (world) => {
  assert.equal(world.prints(...runs(["--rm"], name(), "echo", "hello")), "hello\n");
  assert.equal(world.run(runs(["--rm"], name(), "sh", "-c", "exit 7")).status, 7);
});

test("run --tty is on a terminal", async (world) => {
  const terminal = world.onTerminal(
    ...runs(["--rm", "--tty"], name(), "sh", "-c", "tty; read line; echo got $line; exit 5"),
  );
  await terminal.shows(/\/dev\/(pts\/0|console)/);
  terminal.type("typed\r");
  await terminal.shows("got typed");
  assert.equal(await terminal.ended(), 5);
});

test("detached: run, exec, kill, and rm", async (world) => {
  const id = name();
  world.prints(...runs(["--detach"], id, "sleep", "1000"));
  assert.equal(status(world, id), "RUNNING");
  const exec = ["ctr", "task", "exec", "--exec-id"];
  assert.equal(
    world.prints(...exec, "e1", id, "sh", "-c", "hostname > /dev/null; cat /proc/1/cmdline | tr '\\0' ' '"),
    "sleep 1000 ",
  );
  assert.equal(world.run([...exec, "e2", id, "sh", "-c", "exit 9"]).status, 9);
  world.prints("ctr", "task", "kill", "--signal", "KILL", id);
  await eventually(() => status(world, id) === "STOPPED", "the end of the task");
  world.prints("ctr", "task", "rm", id);
  world.prints("ctr", "container", "rm", id);
});

test("exec --tty is on a terminal of its own", async (world) => {
  const id = name();
  world.prints(...runs(["--detach"], id, "sleep", "1000"));
  const terminal = world.onTerminal(
    "ctr",
    "task",
    "exec",
    "--tty",
    "--exec-id",
    "t1",
    id,
    "sh",
    "-c",
    "tty; read line; echo got $line",
  );
  await terminal.shows("/dev/pts/0");
  terminal.type("typed\r");
  await terminal.shows("got typed");
  assert.equal(await terminal.ended(), 0);
  world.run(["ctr", "task", "rm", "--force", id]);
  world.prints("ctr", "container", "rm", id);
});

test("task ps shows the processes of the container", (world) => {
  const id = name();
  world.prints(...runs(["--detach"], id, "sh", "-c", "sleep 900 & wait"));
  const lines = world.prints("ctr", "task", "ps", id).trim().split("\n");
  assert.equal(lines.length, 3, lines.join("\n"));
  world.run(["ctr", "task", "rm", "--force", id]);
  world.prints("ctr", "container", "rm", id);
});

test("a signal reaches the process, whose own code is that of run", async (world) => {
  const id = name();
  const running = world.begin(
    runs(["--rm"], id, "sh", "-c", "trap 'exit 4' TERM; echo ready; while :; do sleep 0.05; done"),
  );
  await eventually(() => running.read().stdout === "ready\n", "its trap");
  world.prints("ctr", "task", "kill", "--signal", "TERM", id);
  assert.equal((await running.ended).status, 4);
});

test("what the runtime says of an error reaches the user of ctr", (world) => {
  const { status: code, stderr } = world.run(runs(["--rm"], name(), "no-such-command"));
  assert.notEqual(code, 0);
  assert.match(stderr, /no-such-command.*executable file not found/);
});

test("mounts, environment, folder and a read-only root", (world) => {
  const shared = world.file("shared", "shared\n");
  const flags = [
    "--rm",
    "--mount",
    `type=bind,src=${shared},dst=/shared,options=rbind:ro`,
    "--env",
    "A=b",
    "--cwd",
    "/tmp",
    "--read-only",
  ];
  const script = "cat /shared; echo $A; pwd; (echo x > /tmp/x) 2>/dev/null || echo ro";
  assert.equal(world.prints(...runs(flags, name(), "sh", "-c", script)), "shared\nb\n/tmp\nro\n");
});

test("privileged, with the host's network and the default seccomp profile", (world) => {
  assert.equal(
    world.prints(...runs(["--rm", "--net-host"], name(), "readlink", "/proc/self/ns/net")),
    world.prints("readlink", "/proc/self/ns/net"),
  );
  assert.match(world.prints(...runs(["--rm", "--seccomp"], name(), "grep", "Seccomp:", "/proc/self/status")), /2\n$/);
});

test("when all are removed, the runtime has no state, and no process or cgroup is left", async (world) => {
  assert.equal(world.prints("ctr", "container", "ls", "-q"), "");
  assert.equal(world.prints(TSRUN, "--root", "/run/containerd/runc/default", "list", "-q"), "");
  await eventually(() => !/sleep (1000|900)/.test(world.prints("ps", "-e", "-o", "args")), "the last process to end");
  assert.equal(world.prints("sh", "-c", "ls -d /sys/fs/cgroup/default/*/ 2>/dev/null || true"), "");
});
