/** Images that are broken or mean harm: refused with one line, and nothing of them stays. */
import assert from "node:assert/strict";
import { addBlob, configOf, layoutOf, savedOf, type Blobs, type Layer } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { EMPTY, filesLayer, Store } from "./images.ts";

const OCI = "application/vnd.oci.image";
const HEX = "0".repeat(64);

/** The documents of an image of one layer, to be spoilt. */
interface Documents {
  config: Record<string, unknown>;
  manifest: { schemaVersion?: number; mediaType?: string; config: Descriptor; layers: Descriptor[] } & Record<
    string,
    unknown
  >;
  index: { schemaVersion?: number; manifests: Descriptor[] } & Record<string, unknown>;
  blobs: Blobs;
  layer: Layer;
}

interface Descriptor extends Record<string, unknown> {
  mediaType: string;
  digest: string;
  size: number;
}

/** Each step may be spoilt before its digest is taken by the next. */
interface Spoil {
  readonly config?: (documents: Documents) => void;
  readonly manifest?: (documents: Documents) => void;
  readonly index?: (documents: Documents) => void;
}

async function spoilt(spoil: Spoil): Promise<Map<string, Buffer>> {
  const layer = await filesLayer({ a: "1" });
  const blobs: Blobs = new Map();
  const documents = { layer, blobs, config: JSON.parse(configOf([layer], {})) } as Documents;
  spoil.config?.(documents);
  documents.manifest = {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: addBlob(blobs, JSON.stringify(documents.config), `${OCI}.config.v1+json`),
    layers: [addBlob(blobs, layer.blob, layer.mediaType)],
  };
  spoil.manifest?.(documents);
  const descriptor = addBlob(blobs, JSON.stringify(documents.manifest), `${OCI}.manifest.v1+json`);
  documents.index = { schemaVersion: 2, manifests: [descriptor] };
  spoil.index?.(documents);
  const files = layoutOf(blobs, []);
  files.set("index.json", Buffer.from(JSON.stringify(documents.index)));
  return files;
}

function first<T>(list: readonly T[]): T {
  return list[0] as T;
}

const SPOILT: readonly [sentence: string, spoil: Spoil, says: RegExp][] = [
  [
    "a digest that leads elsewhere",
    { index: ({ index }) => (first(index.manifests).digest = "sha256:../../../../etc/passwd") },
    /manifests\[0\]\.digest must be a digest/,
  ],
  [
    "a digest with capital letters",
    { manifest: ({ manifest }) => (manifest.config.digest = manifest.config.digest.toUpperCase()) },
    /config\.digest must be a digest/,
  ],
  [
    "a digest of a kind that nobody knows",
    { manifest: ({ manifest }) => (first(manifest.layers).digest = `md5:${HEX.slice(32)}`) },
    /layers\[0\]\.digest must be a digest/,
  ],
  [
    "a diff id that leads elsewhere",
    { config: ({ config }) => (config["rootfs"] = { type: "layers", diff_ids: [`sha256:../../${HEX.slice(6)}`] }) },
    /rootfs\.diff_ids\[0\] must be a digest/,
  ],
  [
    "a manifest that is an index too",
    { manifest: ({ manifest }) => (manifest["manifests"] = []) },
    /manifests must not be/,
  ],
  ["an index that is a manifest too", { index: ({ index }) => (index["layers"] = []) }, /layers must not be/],
  [
    "a manifest of another type than its descriptor says",
    {
      index: ({ index }) => (first(index.manifests).mediaType = "application/vnd.docker.distribution.manifest.v2+json"),
    },
    /mediaType must be .*as its descriptor says/,
  ],
  [
    "a manifest of the first schema",
    { manifest: ({ manifest }) => (manifest.schemaVersion = 1) },
    /schemaVersion must be 2/,
  ],
  ["a manifest of another size", { index: ({ index }) => (first(index.manifests).size += 1) }, /its descriptor says/],
  [
    "a manifest that is not there",
    { index: ({ index }) => (first(index.manifests).digest = `sha256:${HEX}`) },
    /not in the image/,
  ],
  [
    "a configuration that is not there",
    { manifest: ({ manifest }) => (manifest.config.digest = `sha256:${HEX}`) },
    /not in the image/,
  ],
  [
    "a layer that is not there",
    { manifest: ({ manifest }) => (first(manifest.layers).digest = `sha256:${HEX}`) },
    /not in the image/,
  ],
  ["a layer of another size", { manifest: ({ manifest }) => (first(manifest.layers).size += 1) }, /./],
  [
    "a layer with another diff id (a forged one would poison the store)",
    { config: ({ config }) => (config["rootfs"] = { type: "layers", diff_ids: [`sha256:${HEX}`] }) },
    /diff id|digest/i,
  ],
  [
    "a layer too many",
    { manifest: ({ manifest }) => manifest.layers.push(first(manifest.layers)) },
    /has 2 layers, and its configuration 1/,
  ],
  [
    "a layer that is not one",
    { manifest: ({ manifest }) => (first(manifest.layers).mediaType = "text/html") },
    /layers\[0\]\.mediaType/,
  ],
  [
    "a configuration that is not one",
    { manifest: ({ manifest }) => (manifest.config.mediaType = "application/vnd.oci.empty.v1+json") },
    /config\.mediaType/,
  ],
  ["a configuration with NUL in it", { config: ({ config }) => (config["config"] = { Cmd: ["a\0b"] }) }, /NUL/],
  [
    "an index in an index in an index without end",
    {
      index: ({ index, blobs }) => {
        let inner = JSON.stringify(index);
        for (let depth = 0; depth < 6; depth++) {
          inner = JSON.stringify({ schemaVersion: 2, manifests: [addBlob(blobs, inner, `${OCI}.index.v1+json`)] });
        }
        Object.assign(index, JSON.parse(inner));
      },
    },
    /nested/,
  ],
];

for (const [sentence, spoil, says] of SPOILT) {
  test(`${sentence} is refused, and leaves nothing`, [], async (box) => {
    const store = new Store(box);
    const archive = await store.archiveOfFiles("bad.tar", await spoilt(spoil));
    assert.match(store.refuses("image", "load", archive), says);
    assert.deepEqual(store.contents(), EMPTY);
    store.prints("image", "load", await store.archive("good.tar", { layers: [await filesLayer({ a: "1" })] }));
  });
}

test("a blob that is not what its digest says is refused, each in its place", [], async (box) => {
  const store = new Store(box);
  const files = await spoilt({});
  for (const [name, bytes] of files) {
    if (!name.startsWith("blobs/")) continue;
    const changed = Buffer.from(bytes);
    changed[changed.length - 1] = (changed[changed.length - 1] ?? 0) ^ 1;
    const archive = await store.archiveOfFiles("bad.tar", new Map([...files, [name, changed]]));
    store.refuses("image", "load", archive);
    assert.deepEqual(store.contents(), EMPTY);
  }
});

test("what is no image is refused for what it is", [], async (box) => {
  const store = new Store(box);
  const refused = (path: string, says: RegExp): void => assert.match(store.refuses("image", "load", path), says);
  refused(box.file("empty"), /oci-layout/);
  refused(box.file("text", "hello"), /cannot load/);
  refused(box.file("nothing.tar", ""), /cannot load/);
  refused(
    await store.archiveOfFiles("other.tar", new Map([["a", Buffer.from("1")]])),
    /neither oci-layout nor manifest\.json/,
  );
  refused(box.path("missing"), /no such file or directory/);
  refused("/dev/zero", /regular file/);
  refused(`oci:${box.path("text")}`, /is not a directory/);
  refused(`docker-archive:${box.path("empty")}`, /is a directory/);
  refused("docker://busybox", /known are oci:PATH/);
  const broken = await store.archiveOfFiles(
    "broken.tar",
    new Map([
      ["oci-layout", Buffer.from("{}")],
      ["index.json", Buffer.from("{")],
    ]),
  );
  refused(broken, /oci-layout: imageLayoutVersion is required/);
  const deep = Buffer.from("[".repeat(100_000));
  refused(
    await store.archiveOfFiles(
      "deep.tar",
      new Map([
        ["oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
        ["index.json", deep],
      ]),
    ),
    /nesting/,
  );
});

test("a text that is too long is not read", [], async (box) => {
  const store = new Store(box);
  const files = await spoilt({ config: ({ config }) => (config["history"] = [{ comment: "x".repeat(5 << 20) }]) });
  assert.match(store.refuses("image", "load", await store.archiveOfFiles("long.tar", files)), /at most 4194304/);
});

test("members of docker's archives are names in it and nothing else", [], async (box) => {
  const store = new Store(box);
  const layers = [await filesLayer({ a: "1" })];
  for (const member of ["../../etc/passwd", "/etc/passwd", "a/../../b", ""]) {
    const files = savedOf(layers, configOf(layers, {}), ["x:1"]);
    const [image] = JSON.parse(String(files.get("manifest.json"))) as { Layers: string[]; Config: string }[];
    files.set("manifest.json", Buffer.from(JSON.stringify([{ ...image, Layers: [member] }])));
    store.refuses("image", "load", await store.archiveOfFiles("layer.tar", files));
    files.set("manifest.json", Buffer.from(JSON.stringify([{ ...image, Config: member }])));
    store.refuses("image", "load", await store.archiveOfFiles("config.tar", files));
  }
  for (const name of ["../x", "A", "x:..", ""]) {
    store.refuses(
      "image",
      "load",
      await store.archiveOfFiles("name.tar", savedOf(layers, configOf(layers, {}), [`${name}:/`])),
    );
  }
  assert.deepEqual(store.contents(), EMPTY);
});
