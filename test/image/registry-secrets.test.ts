/** What goes to whom: credentials, ranges, and requests that must not be made. */
import assert from "node:assert/strict";
import { sha256 } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { assertNothing, FakeRegistry, noisyLayer, on, pull, refusal, wants } from "./fake-registry.ts";
import { filesLayer, Store } from "./images.ts";

const CREDS = ["--creds", "alice:secret"];
const BASIC = `Basic ${Buffer.from("alice:secret").toString("base64")}`;

test("credentials do not follow a redirect to another host, and the layer comes all the same", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  await using storage = await FakeRegistry.start();
  const layer = await noisyLayer();
  registry.add("1", [layer]);
  storage.add("1", [layer]);
  registry.lie = (request, response) => {
    if (request.headers.authorization !== BASIC) return wants("Basic realm=x")(request, response);
    if (request.url?.includes("/blobs/") !== true) return false;
    response.writeHead(307, { location: `http://${storage.host}${request.url}` }).end();
    return true;
  };
  const { status, stderr } = await pull(store, ["-q", ...CREDS, `${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  assert.ok(storage.asked.length >= 2);
  for (const { headers } of storage.asked) assert.equal(headers.authorization, undefined);
});

test("credentials are not given to a token service of somebody else", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  await using other = await FakeRegistry.start();
  registry.add("1", [await noisyLayer()]);
  registry.lie = wants(`Bearer realm="http://127.0.0.1:${other.port}/token",service="x"`);
  const said = refusal(await pull(store, ["-q", ...CREDS, `${registry.host}/x:1`]));
  assert.match(said, /wants the credentials for it sent to 127\.0\.0\.1, which is not known to belong to it: refused/);
  assert.ok(!said.includes("secret"));
  assert.equal(other.asked.length, 0);
  assertNothing(store);
});

test("a tag is asked for once: what it means cannot change on the way", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const [before, after] = [await noisyLayer(), await filesLayer({ after: "1" })];
  registry.add("1", [before]);
  registry.lie = (request) => {
    // Moved as soon as somebody has looked.
    if (registry.count("manifests/1") > 1) registry.add("1", [after]);
    return request.method !== "GET";
  };
  assert.equal((await pull(store, ["-q", `${registry.host}/x:1`])).status, 0);
  assert.equal(registry.count("manifests/1"), 1);
  assert.deepEqual(store.names("layers"), [sha256(before.tar).slice(7)]);
});

test("what a layer says of other places to get it from is not heeded", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  await using other = await FakeRegistry.start();
  const layer = await noisyLayer();
  registry.add("1", [layer], (manifest) => {
    const [first] = manifest["layers"] as object[];
    manifest["layers"] = [{ ...first, urls: [`http://${other.host}/layer`] }];
  });
  registry.lie = on(sha256(layer.blob), (response) => response.writeHead(404).end());
  assert.match(refusal(await pull(store, ["-q", `${registry.host}/x:1`])), /the registry answers 404/);
  assert.equal(other.asked.length, 0);
});

test("an answer to another range than the one that was asked for is refused", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layer = await noisyLayer();
  registry.add("1", [layer]);
  registry.lie = on(sha256(layer.blob), (response, { headers }) => {
    const { length } = layer.blob;
    if (headers.range !== undefined)
      response.writeHead(206, { "content-range": `bytes 0-${length - 1}/${length}` }).end(layer.blob);
    else
      response
        .writeHead(200, { "content-length": length })
        .write(layer.blob.subarray(0, 1000), () => response.destroy());
  });
  assert.match(refusal(await pull(store, ["-q", `${registry.host}/x:1`])), /asked for what follows byte 1000/);
});
