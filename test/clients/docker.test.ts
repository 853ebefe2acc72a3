/** dockerd 20.10, with tsrun as one of its runtimes, through containerd's shim. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after } from "node:test";
import { DOCKER, startDocker } from "../support/beside-docker.ts";
import { rootfsTar, testsIn, TSRUN, World } from "../support/world.ts";

const { test, end } = testsIn(async () => {
  const world = await World.create("docker");
  const runtimes = { "under-test": { path: TSRUN } };
  await startDocker(world, { runtimes, "default-runtime": "under-test" });
  world.prints(DOCKER, "import", "--change", 'CMD ["sh"]', rootfsTar(world), "box");
  return world;
}, ["tool:dockerd", "tool:containerd", "tool:python3"]);

after(end);

function runs(flags: readonly string[], ...program: string[]): string[] {
  return [DOCKER, "run", "--network", "none", ...flags, "box", ...program];
}

test("run prints what the program prints, and ends with its code", (world) => {
  assert.equal(world.prints(...runs(["--rm"], "echo", "hello")), "hello\n");
  assert.equal(world.run(runs(["--rm"], "sh", "-c", "exit 7")).status, 7);
});

test("a command that is not there is 127, and one that may not run is 126", (world) => {
  assert.equal(world.run(runs(["--rm"], "no-such-command")).status, 127);
  assert.equal(world.run(runs(["--rm"], "/etc/passwd")).status, 126);
});

test("run -it is on a terminal", async (world) => {
  const terminal = world.onTerminal(...runs(["--rm", "-it"], "sh", "-c", "tty; read line; echo got $line; exit 5"));
  await terminal.shows(/\/dev\/(pts\/0|console)/);
  terminal.type("typed\r");
  await terminal.shows("got typed");
  assert.equal(await terminal.ended(), 5);
});

test("run -d, exec, exec -it, top, logs, stop and rm", async (world) => {
  world.prints(
    ...runs(
      ["-d", "--name", "one", "--hostname", "there"],
      "sh",
      "-c",
      "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done",
    ),
  );
  assert.equal(world.prints(DOCKER, "exec", "one", "hostname"), "there\n");
  assert.equal(world.run([DOCKER, "exec", "one", "sh", "-c", "exit 9"]).status, 9);
  const terminal = world.onTerminal(DOCKER, "exec", "-it", "one", "sh", "-c", "tty; exit 6");
  assert.equal(await terminal.ended(), 6);
  assert.match(terminal.shown(), /\/dev\/pts\/0/);
  assert.match(world.prints(DOCKER, "top", "one"), /sleep 0\.1|trap/);
  world.prints(DOCKER, "stop", "one");
  assert.equal(
    world.prints(DOCKER, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "one"),
    "exited 3\n",
  );
  assert.equal(world.prints(DOCKER, "logs", "one"), "up\nbye\n");
  world.prints(DOCKER, "rm", "one");
});

test("kill: 137, and start again", async (world) => {
  world.prints(...runs(["-d", "--name", "two"], "sleep", "1000"));
  world.prints(DOCKER, "kill", "two");
  assert.equal(world.prints(DOCKER, "wait", "two"), "137\n");
  world.prints(DOCKER, "start", "two");
  assert.equal(world.prints(DOCKER, "inspect", "--format", "{{.State.Status}}", "two"), "running\n");
  world.prints(DOCKER, "rm", "-f", "two");
});

test("docker's own default profile of seccomp, capabilities and masked paths is in force", (world) => {
  const printed = world.prints(
    ...runs(["--rm"], "sh", "-c", "grep -E 'CapEff|Seccomp:' /proc/self/status; wc -c < /proc/keys"),
  );
  assert.match(printed, /^CapEff:\s*0{8}a80425fb\nSeccomp:\s*2\n0\n$/);
});

test("when all are removed, the runtime has no state left", (world) => {
  const roots = world.prints("sh", "-c", "ls -d /run/docker/runtime-*/moby");
  for (const root of roots.trim().split("\n")) assert.equal(world.prints(TSRUN, "--root", root, "list", "-q"), "");
});

test("save, and tsrun's image load and save, and load again: it is the same image", (world) => {
  const id = world.prints(DOCKER, "inspect", "--format", "{{.Id}}", "box");
  const [saved, again] = [join(world.dir, "saved.tar"), join(world.dir, "again.tar")];
  const image = (...args: string[]): string =>
    world.prints(TSRUN, "--store", join(world.dir, "images"), "image", ...args);
  world.prints(DOCKER, "save", "-o", saved, "box");
  assert.equal(image("load", saved), "box:latest\n");
  image("save", "-o", again, "box");
  world.prints(DOCKER, "rmi", "--force", "box");
  world.prints(DOCKER, "load", "-i", again);
  assert.equal(world.prints(DOCKER, "inspect", "--format", "{{.Id}}", "box:latest"), id);
});
