/** A pull and a load of one layer at the same time: whoever comes second waits, and nothing is unpacked twice. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { sha256, type Layer } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { eventually, type Running } from "../support/runtime.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { filesLayer, Store } from "./images.ts";

function noise(bytes: number): Promise<Layer> {
  return filesLayer({ noise: randomBytes((bytes * 3) / 4).toString("base64") });
}

/** Sends a signal to a command and to its worker. */
function signal({ child }: Running, name: "STOP" | "CONT"): void {
  const pid = String(child.pid);
  const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  for (const each of [pid, ...workers].filter((one) => one !== "")) process.kill(Number(each), `SIG${name}`);
}

test("a load waits for the layer that a pull is fetching", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const [shared, own] = [await noise(300_000), await filesLayer({ own: "1" })];
  registry.add("1", [shared]);
  const archive = await store.archive("a.tar", { layers: [shared, own], name: "one:1" });
  const waiting: (() => void)[] = [];
  registry.lie = (request, response) => {
    if (request.url?.includes(sha256(shared.blob)) !== true) return false;
    response.writeHead(200, { "content-length": shared.blob.length }).write(shared.blob.subarray(0, 100_000));
    waiting.push(() => response.end(shared.blob.subarray(100_000)));
    return true;
  };
  const pulling = store.begin(["image", "pull", "-q", `${registry.host}/x:1`]);
  await eventually(() => registry.count(sha256(shared.blob)) === 1 && store.names("locks").length === 1, "it is at it");
  const loading = store.begin(["image", "load", "--progress", "plain", archive]);
  await eventually(() => loading.read().stderr.includes("waiting for another command"), "the load waits");
  for (const release of waiting) release();
  const results = await Promise.all([pulling.ended, loading.ended]);
  for (const { status, stderr } of results) assert.equal(status, 0, stderr);
  const short = sha256(shared.blob).slice(7, 19);
  assert.doesNotMatch(results[1]?.stderr ?? "", new RegExp(`${short}: .* loaded`), "it has not unpacked it itself");
  assert.deepEqual([store.names("locks"), store.names("downloads"), store.names("tasks")], [[], [], []]);
});

test("a pull waits for the layer that a load is unpacking, and fetches it not", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const [shared, own] = [await noise(40_000_000), await noise(1000)];
  registry.add("1", [shared, own]);
  const archive = await store.archive("a.tar", { layers: [shared], name: "one:1" });
  const loading = store.begin(["image", "load", archive]);
  await eventually(() => store.names("locks").length === 1, "the load is at it");
  signal(loading, "STOP");
  const pulling = store.begin(["image", "pull", "--progress", "plain", `${registry.host}/x:1`]);
  await eventually(() => pulling.read().stderr.includes("waiting for another command"), "the pull waits");
  signal(loading, "CONT");
  const results = await Promise.all([pulling.ended, loading.ended]);
  for (const { status, stderr } of results) assert.equal(status, 0, stderr);
  assert.deepEqual([registry.count(sha256(shared.blob)), registry.count(sha256(own.blob))], [0, 1]);
  assert.deepEqual([store.names("locks"), store.names("downloads"), store.names("tasks")], [[], [], []]);
});
