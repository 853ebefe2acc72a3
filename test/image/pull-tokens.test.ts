/** Tokens that expire while an image is pulled, as Docker Hub's do after 300 seconds. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { sha256, type Layer } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { FakeRegistry, pull } from "./fake-registry.ts";
import { filesLayer, Store } from "./images.ts";

function noise(): Promise<Layer> {
  return filesLayer({ noise: randomBytes(400_000).toString("base64") });
}

/** Gives tokens that are good for `uses` requests; its own name is another than the registry's, as Docker Hub's is. */
function tokens(registry: FakeRegistry, uses: number) {
  const realm = `http://127.0.0.1:${registry.port}/token`;
  const state = { given: 0, left: 0 };
  const lie = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.url?.startsWith("/token") === true) {
      state.given += 1;
      state.left = uses;
      response.writeHead(200).end(JSON.stringify({ token: `t${state.given}` }));
      return true;
    }
    if (request.headers.authorization === `Bearer t${state.given}` && state.left-- > 0) return false;
    response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="me"` }).end();
    return true;
  };
  return { state, lie };
}

test("each manifest, each configuration and the layer may need a new token", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layer = await noise();
  const other = registry.add("b", [layer], (manifest) => (manifest["annotations"] = { which: "b" }));
  registry.addIndex("1", [registry.add("a", [layer]), other]);
  const { state, lie } = tokens(registry, 1);
  registry.lie = lie;
  const { status, stderr } = await pull(store, ["-q", "--all-platforms", `${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  assert.deepEqual(store.names("layers"), [sha256(layer.tar).slice(7)]);
  assert.equal(state.given, 6, "an index, two manifests, their configuration twice, a layer");
});

test("of several layers one gets the new token for all", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layers = await Promise.all([noise(), noise(), noise(), noise()]);
  registry.add("1", layers);
  const { state, lie } = tokens(registry, Infinity);
  let revoked = false;
  registry.lie = (request, response) => {
    const isLayer = layers.some(({ blob }) => request.url?.includes(sha256(blob)));
    if (isLayer && !revoked) state.left = 0;
    revoked ||= isLayer;
    return lie(request, response);
  };
  const { status, stderr } = await pull(store, ["-q", `${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  assert.equal(state.given, 2);
});

test("a layer whose connection breaks goes on with a new token", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layer = await noise();
  registry.add("1", [layer]);
  const { state, lie } = tokens(registry, 1);
  let cuts = 2;
  registry.lie = (request, response) => {
    if (lie(request, response)) return true;
    if (request.url?.includes(sha256(layer.blob)) !== true || cuts-- <= 0) return false;
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${from}-${layer.blob.length - 1}/${layer.blob.length}` };
    response.writeHead(from > 0 ? 206 : 200, from > 0 ? range : {});
    response.write(layer.blob.subarray(from, from + 100_000), () => response.destroy());
    return true;
  };
  const { status, stderr } = await pull(store, [`${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  assert.equal(stderr.split("trying again").length, 3, stderr);
  assert.ok(state.given >= 5, String(state.given));
});
