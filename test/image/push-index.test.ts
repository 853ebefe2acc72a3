/** A push of what was pulled for several machines: all of it, under one index. */
import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";
import { FakeRegistry, pull, refusal } from "./fake-registry.ts";
import { Store } from "./images.ts";
import { OTHER_NAME, twoMachines } from "./machines.ts";

const LIST = "application/vnd.docker.distribution.manifest.list.v2+json";

/** `image push`, while this process answers. */
function push(store: Store, ...args: string[]): Promise<Result> {
  return store.begin(["image", "push", "-q", ...args]).ended;
}

async function pushed(store: Store, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await push(store, ...args);
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

function idOf(store: Store, name: string, ...flags: string[]): string {
  return (JSON.parse(store.prints("image", "inspect", ...flags, name)) as { Id: string }[])[0]?.Id ?? "";
}

interface Index {
  readonly mediaType: string;
  readonly manifests: readonly { readonly digest: string; readonly platform: { readonly architecture: string } }[];
}

function indexAt(registry: FakeRegistry, tag: string): Index {
  return JSON.parse(String(registry.manifests.get(tag)?.body)) as Index;
}

async function pulled(store: Store, registry: FakeRegistry, ...flags: string[]): Promise<string> {
  const name = `${registry.host}/x:1`;
  const { status, stderr } = await pull(store, ["-q", ...flags, name]);
  assert.equal(status, 0, stderr);
  return name;
}

test("an image that was pulled for all machines goes with all of them, byte for byte", [], async (box) => {
  const store = new Store(box);
  await using from = await FakeRegistry.start();
  await using to = await FakeRegistry.start();
  const { index, here, there } = await twoMachines(from, "1");
  const name = await pulled(store, from, "--all-platforms");
  assert.equal(await pushed(store, name, `${from.host}/x:again`), index);
  assert.ok(from.manifests.get("again")?.body.equals(from.manifests.get("1")?.body ?? Buffer.of()));
  assert.equal(from.received, 0, "all was there");
  // Elsewhere the layers are compressed anew, so that all digests are others.
  const digest = await pushed(store, name, `${to.host}/x:1`);
  const { manifests } = indexAt(to, "1");
  assert.equal(manifests.length, 2);
  for (const [at, entry] of manifests.entries()) {
    assert.notEqual(entry.digest, [here, there][at]?.digest);
    assert.ok(to.manifests.has(entry.digest));
  }
  const lines = to.asked.map(({ line }) => line).filter((line) => line.startsWith("PUT") && line.includes("manifests"));
  assert.match(lines.at(-1) ?? "", /manifests\/1$/);
  const other = new Store(box, "other");
  const again = await pull(other, ["-q", "--all-platforms", `${to.host}/x:1`]);
  assert.equal(again.status, 0, again.stderr);
  assert.deepEqual(other.names("layers"), store.names("layers"));
  for (const flags of [[], ["--platform", OTHER_NAME]])
    assert.equal(idOf(other, `${to.host}/x:1`, ...flags), idOf(store, name, ...flags));
  assert.equal(await pushed(other, `${to.host}/x:1`, `${to.host}/x:2`), digest);
  assert.equal(await pushed(store, `${from.host}/x@${index}`, `${from.host}/x:by-digest`), index);
  store.prints("image", "tag", name, "mine");
  assert.equal(await pushed(store, "mine", `${from.host}/x:mine`), index);
});

test("one of several machines' images goes alone, and so does what was pulled for one", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const { here, there } = await twoMachines(registry, "1");
  const name = await pulled(store, registry, "--all-platforms");
  const to = `${registry.host}/x:to`;
  assert.equal(await pushed(store, "--platform", OTHER_NAME, name, to), there.digest);
  assert.equal(await pushed(store, idOf(store, name), to), here.digest);
  assert.equal(await pushed(store, `${registry.host}/x@${there.digest}`, to), there.digest);
  assert.match(
    refusal(await push(store, "--platform", "linux/mips", name, to)),
    /is not for linux\/mips: it is for linux/,
  );
  const plain = new Store(box, "plain");
  await pulled(plain, registry);
  assert.equal(await pushed(plain, name, to), here.digest);
});

test("what a pull does not bring is listed where it is, and not elsewhere", [], async (box) => {
  const store = new Store(box);
  await using from = await FakeRegistry.start();
  await using to = await FakeRegistry.start();
  const { here, there } = await twoMachines(from, "1");
  const attestation = from.add("attestation", []);
  const unknown = { os: "unknown", architecture: "unknown" };
  const annotations = { "vnd.docker.reference.type": "attestation-manifest" };
  const entries = [here, { ...there, platform: { os: "linux", architecture: OTHER_NAME.split("/")[1] } }];
  const added = { ...attestation, platform: unknown, annotations };
  const { digest } = from.addIndex("1", [...entries, added]);
  const name = await pulled(store, from, "--all-platforms");
  assert.equal(await pushed(store, name, `${from.host}/x:same`), digest);
  assert.notEqual(await pushed(store, name, `${to.host}/x:1`), digest);
  assert.deepEqual(
    indexAt(to, "1").manifests.map(({ platform }) => platform.architecture),
    indexAt(from, "1")
      .manifests.slice(0, 2)
      .map(({ platform }) => platform.architecture),
  );
});

test("media types of docker stay docker's, unless others are asked for", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const { here, there } = await twoMachines(registry, "1");
  const list = { schemaVersion: 2, mediaType: LIST, manifests: indexAt(registry, "1").manifests };
  const { digest } = registry.addManifest("1", LIST, list);
  const name = await pulled(store, registry, "--all-platforms");
  assert.equal(await pushed(store, name, `${registry.host}/x:2`), digest);
  await pushed(store, "--format", "oci", name, `${registry.host}/x:3`);
  assert.equal(indexAt(registry, "3").mediaType, "application/vnd.oci.image.index.v1+json");
  assert.deepEqual(
    indexAt(registry, "3").manifests.map((entry) => entry.digest),
    [here.digest, there.digest],
  );
  await pushed(store, "--format", "v2s2", name, `${registry.host}/x:4`);
  assert.equal(indexAt(registry, "4").mediaType, LIST);
  assert.ok(indexAt(registry, "4").manifests.every((entry) => ![here.digest, there.digest].includes(entry.digest)));
});

test("a layer that both images have is sent once", [], async (box) => {
  const store = new Store(box);
  await using from = await FakeRegistry.start();
  await using to = await FakeRegistry.start();
  await twoMachines(from, "1");
  const name = await pulled(store, from, "--all-platforms");
  await pushed(store, name, `${to.host}/x:1`);
  // Two configurations, the base, and a layer of each.
  assert.equal(to.asked.filter(({ line }) => line.startsWith("POST")).length, 5);
});
