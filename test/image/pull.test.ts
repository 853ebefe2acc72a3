/** Pulls from a registry that tells the truth but is not always well: what is fetched, what is fetched again, what is kept. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { sha256, type Layer } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { FakeRegistry, OCI, pull, slowly } from "./fake-registry.ts";
import { BASE, filesLayer, Store } from "./images.ts";

/** A layer of about so many bytes as a blob. */
function noise(bytes: number): Promise<Layer> {
  return filesLayer({ [randomBytes(4).toString("hex")]: randomBytes((bytes * 3) / 4).toString("base64") });
}

function layerNames(...layers: readonly Layer[]): string[] {
  return layers.map(({ tar }) => sha256(tar).slice(7)).toSorted();
}

test("an image is pulled, named, and what is there already is not fetched again", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const [shared, own] = [await noise(300_000), await noise(10_000)];
  registry.add("1", [shared]);
  registry.add("2", [shared, own]);
  const first = await pull(store, ["-q", `${registry.host}/a/x:1`]);
  assert.deepEqual([first.status, first.stdout, first.stderr], [0, `${registry.host}/a/x:1\n`, ""]);
  const second = await pull(store, [`docker://${registry.host}/a/x:2`]);
  assert.match(second.stderr, /1 layer to pull, .*; 1 is here already\n/);
  assert.equal(registry.count(sha256(shared.blob)), 1);
  assert.deepEqual(store.names("layers"), layerNames(shared, own));
  assert.deepEqual([store.names("downloads"), store.names("pulls")], [[], []]);
});

test("an image is pulled by its digest, and found by it", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const { digest } = registry.add("1", [await noise(1000)]);
  const name = `${registry.host}/x@${digest}`;
  assert.equal((await pull(store, ["-q", name])).stdout, `${name}\n`);
  assert.equal(registry.count("manifests/1"), 0);
  assert.match(store.prints("image", "inspect", name), new RegExp(digest));
});

test("of an index the image for this machine is pulled, the one that is asked for, or all", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const [here, there] = [await noise(1000), await noise(1000)];
  registry.addIndex("1", [
    { ...registry.add("there", [there]), platform: { os: "linux", architecture: "s390x" } },
    registry.add("here", [here]),
    { ...registry.add("other", [there]), platform: { os: "unknown", architecture: "unknown" } },
  ]);
  const name = `${registry.host}/x:1`;
  await pull(store, ["-q", name]);
  assert.deepEqual(store.names("layers"), layerNames(here));
  const run = ["run", "--image", name, "--pull", "always", "--platform", "s390x", box.id()];
  // The index says that it is, and its own configuration that it is not.
  assert.match((await store.begin(run).ended).stderr, /is for linux\/\w+, and not for linux\/s390x/);
  const wrong = await pull(store, ["-q", "--platform", "linux/riscv64", name]);
  assert.match(wrong.stderr, /not for linux\/riscv64: it is for linux\/s390x, linux\/amd64/);
  assert.equal((await pull(store, ["-q", "--all-platforms", name])).status, 0);
  assert.deepEqual(store.names("layers"), layerNames(here, there));
});

test("a layer whose connection breaks goes on where it was, with everything verified", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layer = await noise(2_000_000);
  registry.add("1", [layer]);
  let cuts = 3;
  registry.lie = (request, response) => {
    if (request.url?.includes(sha256(layer.blob)) !== true || cuts-- <= 0) return false;
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const rest = layer.blob.subarray(from);
    const range = { "content-range": `bytes ${from}-${layer.blob.length - 1}/${layer.blob.length}` };
    response.writeHead(from > 0 ? 206 : 200, { "content-length": rest.length, ...(from > 0 ? range : {}) });
    response.write(rest.subarray(0, 300_000), () => response.destroy());
    return true;
  };
  const { status, stderr } = await pull(store, [`${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /trying again: /);
  const ranges = registry.asked.flatMap(({ headers }) => headers.range ?? []);
  assert.equal(ranges.length, 3, String(ranges));
  assert.ok(registry.sent <= layer.blob.length - 300_000, "what has come is not sent again");
  assert.deepEqual(store.names("layers"), layerNames(layer));
});

test(
  "a registry that is too busy is asked again, and one that knows no ranges is read from the start",
  [],
  async (box) => {
    const store = new Store(box);
    await using registry = await FakeRegistry.start();
    const layer = await noise(1_000_000);
    registry.add("1", [layer]);
    let [busy, cuts] = [2, 1];
    registry.lie = ({ url }, response) => {
      if (busy-- > 0) response.writeHead(busy === 0 ? 429 : 503).end();
      else if (url?.includes(sha256(layer.blob)) !== true) return false;
      else if (cuts-- > 0) response.writeHead(200).write(layer.blob.subarray(0, 300_000), () => response.destroy());
      else response.writeHead(200).end(layer.blob);
      return true;
    };
    const { status, stderr } = await pull(store, [`${registry.host}/x:1`]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(store.names("layers"), layerNames(layer));
  },
);

test("a token that expires in the middle of a layer is got anew, for the same credentials", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layer = await noise(1_000_000);
  registry.add("1", [layer]);
  let [token, uses] = [0, 0];
  const realm = `http://${registry.host}/token`;
  registry.lie = (request, response) => {
    if (request.url?.startsWith("/token") === true) {
      assert.equal(request.headers.authorization, `Basic ${Buffer.from("alice:secret").toString("base64")}`);
      assert.match(request.url, /\?service=me&scope=repository%3Ax%3Apull$/);
      [token, uses] = [token + 1, 0];
      response.writeHead(200).end(JSON.stringify({ token: `t${token}` }));
      return true;
    }
    if (request.headers.authorization !== `Bearer t${token}` || ++uses > 2) {
      response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="me"` }).end();
      return true;
    }
    return false;
  };
  const auth = box.file(
    "auth.json",
    JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from("alice:secret").toString("base64") } } }),
  );
  const { status, stderr } = await pull(store, ["-q", "--authfile", auth, `${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  assert.equal(token, 2);
});

test("two pulls at once fetch each layer once, and neither waits for the other's name", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layers = await Promise.all([600_000, 500_000, 400_000, 300_000].map(noise));
  registry.add("1", layers);
  registry.add("2", layers.toReversed());
  registry.lie = (request, response) => {
    const blob = layers.find(({ blob: each }) => request.url?.includes(sha256(each)) === true)?.blob;
    if (blob === undefined) return false;
    response.writeHead(200, { "content-length": blob.length }).write(blob.subarray(0, 100_000));
    setTimeout(() => response.end(blob.subarray(100_000)), 300);
    return true;
  };
  const pulls = ["1", "2", "1"].map((tag) => pull(store, ["-q", `${registry.host}/x:${tag}`]));
  for (const { status, stderr } of await Promise.all(pulls)) assert.equal(status, 0, stderr);
  for (const { blob } of layers) assert.equal(registry.count(sha256(blob)), 1);
  assert.deepEqual(store.names("layers"), layerNames(...layers));
  assert.deepEqual([store.names("downloads"), store.names("pulls")], [[], []]);
});

test("a pull that is killed at any moment leaves a store that is right, and the next one goes on", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layers = await Promise.all([1_500_000, 900_000, 400_000].map(noise));
  registry.add("1", layers);
  registry.lie = slowly(registry, 6000);
  for (let round = 0; round < 12; round++) {
    const running = store.begin(["image", "pull", "-q", `${registry.host}/x:1`]);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
    running.child.kill("SIGKILL");
    await running.ended;
    assert.deepEqual(JSON.parse(store.prints("image", "ls", "--format", "json")), []);
    // Other commands do not take away what the pull has brought.
    if (round % 3 === 0) await store.load();
    if (round % 3 === 0) store.prints("image", "rm", "it");
  }
  const { status, stderr } = await pull(store, ["-q", `${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  const total = layers.reduce((sum, { blob }) => sum + blob.length, 0);
  assert.ok(registry.sent < 2 * total, `${registry.sent} bytes were sent for ${total}`);
  assert.deepEqual(store.names("layers"), layerNames(...layers));
  assert.deepEqual([store.names("downloads"), store.names("pulls")], [[], []]);
});

test("a spool of the right length and the wrong bytes, as a power cut leaves it, is fetched again", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layer = await noise(500_000);
  registry.add("1", [layer]);
  registry.lie = ({ url }) => url?.includes(sha256(layer.blob)) === true; // Never answered.
  const running = store.begin(["image", "pull", "-q", `${registry.host}/x:1`]);
  await eventually(() => registry.count(sha256(layer.blob)), "a request for the layer");
  running.child.kill("SIGKILL");
  await running.ended;
  registry.lie = () => false;
  writeFileSync(`${store.path}/downloads/${sha256(layer.blob).slice(7)}`, Buffer.alloc(layer.blob.length));
  const { status, stderr } = await pull(store, ["-q", `${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  assert.deepEqual(store.names("layers"), layerNames(layer));
});

test("layers come in gzip of several members, in zstd, and as they are", ["tool:zstd"], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const [one, two] = [await noise(200_000), await filesLayer({ plain: "1" }, false)];
  const members = Buffer.concat([gzipSync(one.tar.subarray(0, 70_000)), gzipSync(one.tar.subarray(70_000))]);
  const three = await noise(50_000);
  const { stdout: blob } = spawnSync("zstd", ["-q", "-c"], { input: three.tar, maxBuffer: 1 << 24 });
  registry.add("1", [{ ...one, blob: members }, two, { ...three, blob, mediaType: `${OCI}.layer.v1.tar+zstd` }]);
  const { status, stderr } = await pull(store, ["-q", `${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  assert.deepEqual(store.names("layers"), layerNames(one, two, three));
});

test("--progress json tells what is found, how far each layer is, and the end", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layer = await noise(500_000);
  const { digest } = registry.add("1", [layer]);
  const { stdout, stderr } = await pull(store, ["--progress", "json", `${registry.host}/x:1`]);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const [blob, size] = [sha256(layer.blob), layer.blob.length];
  assert.deepEqual(events[0], {
    event: "found",
    name: `${registry.host}/x:1`,
    digest,
    layers: [{ digest: blob, size, exists: false }],
  });
  assert.deepEqual(
    events.findLast(({ event }) => event === "progress"),
    { event: "progress", layer: blob, bytes: size, total: size },
  );
  assert.deepEqual([events.at(-1), stderr], [{ event: "done" }, ""]);
});

test("run pulls what the store has not, never, or always", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  registry.add("1", [await BASE, await filesLayer({ which: "one" })]);
  const name = `${registry.host}/x:1`;
  const run = (...flags: string[]) =>
    store.begin(["run", "--image", name, ...flags, box.id(), "--", "cat", "/which"]).ended;
  assert.match((await run("--pull", "never")).stderr, /is not in the store/);
  assert.equal(registry.asked.length, 0);
  assert.equal((await run()).stdout, "one");
  registry.add("1", [await BASE, await filesLayer({ which: "two" })]);
  assert.equal((await run()).stdout, "one");
  assert.equal((await run("--pull=always")).stdout, "two");
  assert.match((await run("--pull", "often")).stderr, /--pull must be never, missing or always/);
});

test("a mirror is asked first, and the registry where the mirror has not got it", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  await using mirror = await FakeRegistry.start();
  registry.add("1", [await noise(1000)]);
  registry.add("2", [await noise(1000)]);
  mirror.manifests.set("1", registry.manifests.get("1") ?? { type: `${OCI}.manifest.v1+json`, body: Buffer.from("") });
  for (const [digest, body] of registry.blobs) mirror.blobs.set(digest, body);
  const conf = `[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}/cache"\n[[registry]]\nlocation = "bad.example"\nblocked = true\n`;
  const env = { CONTAINERS_REGISTRIES_CONF: box.file("registries.conf", conf) };
  for (const tag of ["1", "2"])
    assert.equal((await pull(store, ["-q", `${registry.host}/x:${tag}`], { env })).status, 0, tag);
  assert.equal(mirror.count("/v2/cache/x/manifests/"), 2);
  assert.deepEqual([registry.count("manifests/1"), registry.count("manifests/2")], [0, 1]);
  assert.match((await pull(store, ["bad.example/x"], { env })).stderr, /bad\.example is blocked in registries\.conf/);
  assert.match(
    (await pull(store, ["x"], { env: { CONTAINERS_REGISTRIES_CONF: box.file("bad.conf", "[[registry]\n") } })).stderr,
    /cannot read .*bad\.conf: line 1: /,
  );
  const missing = await pull(store, ["x"], { env: { CONTAINERS_REGISTRIES_CONF: box.path("none.conf") } });
  assert.match(
    missing.stderr,
    /cannot read .*none\.conf, which CONTAINERS_REGISTRIES_CONF names: there is no such file/,
  );
});
