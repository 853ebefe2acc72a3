/** The last name of an image that a container uses. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { test, type Box } from "../support/box.ts";
import { eventually, start, type Running } from "../support/runtime.ts";
import { FakeRegistry, pull } from "./fake-registry.ts";
import { BASE, EMPTY, filesLayer, Store } from "./images.ts";
import { OTHER_NAME, twoMachines } from "./machines.ts";

/** A store with the image "it", and a container of it that has not been started. */
async function used(box: Box): Promise<{ store: Store; image: string; container: string }> {
  const store = new Store(box);
  const image = await store.load();
  const container = box.id();
  store.prints("create", "--image", "it", container, "--", "true");
  return { store, image, container };
}

test("the last name of an image stays while a container uses it, even one that has ended", [], async (box) => {
  const { store, image, container } = await used(box);
  const before = store.contents();
  const refusal =
    `cannot remove it:latest: container ${container} uses the image, which would have no name left ` +
    "(--force takes the name away, and the layers go when the container has been deleted)";
  assert.equal(store.refuses("image", "rm", "it"), refusal);
  box.ok("start", container);
  await eventually(() => box.state(container).status === "stopped", "its end");
  for (const text of ["it", image, image.slice(7, 19)]) assert.equal(store.refuses("image", "rm", text), refusal);
  assert.deepEqual(store.contents(), before);
  box.ok("delete", container);
  assert.equal(store.prints("image", "rm", "it"), "it:latest\n");
  assert.deepEqual(store.contents(), EMPTY);
});

test("a name that is not the last one goes, and of several that would leave none, none does", [], async (box) => {
  const { store } = await used(box);
  for (const name of ["two", "three"]) store.prints("image", "tag", "it", name);
  store.prints("image", "load", await store.archive("idle.tar", { layers: [await filesLayer({ i: "idle" })] }));
  assert.equal(store.prints("image", "rm", "it"), "it:latest\n");
  assert.match(store.refuses("image", "rm", "idle", "two", "three"), /^cannot remove two:latest: container /);
  assert.equal(store.names("refs").length, 3);
  assert.equal(store.prints("image", "rm", "two", "idle"), "two:latest\nidle:latest\n");
  assert.match(store.refuses("image", "rm", "three"), /^cannot remove three:latest: container /);
});

test("--force takes the last name away, and the layers go when the container has been deleted", [], async (box) => {
  const { store, container } = await used(box);
  assert.equal(store.prints("image", "rm", "--force", "it"), "it:latest\n");
  assert.deepEqual([store.names("refs"), store.names("layers").length], [[], 1]);
  box.ok("start", container);
  await eventually(() => box.state(container).status === "stopped", "its end");
  box.ok("delete", container);
  store.prints("image", "prune");
  assert.deepEqual(store.contents(), EMPTY);
  await store.load();
  assert.equal(store.prints("image", "rm", "-f", "it"), "it:latest\n");
  assert.deepEqual(store.contents(), EMPTY);
});

test("an image without a name, or for another machine, is kept as well", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  await twoMachines(registry, "1");
  const name = `${registry.host}/x:1`;
  await pull(store, ["-q", "--all-platforms", name]);
  store.prints("create", "--image", name, "--platform", OTHER_NAME, box.id());
  assert.match(store.refuses("image", "rm", name), /^cannot remove .*: container /);
  assert.equal(store.names("refs").length, 2);
  store.prints("image", "load", await store.archive("no name.tar", { layers: [await BASE] }));
  const [file = ""] = store.names("refs").filter((each) => each.startsWith("@"));
  const id = file.slice(1, -".json".length);
  store.prints("create", "--image", id, box.id(), "--", "true");
  assert.match(store.refuses("image", "rm", id), new RegExp(`^cannot remove ${id}: container `));
  store.prints("image", "rm", "-f", id);
  assert.deepEqual(
    store.names("refs").filter((each) => each.startsWith("@")),
    [],
  );
});

/** Holds the lock of the containers, as flock(1) has it, until it is let go of. */
async function holding(store: Store, how: "--shared" | "--exclusive"): Promise<() => void> {
  const command = ["flock", how, join(store.path, "containers"), "sh", "-c", "echo held; exec sleep 60"];
  const holder = start(command, store.box.dir, { group: true });
  await eventually(() => holder.read().stdout === "held\n", "the lock");
  return () => process.kill(-(holder.child.pid ?? 0), "SIGKILL");
}

async function waits({ child }: Running): Promise<void> {
  await pause(300);
  assert.equal(child.exitCode, null);
}

test("a container that begins while a name goes waits, and then has no image", ["tool:flock"], async (box) => {
  const store = new Store(box);
  await store.load();
  const release = await holding(store, "--exclusive");
  const creating = store.begin(["create", "--image", "it", "--pull", "never", box.id()]);
  await waits(creating);
  assert.deepEqual(store.names("containers"), []);
  rmSync(join(store.path, "refs", "docker.io%library%it:latest.json"));
  release();
  const { status, stderr } = await creating.ended;
  assert.equal(status, 125);
  assert.match(stderr, /the image was removed or replaced meanwhile"\n$/);
  assert.deepEqual(store.names("containers"), []);
});

test("whoever takes a name away waits for containers that begin, and sees them", ["tool:flock"], async (box) => {
  const store = new Store(box);
  await store.load();
  for (const [args, ends] of [
    [["rm", "it"], /uses the image, which would have no name left/],
    [["prune", "--all"], /^$/],
  ] as const) {
    const release = await holding(store, "--shared");
    const removing = store.begin(["image", ...args]);
    await waits(removing);
    const id = box.id();
    store.prints("create", "--image", "it", "--pull", "never", id);
    release();
    assert.match((await removing.ended).stderr, ends);
    assert.equal(store.prints("image", "ls", "-q").trim().split("\n").length, 1);
    assert.deepEqual(store.names("refs"), ["docker.io%library%it:latest.json"]);
    box.ok("delete", "--force", id);
  }
});

test("of a container and a removal at once exactly one succeeds", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const archive = box.path("it.tar");
  const outcomes = new Set<string>();
  for (let round = 0; round < 30; round++) {
    const id = box.id();
    const commands = [
      ["image", "rm", "it"],
      ["create", "--image", "it", "--pull", "never", id],
    ];
    const isTurned = round % 2 === 1;
    const first = store.begin(commands[isTurned ? 1 : 0] ?? []);
    // The last two one after the other, so that either has been first on any machine.
    await (round < 28 ? pause(round) : first.ended);
    const second = store.begin(commands[isTurned ? 0 : 1] ?? []);
    const ends = await Promise.all([first.ended, second.ended]);
    const [removed, created] = isTurned ? [ends[1], ends[0]] : ends;
    outcomes.add(`${removed.status} ${created.status}`);
    const isThere = store.names("refs").length === 1;
    assert.deepEqual([created.status === 0, isThere], [removed.status !== 0, removed.status !== 0], removed.stderr);
    if (created.status === 0) box.ok("delete", "--force", id);
    else store.prints("image", "load", archive, "--name", "it");
  }
  assert.deepEqual([...outcomes].toSorted(), ["0 125", "1 0"]);
});
