/** Several at once, and a disk that is full. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { test } from "../support/box.ts";
import { eventually, type Running } from "../support/runtime.ts";
import { layerOf, sha256, type Layer } from "../../scripts/fixtures.ts";
import { EMPTY, filesLayer, Store } from "./images.ts";

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

test("a full disk leaves nothing behind, and the message says how much is missing", [], async (box) => {
  const store = new Store(box);
  mkdirSync(store.path);
  const archive = await store.archive("big.tar", {
    layers: [await filesLayer({ small: "1" }), await noise(12, "big")],
  });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", store.path]);
  try {
    const said = store.refuses("image", "load", archive);
    assert.match(
      said,
      /^there is no room for the image in .*: its layers take 12\.6MB, and 8\.\d+MB are free; at least 4\.\d+MB are missing/,
    );
    assert.deepEqual(store.contents(), EMPTY);
    assert.deepEqual([store.names("tasks"), store.names("locks")], [[], []]);
    store.prints("image", "load", await store.archive("small.tar", { layers: [await filesLayer({ small: "1" })] }));
    execFileSync("dd", ["if=/dev/zero", `of=${store.path}/filler`, "bs=64k"], {
      stdio: "ignore",
      timeout: 10_000,
    } as never);
  } catch (error) {
    if (!(error instanceof Error && "status" in error)) throw error; // dd has filled it to the last byte.
  } finally {
    // With no byte left what is there can still be looked at, checked for by name, and removed.
    assert.match(store.prints("image", "ls"), /small/);
    store.refuses("image", "tag", "small", "x");
    assert.deepEqual(store.names("refs"), ["docker.io%library%small:latest.json"]);
    store.prints("image", "rm", "small");
    assert.deepEqual(store.contents(), EMPTY);
    execFileSync("umount", [store.path]);
  }
});

test("a disk with no room for more files says that", [], async (box) => {
  const store = new Store(box);
  mkdirSync(store.path);
  const files = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${index}`, ""]));
  const archive = await store.archive("many.tar", { layers: [await filesLayer(files)] });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m,nr_inodes=100", "tmpfs", store.path]);
  try {
    assert.match(store.refuses("image", "load", archive), /it has 200 files, and there may be \d+ more/);
    assert.deepEqual(store.contents(), EMPTY);
  } finally {
    execFileSync("umount", [store.path]);
  }
});
