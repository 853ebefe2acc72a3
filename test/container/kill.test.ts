import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import { namespace } from "../support/config.ts";
import { processes } from "../support/leftovers.ts";
import { eventually } from "../support/runtime.ts";

const SAYS_ITS_SIGNAL =
  'for s in TERM HUP USR1 INT; do trap "echo $s" $s; done; echo ready; while :; do sleep 0.02; done';

async function listening(box: Box) {
  const container = box.started(SAYS_ITS_SIGNAL);
  await eventually(() => container.output().includes("ready"), "its traps");
  return container;
}

test("kill sends SIGTERM, where no signal is named", [], async (box) => {
  const container = await listening(box);
  box.ok("kill", container.id);
  await eventually(() => container.output().endsWith("TERM\n"), "SIGTERM");
});

for (const name of ["USR1", "SIGUSR1", "usr1", "sigusr1", "10"]) {
  test(`kill takes a signal as ${name}`, [], async (box) => {
    const container = await listening(box);
    box.ok("kill", container.id, name);
    await eventually(() => container.output().endsWith("USR1\n"), "SIGUSR1");
  });
}

test("kill refuses a signal that there is none of", [], (box) => {
  const { id } = box.started("sleep 100");
  for (const signal of ["SIGNOTHING", "-9x", "1e1", "99999"]) {
    assert.equal(box.tsrun(["kill", id, signal]).status, 1, signal);
  }
  assert.equal(box.state(id).status, "running");
});

test("kill KILL ends the container, which is then stopped and can be deleted", [], async (box) => {
  const { id } = box.started("sleep 100");
  await box.remove(id);
});

test("kill reaches a container that is only created", [], async (box) => {
  const { id } = box.create("sleep 100");
  await box.remove(id);
});

test("kill of a stopped container says: container not running", [], async (box) => {
  const { id } = box.started("true");
  await box.reaches(id, "stopped");
  const { status, stderr } = box.tsrun(["kill", id, "TERM"]);
  assert.equal(status, 1);
  assert.match(stderr, /container not running/);
});

test("kill --all of a stopped container is no error", [], async (box) => {
  const { id } = box.started("true");
  await box.reaches(id, "stopped");
  box.ok("kill", "--all", id, "KILL");
});

// runc 1.1.5 does so with --all only; without it since 1.2.
test("kill KILL ends every process, also where the host's pid namespace is used", ["tsrun"], async (box) => {
  const container = box.started("sleep 100 & sleep 100 & echo $!; wait", (config) => namespace(config, "pid"));
  await eventually(() => container.output(), "its children");
  assert.equal(processes(box.mark).length, 3);
  box.ok("kill", container.id, "KILL");
  await eventually(() => processes(box.mark).length === 0, "all of them to end");
});

test("kill of a signal that init does not handle ends nothing: init is pid 1", [], async (box) => {
  const { id } = box.started(["sleep", "100"]);
  box.ok("kill", id, "USR1");
  assert.equal(box.state(id).status, "running");
});
