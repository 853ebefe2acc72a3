/** Pushes and copies to Debian's docker-registry: what others read there is what was pushed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { lstatSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { sha256 } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { command, cutting, DockerRegistry, oddLayers } from "./docker-registry.ts";
import { pull } from "./fake-registry.ts";
import { BASE, filesLayer, layoutFiles, Store } from "./images.ts";

const NEEDS = ["tool:docker-registry", "tool:skopeo"] as const;

interface Manifest {
  readonly mediaType: string;
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly mediaType: string }[];
}

/** What skopeo reads: the raw manifest, and its digest. */
function read(name: string): { text: string; manifest: Manifest; digest: string } {
  const text = command("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${name}`);
  return { text, manifest: JSON.parse(text) as Manifest, digest: sha256(text) };
}

/** Skopeo reads and checks all of it. */
function checked(name: string, to: string): void {
  command("skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${name}`, `oci:${to}:v1`);
}

/** What became of each blob: "exists", "mounted", "sending". */
function events(output: string): string[] {
  const all = output
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { event: string }).event);
  return all.filter((event) => ["exists", "mounted", "sending"].includes(event));
}

for (const format of ["oci", "v2s2"]) {
  test(`a pulled image of ${format} keeps its manifest under another tag, and nothing is sent`, NEEDS, async (box) => {
    const store = new Store(box);
    using registry = await DockerRegistry.start(box);
    registry.push(store, await oddLayers(), "--format", format);
    assert.equal((await pull(store, ["-q", `${registry.host}/x:1`])).status, 0);
    const output = store.prints("image", "push", "--progress", "json", `${registry.host}/x:1`, `${registry.host}/x:2`);
    assert.deepEqual(events(output), ["exists", "exists", "exists", "exists"]);
    assert.equal(read(`${registry.host}/x:2`).text, read(`${registry.host}/x:1`).text);
  });
}

test(
  "in another repository of the registry layers are taken over, and the manifest is the same",
  NEEDS,
  async (box) => {
    const store = new Store(box);
    using registry = await DockerRegistry.start(box);
    registry.push(store, await oddLayers());
    assert.equal((await pull(store, ["-q", `${registry.host}/x:1`])).status, 0);
    const output = store.prints(
      "image",
      "push",
      "--progress",
      "json",
      `${registry.host}/x:1`,
      `${registry.host}/a/b:2`,
    );
    assert.deepEqual(events(output).toSorted(), ["mounted", "mounted", "mounted", "sending"]);
    assert.equal(read(`${registry.host}/a/b:2`).text, read(`${registry.host}/x:1`).text);
  },
);

test("a loaded image has the same id for all who pull it, and is not sent twice", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  const id = await store.loadImage({ layers: await oddLayers(), process: { Cmd: ["sh"] } });
  const file = box.path("digest");
  const name = `${registry.host}/y:1`;
  assert.equal(
    store.prints("image", "push", "-q", "--digestfile", file, "it", name).trim(),
    readFileSync(file, "utf8"),
  );
  const { manifest, digest } = read(name);
  assert.equal(readFileSync(file, "utf8"), digest);
  assert.equal(manifest.config.digest, id);
  const link = box.path("link");
  symlinkSync(file, link);
  writeFileSync(file, "x".repeat(1000));
  store.prints("image", "push", "-q", "--digestfile", link, "it", name);
  assert.ok(lstatSync(link).isSymbolicLink(), "it may be /dev/stdout");
  assert.equal(readFileSync(file, "utf8"), digest);
  checked(name, box.path("copy"));
  const output = store.prints("image", "push", "--progress", "json", "it", name);
  assert.deepEqual(events(output), ["exists", "exists", "exists", "exists"]);
  const other = new Store(box, "other");
  assert.equal((await pull(other, ["-q", name])).status, 0);
  assert.deepEqual(other.names("layers"), store.names("layers"));
  const [inspected] = JSON.parse(other.prints("image", "inspect", name)) as { Id: string }[];
  assert.equal(inspected?.Id, id);
});

test("a layer that lies below an opaque root is sent too, and the image is the same", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  const hidden = await filesLayer({ hidden: "1" });
  const opaque = await filesLayer({ ".wh..wh..opq": "", seen: "2" });
  const id = await store.loadImage({ layers: [hidden, opaque] });
  const name = `${registry.host}/opaque:1`;
  store.prints("image", "push", "-q", "it", name);
  assert.equal(read(name).manifest.layers.length, 2);
  const other = new Store(box, "other");
  assert.equal((await pull(other, ["-q", name])).status, 0);
  const [inspected] = JSON.parse(other.prints("image", "inspect", name)) as { Id: string }[];
  assert.equal(inspected?.Id, id);
  assert.deepEqual(other.names("layers"), store.names("layers"));
});

for (const [compression, type] of [
  ["zstd", "application/vnd.oci.image.layer.v1.tar+zstd"],
  ["none", "application/vnd.oci.image.layer.v1.tar"],
] as const) {
  test(`layers are sent as ${compression}, and pulled by others`, NEEDS, async (box) => {
    const store = new Store(box);
    using registry = await DockerRegistry.start(box);
    await store.loadImage({ layers: await oddLayers() });
    const name = `${registry.host}/y:1`;
    // From an archive that another one has made: nothing of its own compression is known here.
    store.prints("image", "push", "-q", "--compression", compression, "it", name);
    for (const { mediaType } of read(name).manifest.layers) assert.equal(mediaType, type);
    const other = new Store(box, "other");
    assert.equal((await pull(other, ["-q", name])).status, 0);
    assert.deepEqual(other.names("layers"), store.names("layers"));
  });
}

test("media types of docker stay docker's, and zstd is refused with them", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  registry.push(store, [await BASE], "--format", "v2s2");
  assert.equal((await pull(store, ["-q", `${registry.host}/x:1`])).status, 0);
  using second = await DockerRegistry.start(box, "", "second");
  store.prints("image", "push", "-q", `${registry.host}/x:1`, `${second.host}/x:1`);
  assert.match(read(`${second.host}/x:1`).manifest.mediaType, /vnd\.docker\.distribution\.manifest\.v2\+json/);
  checked(`${second.host}/x:1`, box.path("copy"));
  const push = ["image", "push", "--compression", "zstd", `${registry.host}/x:1`, `${second.host}/x:2`];
  assert.match(store.refuses(...push), /docker's media types has no zstd layers/);
  store.prints("image", "push", "-q", "--format", "oci", `${registry.host}/x:1`, `${second.host}/x:3`);
  assert.match(read(`${second.host}/x:3`).manifest.mediaType, /vnd\.oci\.image\.manifest/);
});

test("an upload over a line that breaks again and again comes through", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  const layers = await oddLayers();
  const layout = store.layout("layout", layoutFiles({ layers, name: "v1" }));
  const proxy = cutting(registry.host, { limit: 700_000, times: 4, direction: "up" }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const host = `localhost:${(proxy.address() as AddressInfo).port}`;
  const copied = await store.begin(["image", "copy", "--progress", "json", `oci:${layout}:v1`, `${host}/x:1`]).ended;
  proxy.close();
  assert.equal(copied.status, 0, copied.stderr);
  assert.equal(proxy.cuts, 4);
  checked(`${registry.host}/x:1`, box.path("copy"));
});

test("two pushes at once both succeed", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  await store.loadImage({ layers: await oddLayers() });
  const pushes = [1, 2].map((tag) => store.begin(["image", "push", "-q", "it", `${registry.host}/x:${tag}`]).ended);
  const [one, other] = await Promise.all(pushes);
  assert.deepEqual([one?.status, other?.status], [0, 0], `${one?.stderr ?? ""}${other?.stderr ?? ""}`);
  assert.equal(read(`${registry.host}/x:1`).text, read(`${registry.host}/x:2`).text);
});

test(
  "a copy from registry to registry keeps every byte, and takes over what the same registry has",
  NEEDS,
  async (box) => {
    const store = new Store(box);
    using registry = await DockerRegistry.start(box);
    using second = await DockerRegistry.start(box, "", "second");
    registry.push(store, await oddLayers());
    const from = `docker://${registry.host}/x:1`;
    const digest = store.prints("image", "copy", "-q", from, `docker://${second.host}/y:1`).trim();
    assert.equal(digest, read(`${registry.host}/x:1`).digest);
    assert.equal(read(`${second.host}/y:1`).digest, digest);
    checked(`${second.host}/y:1`, box.path("copy"));
    const output = store.prints("image", "copy", "--progress", "json", from, `docker://${registry.host}/z:1`);
    assert.deepEqual(events(output), ["mounted", "mounted", "mounted", "mounted"]);
    assert.deepEqual(store.names("layers"), []);
  },
);

test("an index is copied whole with --all, and its image for this machine without", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  registry.push(store, [await BASE]);
  const { digest, text } = read(`${registry.host}/x:1`);
  const platform = { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" };
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifests = [
    { mediaType: type, digest, size: text.length, platform: { os: "linux", architecture: "s390x" } },
    { mediaType: type, digest, size: text.length, platform },
  ];
  const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
  await fetch(`http://${registry.host}/v2/x/manifests/all`, {
    method: "PUT",
    headers: { "content-type": mediaType },
    body: index,
  });
  store.prints("image", "copy", "-q", "--all", `${registry.host}/x:all`, `${registry.host}/y:all`);
  assert.equal(read(`${registry.host}/y:all`).text, index);
  store.prints("image", "copy", "-q", `${registry.host}/x:all`, `${registry.host}/y:one`);
  assert.equal(read(`${registry.host}/y:one`).text, text);
});

test("a copy into a layout and back keeps every byte, and other images of the layout stay", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  registry.push(store, await oddLayers());
  const layout = box.path("copied");
  for (const name of ["one", "two", "one"])
    store.prints("image", "copy", "-q", `docker://${registry.host}/x:1`, `oci:${layout}:${name}`);
  const { manifests } = JSON.parse(readFileSync(`${layout}/index.json`, "utf8")) as { manifests: object[] };
  assert.equal(manifests.length, 2);
  command("skopeo", "copy", "-q", `oci:${layout}:two`, `oci:${box.path("again")}:v1`);
  store.prints("image", "copy", "-q", `oci:${layout}:two`, `${registry.host}/back:1`);
  assert.equal(read(`${registry.host}/back:1`).text, read(`${registry.host}/x:1`).text);
  const other = box.file("other");
  writeFileSync(`${other}/x`, "");
  assert.match(
    store.refuses("image", "copy", `${registry.host}/x:1`, `oci:${other}`),
    /neither an OCI layout nor empty/,
  );
});
