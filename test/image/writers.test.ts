/** Several at once. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { succeeded, test } from "../support/box.ts";
import { eventually, type Running } from "../support/runtime.ts";
import { layerOf, sha256, type Layer } from "../../scripts/fixtures.ts";
import { FakeRegistry, on, pull, slowly } from "./fake-registry.ts";
import { BASE, EMPTY, filesLayer, Store } from "./images.ts";

/** A layer of so many megabytes that do not become fewer. */
function noise(megabytes: number, name: string): Promise<Layer> {
  const { stdout } = spawnSync("head", ["-c", String(megabytes << 20), "/dev/urandom"], { maxBuffer: 1 << 30 });
  return layerOf([{ name, content: stdout }], false);
}

/** Sends a signal to a command and to its worker. */
function signal({ child }: Running, name: "STOP" | "CONT"): void {
  const pid = String(child.pid);
  const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  for (const each of [pid, ...workers].filter((one) => one !== "")) process.kill(Number(each), `SIG${name}`);
}

test("who comes second waits for the first one's layer, says so, and does nothing twice", [], async (box) => {
  const store = new Store(box);
  const [shared, own] = [await noise(60, "shared"), await filesLayer({ own: "1" })];
  const first = await store.archive("first.tar", { layers: [shared] });
  const extra = await filesLayer({ extra: "1" });
  const second = await store.archive("second.tar", { layers: [shared, own, extra] });
  const path = `layers/${sha256(extra.tar).slice(7)}`;
  const one = store.begin(["image", "load", first]);
  await eventually(() => store.names("locks").length === 1, "the first is at it");
  signal(one, "STOP");
  const two = store.begin(["image", "load", "--progress", "plain", second]);
  const third = store.begin(["image", "load", await store.archive("third.tar", { layers: [own] })]);
  assert.equal((await third.ended).status, 0, "who needs another layer does not wait");
  await eventually(() => two.read().stderr.includes("waiting for another command"), "the second waits, and says so");
  const inode = store.inode(path);
  store.prints("image", "prune");
  assert.equal(store.inode(path), inode, "what it has brought so far stays");
  signal(one, "CONT");
  const results = await Promise.all([one.ended, two.ended]);
  assert.deepEqual(
    results.map(({ status }) => status),
    [0, 0],
  );
  assert.equal(results[1]?.stderr.includes("62.9MB of 62.9MB"), false, "it has not unpacked the large one");
  assert.equal(results[1]?.stderr.includes("62.9MB loaded"), false, "it has not unpacked the large one");
  assert.deepEqual([store.names("locks"), store.names("tasks")], [[], []]);
});

test("nobody who reads, runs or removes waits for a load", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const loading = store.begin(["image", "load", await store.archive("big.tar", { layers: [await noise(60, "big")] })]);
  await eventually(() => store.names("locks").length === 1, "it is unpacking");
  signal(loading, "STOP");
  store.prints("image", "tag", "it", "other");
  assert.equal(store.says("echo fine"), "fine");
  for (const command of ["ls", "prune", "check", "du"]) store.prints("image", command);
  store.prints("image", "rm", "it", "other");
  signal(loading, "CONT");
  assert.equal((await loading.ended).status, 0);
  assert.match(store.prints("image", "check"), / 0 faults\n$/);
});

/** A layer that arrives in many pieces. */
function noisy(name: string): Promise<Layer> {
  return filesLayer({ [name]: randomBytes(90_000).toString("base64") });
}

test("a pull and a load of the same layers at once both succeed, whoever is first", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const [shared, one, two] = [await noisy("shared"), await noisy("one"), await noisy("two")];
  registry.add("1", [shared, one]);
  const archive = await store.archive("loaded.tar", { layers: [two, shared] });
  const name = `${registry.host}/x:1`;
  const names = [shared, one, two].map(({ tar }) => sha256(tar).slice(7)).toSorted();
  for (let round = 0; round < 12; round++) {
    registry.lie = slowly(registry, 20_000);
    const pulling = pull(store, ["-q", name]);
    await pause(round * 5);
    const loading = store.begin(["image", "load", archive]);
    for (const { status, stderr } of await Promise.all([pulling, loading.ended])) assert.equal(status, 0, stderr);
    assert.deepEqual(store.names("layers"), names);
    assert.match(store.prints("image", "check"), / 0 faults\n$/);
    store.prints("image", "rm", name, "loaded");
    assert.deepEqual(store.contents(), EMPTY);
  }
});

test("rm and prune take nothing away from a pull under way, nor from a container", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layers = [await BASE, await noisy("one"), await noisy("two")];
  registry.add("1", layers);
  registry.lie = slowly(registry, 20_000);
  const name = `${registry.host}/x:1`;
  const pulling = store.begin(["image", "pull", "-q", name]);
  const own = await noisy("own"); // A load of a layer that the pull has begun would wait for it.
  const archive = await store.archive("own.tar", { layers: [own] });
  // Not synchronously: this process is the registry.
  while (pulling.child.exitCode === null) {
    for (const args of [
      ["load", archive, "--name", "it"],
      ["rm", "it"],
      ["prune", "--all"],
    ])
      succeeded(args, await store.begin(["image", ...args]).ended);
  }
  const { status, stderr } = await pulling.ended;
  assert.equal(status, 0, stderr);
  // prune --all may have come after the name: then there is nothing, and else all of it.
  if (store.names("refs").length === 0) assert.equal((await pull(store, ["-q", name])).status, 0);
  assert.deepEqual(store.names("layers"), layers.map(({ tar }) => sha256(tar).slice(7)).toSorted());
  const running = store.begin([
    "run",
    "--image",
    name,
    box.id(),
    "--",
    "sh",
    "-c",
    "echo up; sleep 0.5; cat /etc/group",
  ]);
  await eventually(() => running.read().stdout.startsWith("up"), "it runs");
  store.prints("image", "rm", "-f", name);
  store.prints("image", "prune", "--all");
  assert.match((await running.ended).stdout, /staff/);
  store.prints("image", "prune", "--all");
  assert.deepEqual(store.contents(), EMPTY);
});

test("nobody who reads or runs waits for a pull whose registry is silent", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  await store.load();
  const took = (): number => {
    const begun = performance.now();
    for (const command of ["ls", "check"]) store.prints("image", command);
    store.prints("image", "inspect", "it");
    assert.equal(store.says("echo fine"), "fine");
    store.prints("image", "tag", "it", "other");
    return performance.now() - begun;
  };
  const before = Math.min(...[1, 2, 3].map(took));
  const layer = await noisy("one");
  registry.add("1", [layer]);
  registry.lie = on(sha256(layer.blob), (response) => response.writeHead(200).write(layer.blob.subarray(0, 1000)));
  const pulling = store.begin(["image", "pull", "-q", `${registry.host}/x:1`]);
  await eventually(() => registry.count(sha256(layer.blob)), "a request for the layer");
  const meanwhile = Math.min(...[1, 2, 3].map(took));
  assert.ok(meanwhile < 2 * before + 50, `${meanwhile} ms while it is pulled, ${before} ms before`);
  pulling.child.kill("SIGKILL");
  await pulling.ended;
});
