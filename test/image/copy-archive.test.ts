/** What registries have goes into archives: side by side on its way, one after the other in the file, and whole or not at all. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { sha256, type Layer } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";
import { command } from "./docker-registry.ts";
import { FakeRegistry, on, refusal } from "./fake-registry.ts";
import { filesLayer, Store } from "./images.ts";

const FORMS = ["oci-archive", "docker-archive"] as const;

/** More than are brought at a time, of different sizes. */
function layersOf(): Promise<Layer[]> {
  const sizes = [9000, 1000, 200_000, 1000, 40_000, 1000, 3000];
  return Promise.all(sizes.map((size, at) => filesLayer({ [`f${at}`]: randomBytes(size).toString("base64") })));
}

for (const form of FORMS) {
  test(`blobs of a registry come side by side into an ${form}, three at a time`, ["tool:skopeo"], async (box) => {
    const store = new Store(box);
    await using registry = await FakeRegistry.start();
    const layers = await layersOf();
    registry.add("1", layers);
    let [now, most] = [0, 0];
    registry.lie = on("/blobs/", (response, { url = "" }) => {
      const blob = registry.blobs.get(url.split("/").at(-1) ?? "");
      most = Math.max(most, (now += 1));
      // Each is on its way for a while.
      setTimeout(() => {
        now -= 1;
        response.writeHead(200, { "content-length": blob?.length }).end(blob);
      }, 150);
    });
    const [temporary, archive] = [box.file("tmp"), box.path("it.tar")];
    const copy = ["image", "copy", "-q", `${registry.host}/x:1`, `${form}:${archive}:it:1`];
    const { status, stderr } = await store.begin(copy, { env: { TMPDIR: temporary } }).ended;
    assert.equal(status, 0, stderr);
    assert.equal(most, 3);
    assert.deepEqual(readdirSync(temporary), []);
    // It checks all blobs; the order of layers is the image's.
    command("skopeo", "--insecure-policy", "copy", "-q", `${form}:${archive}:it:1`, `dir:${box.path("checked")}`);
    assert.equal(store.prints("image", "load", archive), "it:1\n");
    const [image] = JSON.parse(store.prints("image", "inspect", "it:1")) as { RootFS: { Layers: string[] } }[];
    assert.deepEqual(
      image?.RootFS.Layers,
      layers.map(({ tar }) => sha256(tar)),
    );
  });

  test(`one of several blobs that lies leaves no ${form}, and is named`, [], async (box) => {
    const store = new Store(box);
    await using registry = await FakeRegistry.start();
    const layers = await layersOf();
    registry.add("1", layers);
    const [temporary, archive] = [box.file("tmp"), box.path("it.tar")];
    const copy = (): Promise<Result> =>
      store.begin(["image", "copy", "-q", `${registry.host}/x:1`, `${form}:${archive}:it:1`], {
        env: { TMPDIR: temporary },
      }).ended;
    for (const layer of [layers[0], layers[2], layers[6]]) {
      assert.ok(layer !== undefined);
      const digest = sha256(layer.blob);
      registry.lie = on(digest, (response) => {
        response.writeHead(200, { "content-length": layer.blob.length }).end(randomBytes(layer.blob.length));
      });
      assert.match(refusal(await copy()), /its digest is|digest of the layer|decompress/);
      registry.lie = on(digest, (response) => response.writeHead(404).end());
      assert.match(refusal(await copy()), /the registry answers 404/);
      assert.ok(!existsSync(archive));
      assert.deepEqual(readdirSync(temporary), []);
    }
  });
}

test(
  "where there is no room for blobs that wait for their turn, the archive becomes whole all the same",
  [],
  async (box) => {
    const store = new Store(box);
    await using registry = await FakeRegistry.start();
    registry.add("1", await layersOf());
    const [temporary, archive] = [box.file("tmp"), box.path("it.tar")];
    command("mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", temporary);
    try {
      const copy = ["image", "copy", "-q", `${registry.host}/x:1`, `oci-archive:${archive}:it:1`];
      const { status, stderr } = await store.begin(copy, { env: { TMPDIR: temporary } }).ended;
      assert.equal(status, 0, stderr);
      assert.equal(store.prints("image", "load", archive), "it:1\n");
    } finally {
      command("umount", temporary);
    }
  },
);
