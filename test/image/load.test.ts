/** Images come into the store, are listed, and go. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  addBlob,
  archiveOf,
  configOf,
  layerOf,
  layoutOf,
  savedOf,
  sha256,
  type Blobs,
} from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { BASE, EMPTY, filesLayer, layoutFiles, Store } from "./images.ts";

const OCI = "application/vnd.oci.image";

test("one image is the same from a directory, an archive, a compressed archive and docker save", [], async (box) => {
  const store = new Store(box);
  const layers = [await filesLayer({ a: "1" }), await filesLayer({ b: "2" }, false)];
  const files = layoutFiles({ layers, name: "v1" });
  const config = configOf(layers, {});
  const directory = store.layout("one", files);
  const archive = await store.archiveOfFiles("two.tar", files);
  const compressed = box.file("three.tar.gz", "");
  writeFileSync(compressed, gzipSync(readFileSync(archive)));
  const saved = await store.archiveOfFiles("four.tar", savedOf(layers, config, ["four:v4", "example.com/four:v4"]));
  assert.equal(store.prints("image", "load", directory), "one:v1\n");
  assert.equal(store.prints("image", "load", `oci-archive:${archive}:v1`), "two:v1\n");
  assert.equal(store.prints("image", "load", compressed), "three:v1\n");
  assert.equal(store.prints("image", "load", `docker-archive:${saved}`), "four:v4\nexample.com/four:v4\n");
  assert.deepEqual(
    new Set(store.prints("image", "ls", "-q").trim().split("\n")),
    new Set([sha256(config).slice(7, 19)]),
  );
  assert.equal(store.names("layers").length, 2);
});

test("a symbolic link in a layout leads nowhere outside of it", [], async (box) => {
  const store = new Store(box);
  const files = layoutFiles({ layers: [await filesLayer({ a: "1" })] });
  const directory = store.layout("layout", new Map([...files].filter(([name]) => name !== "index.json")));
  symlinkSync("/etc/passwd", join(directory, "index.json"));
  assert.match(store.refuses("image", "load", directory), /leads out of the image directory/);
});

test("an image has the name of the command line, else that of the source, else that of the file", [], async (box) => {
  const store = new Store(box);
  const layers = [await filesLayer({ a: "1" })];
  assert.equal(
    store.prints("image", "load", await store.archive("x.tar", { layers, name: "example.com:5000/a/b:c" })),
    "example.com:5000/a/b:c\n",
  );
  assert.equal(store.prints("image", "load", await store.archive("My.App.oci.tar", { layers })), "my.app:latest\n");
  assert.equal(store.prints("image", "load", await store.archive("x y.tar", { layers })), `${idOf(store)}\n`);
  assert.equal(store.prints("image", "load", box.path("x.tar"), "--name", "docker.io/library/z"), "z:latest\n");
  assert.match(store.refuses("image", "load", box.path("x.tar"), "--name", "A"), /invalid image name "A"/);
  const table = store
    .prints("image", "ls")
    .split("\n")
    .map((line) => line.split(/ {2,}/).slice(0, 2).join(" "));
  assert.deepEqual(table, [
    "REPOSITORY TAG",
    "my.app latest",
    "z latest",
    "example.com:5000/a/b c",
    "<none> <none>",
    "",
  ]);
});

test("all images of an archive are loaded, or the one that is named", [], async (box) => {
  const store = new Store(box);
  const [one, two] = [await filesLayer({ a: "1" }), await filesLayer({ b: "2" })];
  const archive = await store.archive("both.tar", { layers: [one], name: "one:1" }, { layers: [two], name: "two:2" });
  assert.equal(store.prints("image", "load", archive), "one:1\ntwo:2\n");
  assert.equal(store.prints("image", "load", `oci-archive:${archive}:two:2`, "--name", "three"), "three:latest\n");
  assert.match(store.refuses("image", "load", archive, "--name", "x"), /there are 2 images/);
  assert.match(
    store.refuses("image", "load", `oci-archive:${archive}:nix`),
    /no image "nix" in it: there is "one:1", "two:2"/,
  );
});

test("of an index the image for this machine is loaded", [], async (box) => {
  const store = new Store(box);
  const [here, there] = [await filesLayer({ here: "1" }), await filesLayer({ there: "2" })];
  const other = process.arch === "arm64" ? "amd64" : "arm64";
  const files = layoutFiles(
    { layers: [there], platform: { os: "linux", architecture: other } },
    { layers: [here] },
    { layers: [there], platform: { os: "unknown", architecture: "unknown" } },
  );
  const inner = files.get("index.json") ?? Buffer.from("");
  const digest = sha256(inner);
  files.set(`blobs/${digest.replace(":", "/")}`, inner);
  const descriptor = { mediaType: `${OCI}.index.v1+json`, digest, size: inner.length };
  files.set("index.json", Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [descriptor] })));
  store.prints("image", "load", store.layout("many", files));
  assert.deepEqual(store.names("layers"), [sha256(here.tar).slice(7)]);
});

test("a layer that two images have is there once, and stays while one of them needs it", [], async (box) => {
  const store = new Store(box);
  const [shared, own] = [await filesLayer({ shared: "1" }), await filesLayer({ own: "2" })];
  store.prints("image", "load", await store.archive("a.tar", { layers: [shared, own] }));
  const layer = `layers/${sha256(shared.tar).slice(7)}/fs/shared`;
  const inode = store.inode(layer);
  // As another blob: what counts is what is in it.
  const plain = await filesLayer({ shared: "1" }, false);
  store.prints("image", "load", await store.archive("b.tar", { layers: [plain] }));
  assert.equal(store.inode(layer), inode);
  assert.equal(store.names("layers").length, 2);
  assert.equal(store.prints("image", "rm", "a"), "a:latest\n");
  assert.deepEqual(store.names("layers"), [sha256(shared.tar).slice(7)]);
  assert.equal(store.inode(layer), inode);
  store.prints("image", "rm", "b");
  assert.deepEqual(store.contents(), EMPTY);
});

test("an image goes with its last name, and by its id with all of them", [], async (box) => {
  const store = new Store(box);
  const archive = await store.archive("a.tar", { layers: [await filesLayer({ a: "1" })] });
  for (const name of ["one", "two", "three"]) store.prints("image", "load", archive, "--name", name);
  store.prints("image", "rm", "one");
  assert.equal(store.names("layers").length, 1);
  assert.match(store.refuses("image", "rm", "two", "missing"), /"missing" is not in the store/);
  assert.equal(store.names("refs").length, 2, "none is removed when one is not there");
  assert.equal(store.prints("image", "rm", idOf(store).slice(7, 19)), "three:latest\ntwo:latest\n");
  assert.deepEqual(store.contents(), EMPTY);
});

test(
  "a name that moves to another image takes nothing with it that is still needed, and leaves nothing that is not",
  [],
  async (box) => {
    const store = new Store(box);
    const [shared, old, young] = [
      await filesLayer({ s: "1" }),
      await filesLayer({ o: "2" }),
      await filesLayer({ y: "3" }),
    ];
    store.prints("image", "load", await store.archive("a.tar", { layers: [shared, old] }), "--name", "app");
    store.prints("image", "load", await store.archive("b.tar", { layers: [shared, young] }), "--name", "app");
    assert.deepEqual(store.names("layers"), [sha256(shared.tar).slice(7), sha256(young.tar).slice(7)].toSorted());
  },
);

test("the store is its owner's alone", [], async (box) => {
  const store = new Store(box);
  store.prints("image", "load", await store.archive("a.tar", { layers: [await filesLayer({ a: "1" })] }));
  const { mode } = await import("node:fs").then(({ statSync }) => statSync(store.path));
  assert.equal(mode & 0o777, 0o700);
});

/** What `image inspect` says, as far as tests look at it. */
interface Inspected {
  readonly Id: string;
  readonly RepoTags: string[];
  readonly RepoDigests: string[];
  readonly Size: number;
  readonly Config: { readonly Env: string[] };
  readonly RootFS: { readonly Layers: string[] };
}

function inspect(store: Store, name: string): Inspected {
  const [image] = JSON.parse(store.prints("image", "inspect", name)) as Inspected[];
  assert.ok(image !== undefined);
  return image;
}

test("an image is inspected by name, by digest and by id", [], async (box) => {
  const store = new Store(box);
  const layer = await filesLayer({ a: "12345" });
  const archive = await store.archive("app.tar", { layers: [layer], process: { Env: ["A=ä€😀"] } });
  store.prints("image", "load", archive);
  const image = inspect(store, "app");
  assert.deepEqual([image.RepoTags, image.Config.Env, image.Size], [["app:latest"], ["A=ä€😀"], 5]);
  assert.deepEqual(image.RootFS.Layers, [sha256(layer.tar)]);
  const names = [
    image.Id,
    image.Id.slice(7),
    image.Id.slice(7, 13),
    ...image.RepoDigests,
    "docker.io/library/app:latest",
  ];
  for (const name of names) assert.equal(inspect(store, name).Id, image.Id, name);
  const listed = JSON.parse(store.prints("image", "ls", "--format", "json")) as Record<string, string>[];
  assert.deepEqual(
    listed.map(({ id, repository, tag }) => [id, repository, tag]),
    [[image.Id, "app", "latest"]],
  );
});

test("nothing to list is an empty table, and nothing to find an error", [], (box) => {
  const store = new Store(box);
  assert.match(store.prints("image", "ls"), /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n$/);
  assert.equal(store.prints("image", "ls", "--format", "json"), "[]\n");
  assert.equal(store.prints("image", "ls", "-q"), "");
  for (const name of ["missing", "abcdef", `sha256:${"0".repeat(64)}`, `x@sha256:${"0".repeat(64)}`]) {
    assert.match(store.refuses("image", "inspect", name), /is not in the store/);
  }
});

test("layers with the same content twice are stacked once", [], async (box) => {
  const store = new Store(box);
  const [twice, between] = [await filesLayer({ x: "twice" }), await filesLayer({ x: "between", y: "kept" })];
  await store.loadImage({ layers: [await BASE, twice, between, twice], process: { Cmd: ["cat", "/x", "/y"] } });
  assert.equal(store.prints("run", "--image", "it", box.id()), "twicekept");
});

test("a layer whose root is opaque hides all below it", [], async (box) => {
  const store = new Store(box);
  const hidden = await filesLayer({ hidden: "1" });
  const opaque = await layerOf([{ name: ".wh..wh..opq" }, { name: "opaque", content: "2" }]);
  await store.loadImage({ layers: [hidden, opaque, await BASE], process: { Cmd: ["sh", "-c", "echo *"] } });
  const seen = store.prints("run", "--image", "it", box.id());
  assert.ok(seen.includes("opaque") && !seen.includes("hidden"), seen);
});

test("directories that a layer takes for granted look as the layers below have them", [], async (box) => {
  const store = new Store(box);
  await store.load({}, await filesLayer({ "root/.note": "1", "tmp/left": "2" }));
  assert.equal(store.says("stat -c %a / /root /tmp"), "755\n700\n1777");
});

test("blobs with a digest of sha512 are as good", [], async (box) => {
  const store = new Store(box);
  const layers = [await filesLayer({ a: "1" })];
  const { createHash } = await import("node:crypto");
  const sha512 = (bytes: Buffer): string => `sha512:${createHash("sha512").update(bytes).digest("hex")}`;
  const blobs: Blobs = new Map();
  const config = Buffer.from(
    configOf(
      layers,
      {},
      (document) => (document["rootfs"] = { type: "layers", diff_ids: layers.map(({ tar }) => sha512(tar)) }),
    ),
  );
  const [layer] = layers;
  blobs.set(sha512(config), config);
  blobs.set(sha512(layer?.blob ?? config), layer?.blob ?? config);
  const describe = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: sha512(bytes), size: bytes.length });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: describe(config, `${OCI}.config.v1+json`),
    layers: layers.map(({ blob, mediaType }) => describe(blob, mediaType)),
  });
  const descriptor = addBlob(blobs, manifest, `${OCI}.manifest.v1+json`);
  const path = box.path("sha512.tar");
  writeFileSync(path, await archiveOf(layoutOf(blobs, [descriptor])));
  store.prints("image", "load", path);
  assert.deepEqual(
    store.names("layers"),
    layers.map(({ tar }) => sha512(tar).slice(7)),
  );
});

function idOf(store: Store): string {
  return (JSON.parse(store.prints("image", "ls", "--format", "json")) as { id: string }[])[0]?.id ?? "";
}
