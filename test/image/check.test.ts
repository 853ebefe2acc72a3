/** Damage of every kind is found, and mended or set aside. */
import assert from "node:assert/strict";
import { chmodSync, cpSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { sha256, type Layer } from "../../scripts/fixtures.ts";
import { filesLayer, Store } from "./images.ts";

const WHOLE = /^1 image, 2 layers: 0 faults\n$/;

/** An image "it" of two layers, the second of which implies a directory that the first one describes. */
async function loaded(store: Store): Promise<{ archive: string; layers: Layer[] }> {
  const { layerOf } = await import("../../scripts/fixtures.ts");
  const first = await layerOf([
    { name: "d/", type: "directory", mode: 0o700 },
    { name: "d/text", content: "some text" },
    { name: "d/only", content: "what no other layer has" },
  ]);
  const layers = [first, await filesLayer({ "d/copy": "some text" })];
  const archive = await store.archive("it.tar", { layers });
  store.prints("image", "load", archive);
  return { archive, layers };
}

/** What `image check` prints; its status is 0 where there is no fault. */
function check(store: Store, ...flags: string[]): { status: number; text: string } {
  const { status, stdout } = store.tsrun(["image", "check", ...flags]);
  return { status, text: stdout };
}

/** Changes one byte and nothing else that a look at the file would tell. */
function flip(path: string, at = 0): void {
  const { atime, mtime } = statSync(path);
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

test("a store as commands have made it has no fault", [], async (box) => {
  const store = new Store(box);
  await loaded(store);
  assert.match(check(store).text, WHOLE);
  store.prints("image", "tag", "it", "other");
  store.prints("image", "rm", "it");
  assert.match(check(store).text, WHOLE);
});

test("what can be made of what is there is mended", [], async (box) => {
  const store = new Store(box);
  const { layers } = await loaded(store);
  const [first = ""] = layers.map(({ tar }) => join(store.path, "layers", sha256(tar).slice(7)));
  const [stack = ""] = store.names("stacks").map((name) => join(store.path, "stacks", name));
  const [manifest] = store
    .names("blobs/sha256")
    .filter((name) => store.text(`blobs/sha256/${name}`).includes('"layers":[{'));
  const damages: [RegExp, () => void][] = [
    [/d: mode is 0755, not 0700/, () => chmodSync(join(first, "fs/d"), 0o755)],
    [/d\/text: content differs/, () => flip(join(first, "fs/d/text"))],
    [/d\/text: is missing/, () => rmSync(join(first, "fs/d/text"))],
    [/d\/more: does not belong there/, () => writeFileSync(join(first, "fs/d/more"), "")],
    [/layer\.json: is damaged/, () => flip(join(first, "layer.json"), 30)],
    [/tree: the list of files is damaged/, () => flip(join(first, "tree"), 300)],
    [/stacks.*d: mode is 0711, not 0700/, () => chmodSync(join(stack, "fs/d"), 0o711)],
    [/stacks.*: is missing/, () => rmSync(stack, { recursive: true })],
    [/refs\/\.x: was left by a command that was killed/, () => writeFileSync(join(store.path, "refs/.x"), "")],
    [/its manifest, blobs\/sha256\/[0-9a-f]+, is missing/, () => rmSync(join(store.path, `blobs/sha256/${manifest}`))],
  ];
  for (const [said, damage] of damages) {
    damage();
    const found = check(store);
    assert.match(found.text, said);
    assert.equal(found.status, 1, found.text);
    const mended = check(store, "--repair");
    assert.equal(mended.status, 0, mended.text);
    assert.match(check(store).text, WHOLE, String(said));
  }
});

test("what cannot be mended is set aside, and loading the image again makes it anew", [], async (box) => {
  const store = new Store(box);
  const { archive, layers } = await loaded(store);
  const [first = ""] = layers.map(({ tar }) => `layers/${sha256(tar).slice(7)}`);
  const [config = ""] = store
    .names("blobs/sha256")
    .filter((name) => store.text(`blobs/sha256/${name}`).includes("diff_ids"));
  const [record = ""] = store.names("refs");
  const damages: [RegExp, string, () => void][] = [
    [/d\/only: content differs/, first, () => flip(join(store.path, first, "fs/d/only"))],
    [/the digest is sha256/, `blobs/sha256/${config}`, () => flip(join(store.path, `blobs/sha256/${config}`))],
    [/refs.*: is damaged/, `refs/${record}`, () => writeFileSync(join(store.path, "refs", record), '{"version":1')],
    [
      /is not what follows from its configuration/,
      `refs/${record}`,
      () => {
        const path = join(store.path, "refs", record);
        const text = readFileSync(path, "utf8");
        flip(path, text.indexOf('fs"]') - 5);
      },
    ],
    [
      /refs.*: is damaged/,
      "refs/renamed",
      () => renameSync(join(store.path, "refs", record), join(store.path, "refs/x.json")),
    ],
    [
      /does not belong there/,
      "layers/strange",
      () => cpSync(box.file("strange"), join(store.path, "layers/strange"), { recursive: true }),
    ],
  ];
  for (const [said, , damage] of damages) {
    damage();
    assert.match(check(store).text, said);
    assert.match(check(store, "--repair").text, /set aside in damaged: load or pull the image again/);
    assert.ok(store.names("damaged").length > 0);
    store.prints("image", "load", archive);
    assert.match(check(store).text, WHOLE, String(said));
    assert.match(store.prints("image", "prune"), /^damaged\//);
  }
});

test("a layer that is gone is told, by check and by who wants to run the image", [], async (box) => {
  const store = new Store(box);
  const { archive, layers } = await loaded(store);
  rmSync(join(store.path, "layers", sha256(layers[0]?.tar ?? "").slice(7)), { recursive: true });
  assert.match(check(store).text, /layers\/[0-9a-f]{64}: is missing: load or pull the image again/);
  assert.match(store.refuses("run", "--image", "it", box.id()), /is not in the store \(load or pull the image again/);
  store.prints("image", "load", archive);
  assert.match(check(store).text, WHOLE);
});
