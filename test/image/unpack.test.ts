/** Images as bundles. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { layerOf } from "../../scripts/fixtures.ts";
import { BASE, filesLayer, Store } from "./images.ts";

test("an image becomes a bundle that runs, whose files are those of the layers", [], async (box) => {
  const store = new Store(box);
  const layers = [
    await filesLayer({ "d/a": "1", "d/b": "2", "o/x": "3" }),
    await layerOf([{ name: "d/.wh.a" }, { name: "o/.wh..wh..opq" }, { name: "o/y", content: "4" }]),
  ];
  await store.load(
    { Cmd: ["sh", "-c", "id -u; pwd; ls /d /o"], User: "alice", WorkingDir: "/w", Env: ["A=1"] },
    ...layers,
  );
  const bundle = box.path("bundle");
  assert.equal(store.prints("image", "unpack", "it", bundle), "");
  const config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as {
    root: object;
    process: { user: object; capabilities: object };
  };
  assert.deepEqual(config.root, { path: "rootfs", readonly: false });
  assert.deepEqual(config.process.user, { uid: 1000, gid: 1001, additionalGids: [1001, 50] });
  assert.equal(box.ok("run", "--bundle", bundle, box.id()).stdout, "1000\n/w\n/d:\nb\n\n/o:\ny\n");
  // It is a copy: what is changed in it changes no image.
  writeFileSync(join(bundle, "rootfs/d/b"), "changed");
  assert.equal(store.says("cat /d/b"), "2");
});

test("nothing is overwritten", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const bundle = box.file("bundle");
  writeFileSync(join(bundle, "config.json"), "mine");
  assert.match(store.refuses("image", "unpack", "it", bundle), /config\.json is there already/);
  assert.equal(readFileSync(join(bundle, "config.json"), "utf8"), "mine");
  assert.ok(!existsSync(join(bundle, "rootfs")));
  const full = box.file("full");
  box.file("full/rootfs");
  writeFileSync(join(full, "rootfs", "x"), "mine");
  assert.match(store.refuses("image", "unpack", "it", full), /rootfs is there already/);
});

test("what is not in the store is refused, or unpacked from where it is", [], async (box) => {
  const store = new Store(box);
  assert.match(store.refuses("image", "unpack", "missing", box.path("x")), /is not in the store/);
  const archive = await store.archive("there.tar", { layers: [await BASE], process: { Cmd: ["echo", "hello"] } });
  store.prints("image", "unpack", `oci-archive:${archive}`, box.path("y"));
  assert.equal(box.ok("run", "--bundle", box.path("y"), box.id()).stdout, "hello\n");
});

test("an image without layers makes no bundle", [], async (box) => {
  const store = new Store(box);
  await store.loadImage({ layers: [] });
  assert.equal(
    store.refuses("image", "unpack", "it", box.path("bundle")),
    "the image has no layers: there is nothing to unpack",
  );
  assert.ok(!existsSync(box.path("bundle")));
});
