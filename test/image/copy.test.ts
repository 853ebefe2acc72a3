/** `image copy` between all places that images are in, each as the source and as the destination. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { ARCHITECTURE, archiveOf, configOf, sha256, type Layer } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";
import { command, cutting, DockerRegistry, oddLayers } from "./docker-registry.ts";
import { FakeRegistry, noisyLayer, on, refusal as refusalOf } from "./fake-registry.ts";
import { BASE, filesLayer, layoutFiles, Store } from "./images.ts";

const NEEDS = ["tool:docker-registry", "tool:skopeo"] as const;

/** A place of each kind. */
function placesIn(box: Box, host: string, which: string): string[] {
  const [dir, oci, docker] = [`${which}-dir`, `${which}.oci`, `${which}.docker`].map((name) => box.path(name));
  return [
    `docker://${host}/${which}:1`,
    `oci:${dir ?? ""}:v1`,
    `oci-archive:${oci ?? ""}:v1`,
    `docker-archive:${docker ?? ""}:example.com/it:v1`,
  ];
}

/** What skopeo reads; it checks all blobs while it copies them. */
function read(place: string, box: Box): { config: string; manifest: string; layers: string[] } {
  const flags = place.startsWith("docker://") ? ["--tls-verify=false"] : [];
  const inspect = (...more: string[]): string => command("skopeo", "inspect", ...flags, "--raw", ...more, place);
  const source = flags.map((flag) => flag.replace("--", "--src-"));
  const to = `dir:${box.path("checked")}`;
  command("skopeo", "--insecure-policy", "copy", "-q", ...source, place, to);
  const config = inspect("--config");
  const { rootfs } = JSON.parse(config) as { rootfs: { diff_ids: string[] } };
  return { config: sha256(config), manifest: sha256(inspect()), layers: rootfs.diff_ids };
}

test("an image goes from every place to every other and stays the same", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  const layers = await oddLayers();
  const files = layoutFiles({ layers, name: "v1", process: { Cmd: ["sh"] } });
  const layout = `oci:${store.layout("layout", files)}:v1`;
  const original = read(layout, box);
  const first = placesIn(box, registry.host, "first");
  for (const place of first) {
    const digest = store.prints("image", "copy", "-q", layout, place).trim();
    assert.equal(digest, place.startsWith("docker-archive:") ? original.config : original.manifest);
  }
  for (const [number, from] of first.entries())
    for (const to of placesIn(box, registry.host, `from${number}`)) {
      store.prints("image", "copy", "-q", from, to);
      const copied = read(to, box);
      assert.deepEqual([copied.config, copied.layers], [original.config, original.layers], `${from} ${to}`);
      // Only what comes from or goes to an archive of docker's has another manifest.
      const keeps = ![from, to].some((place) => place.startsWith("docker-archive:"));
      if (keeps) assert.equal(copied.manifest, original.manifest, `${from} ${to}`);
    }
  const other = new Store(box, "other");
  for (const place of first.slice(1)) {
    other.prints("image", "load", place, "--name", "it");
    assert.deepEqual(other.names("layers"), layers.map(({ tar }) => sha256(tar).slice(7)).toSorted());
    other.prints("image", "rm", "it");
  }
  assert.deepEqual(store.names("layers"), []);
});

test("what goes to an archive of docker's is what save writes", [], async (box) => {
  const store = new Store(box);
  const archive = await store.archive("it.tar", { layers: await oddLayers(), name: "it:1" });
  store.prints("image", "load", archive);
  store.prints("image", "save", "-o", box.path("saved"), "it:1");
  store.prints("image", "copy", "-q", `oci-archive:${archive}`, `docker-archive:${box.path("copied")}:it:1`);
  assert.ok(readFileSync(box.path("copied")).equals(readFileSync(box.path("saved"))));
  assert.equal(statSync(box.path("copied")).mode & 0o777, 0o600);
});

/** docker's archive of an image with these members for layers. */
async function dockerArchive(box: Box, layers: readonly Layer[], members: readonly Buffer[]): Promise<string> {
  const config = Buffer.from(configOf(layers, { Cmd: ["sh"] }));
  const names = members.map((_, at) => `${at}/layer.tar`);
  const images = [1, 2].map((tag) => ({ Config: "config.json", RepoTags: [`it:${tag}`], Layers: names }));
  const files = new Map([
    ["config.json", config],
    ["manifest.json", Buffer.from(JSON.stringify(images))],
    ...members.map((bytes, at) => [names[at] ?? "", bytes] as const),
  ]);
  const path = box.path("docker.tar");
  writeFileSync(path, await archiveOf(files));
  return path;
}

interface Manifest {
  readonly layers: readonly { readonly mediaType: string; readonly digest: string }[];
}

/** The manifest of a layout's only image. */
function manifestIn(path: string): Manifest {
  const json = (name: string): unknown => JSON.parse(readFileSync(`${path}/${name}`, "utf8"));
  const { manifests } = json("index.json") as { manifests: { digest: string }[] };
  return json(`blobs/${manifests[0]?.digest.replace(":", "/") ?? ""}`) as Manifest;
}

test("layers of docker's archive are compressed, and those that are stay as they are", [], async (box) => {
  const store = new Store(box);
  const layers = [await BASE, await filesLayer({ a: "1" }), await filesLayer({ b: "2" })];
  const [one, two, three] = layers.map(({ tar }) => tar);
  const compressed = gzipSync(two ?? "", { level: 1 });
  const archive = await dockerArchive(box, layers, [one ?? Buffer.of(), compressed, three ?? Buffer.of()]);
  for (const name of ["it:1", "it", "docker.io/library/it:2"]) {
    const said = name === "it" ? store.refuses("image", "copy", `docker-archive:${archive}:it`, "oci:x") : "";
    if (said !== "") assert.match(said, /there is no image "it" in it: there is "it:1", "it:2"/);
    else store.prints("image", "copy", "-q", `docker-archive:${archive}:${name}`, `oci:${box.path("layout")}:v1`);
  }
  const manifest = manifestIn(box.path("layout"));
  const gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
  assert.deepEqual(
    manifest.layers.map(({ mediaType }) => mediaType),
    [gzip, gzip, gzip],
  );
  assert.equal(manifest.layers[1]?.digest, sha256(compressed));
  store.prints("image", "load", `oci:${box.path("layout")}`, "--name", "it");
  assert.equal(store.says("cat /a /b"), "12");
  assert.match(store.refuses("image", "copy", `docker-archive:${archive}`, "oci:x"), /2 images in .*it:1, it:2/);
  assert.ok(!existsSync(box.path("x")), "nothing is made for what is refused");
});

/** What may not be left when a copy has failed. */
function assertUntouched(box: Box, before: readonly string[]): void {
  assert.deepEqual(filesOf(box), before);
  assert.equal(readFileSync(box.path("old"), "utf8"), "an older file");
}

function filesOf(box: Box): string[] {
  return readdirSync(box.dir).filter((name) => !name.startsWith("call"));
}

test("a layer that is not what its image says is refused wherever it goes, and nothing is left", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layers = [await BASE, await filesLayer({ a: "1" })];
  const [right, wrong] = [layers[0]?.tar ?? Buffer.of(), (await filesLayer({ a: "2" })).tar];
  const lies = [wrong, gzipSync(wrong), gzipSync(layers[1]?.tar ?? "").subarray(0, 60)];
  writeFileSync(box.path("old"), "an older file");
  for (const lie of lies) {
    const archive = await dockerArchive(box, layers, [right, lie]);
    const before = filesOf(box);
    const places = [
      `oci-archive:${box.path("old")}`,
      `docker-archive:${box.path("old")}`,
      `docker://${registry.host}/x`,
    ];
    for (const to of places) {
      const { status, stderr } = await store.begin(["image", "copy", "-q", `docker-archive:${archive}:it:1`, to]).ended;
      assert.equal(status, 1, stderr);
      assert.match(
        stderr,
        new RegExp(`cannot read layer ${sha256(layers[1]?.tar ?? "")}: .*(digest|truncated|damaged)`),
      );
    }
    assertUntouched(box, before);
  }
  assert.equal(registry.manifests.size, 0);
});

test("blobs of a layout that lie or lead out of it are refused by archives too", [], async (box) => {
  const store = new Store(box);
  const layer = await filesLayer({ a: "1" });
  const files = layoutFiles({ layers: [layer], name: "v1" });
  const member = `blobs/${sha256(layer.blob).replace(":", "/")}`;
  writeFileSync(box.path("old"), "an older file");
  writeFileSync(box.path("secret"), layer.blob);
  const changed = Buffer.from(layer.blob);
  changed.write("!", changed.length - 9);
  const lies: readonly [RegExp, (folder: string) => void][] = [
    [/must be sha256|damaged|truncated/, (folder) => writeFileSync(`${folder}/${member}`, changed)],
    [/bytes, must have/, (folder) => writeFileSync(`${folder}/${member}`, "short")],
    [/leads out of/, (folder) => void command("ln", "-sf", box.path("secret"), `${folder}/${member}`)],
    [/it is not in the image/, (folder) => void command("rm", `${folder}/${member}`)],
  ];
  for (const [at, [said, lie]] of lies.entries()) {
    const folder = store.layout(`layout${at}`, files);
    lie(folder);
    const before = filesOf(box);
    for (const to of ["oci-archive", "docker-archive"])
      assert.match(refusal(store, `oci:${folder}:v1`, `${to}:${box.path("old")}`), said);
    assertUntouched(box, before);
  }
});

function refusal(store: Store, from: string, to: string): string {
  return store.refuses("image", "copy", "-q", from, to);
}

test("a registry that lies leaves no archive, and one whose line breaks leaves a whole one", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const layer = await noisyLayer();
  registry.add("1", [layer]);
  const proxy = cutting(registry.host, { limit: 150_000, times: 2 }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const host = `localhost:${(proxy.address() as AddressInfo).port}`;
  const digest = sha256(layer.blob);
  for (const form of ["oci-archive", "docker-archive"]) {
    const copy = (from: string): Promise<Result> =>
      store.begin(["image", "copy", "-q", `${from}/x:1`, `${form}:${box.path("it.tar")}:it:1`]).ended;
    registry.lie = on(digest, (response) => {
      const body = Buffer.alloc(layer.blob.length);
      response.writeHead(200, { "content-length": body.length }).end(body);
    });
    assert.match(refusalOf(await copy(registry.host)), /its digest is|digest of the layer/);
    assert.ok(!existsSync(box.path("it.tar")));
    registry.lie = () => false;
    proxy.cuts = 0;
    const { status, stderr } = await copy(host);
    assert.deepEqual([status, proxy.cuts], [0, 2], stderr);
    assert.equal(store.prints("image", "load", box.path("it.tar")), "it:1\n");
    store.prints("image", "rm", "it:1");
    command("rm", box.path("it.tar"));
  }
  proxy.close();
});

test("a layer that an image has twice is in an archive once", [], async (box) => {
  const store = new Store(box);
  const twice = await filesLayer({ a: "1" });
  const archive = await store.archive("it.tar", { layers: [twice, await BASE, twice], name: "it:1" });
  const [first, second] = [box.path("first"), box.path("second")];
  store.prints("image", "copy", "-q", `oci-archive:${archive}`, `docker-archive:${first}:it:1`);
  store.prints("image", "copy", "-q", `docker-archive:${first}`, `oci:${box.path("layout")}:it:1`);
  store.prints("image", "copy", "-q", `oci:${box.path("layout")}`, `docker-archive:${second}:it:1`);
  assert.ok(readFileSync(second).equals(readFileSync(first)));
  assert.equal(
    command("tar", "-tf", first)
      .split("\n")
      .filter((name) => name.endsWith(".tar")).length,
    2,
  );
  assert.equal(manifestIn(box.path("layout")).layers.length, 3);
  store.prints("image", "load", first);
});

test("an index goes into an archive with all that it lists, and into docker's not at all", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const entry = registry.add("one", [await BASE]);
  const other = registry.add("two", [await filesLayer({ a: "1" })]);
  const { digest } = registry.addIndex("all", [
    { ...entry, platform: { os: "linux", architecture: ARCHITECTURE } },
    { ...other, platform: { os: "linux", architecture: "s390x" } },
  ]);
  const copy = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await store.begin(["image", "copy", "-q", ...args]).ended;
    return status === 0 ? stdout.trim() : stderr;
  };
  const archive = `oci-archive:${box.path("all.tar")}:v1`;
  assert.equal(await copy("--all", `${registry.host}/x:all`, archive), digest);
  registry.manifests.clear();
  registry.blobs.clear();
  assert.equal(await copy("--all", archive, `${registry.host}/x:back`), digest);
  assert.equal(registry.blobs.size, 4);
  const docker = `docker-archive:${box.path("docker.tar")}`;
  assert.match(await copy("--all", archive, docker), /a docker-archive has images and no indexes: --platform/);
  assert.ok(!existsSync(box.path("docker.tar")));
  await copy("--platform", "linux/s390x", archive, docker);
  assert.equal(store.prints("image", "load", docker, "--name", "there"), "there:latest\n");
});

test("places that cannot be written are refused in one line", [], async (box) => {
  const store = new Store(box);
  const archive = `oci-archive:${await store.archive("it.tar", { layers: [await BASE], name: "v1" })}`;
  box.file("there");
  for (const form of ["oci-archive", "docker-archive"]) {
    assert.match(refusal(store, archive, `${form}:${box.path("there")}`), /is there already, and no regular file/);
    assert.match(refusal(store, archive, `${form}:${box.path("no/such")}`), /No such file or directory/);
    assert.match(refusal(store, archive, `${form}:/dev/full`), /no regular file/);
  }
  assert.match(refusal(store, archive, "docker-archive:x:UPPER"), /invalid image name "UPPER"/);
  assert.match(refusal(store, archive, `docker-archive:x:it@sha256:${"0".repeat(64)}`), /a digest follows/);
  assert.match(refusal(store, "docker-archive:none.tar", "oci:x"), /cannot open .*none.tar/);
  assert.match(
    refusal(store, archive.replace("oci-archive", "docker-archive"), "oci:x"),
    /manifest\.json: it is not in the image/,
  );
  assert.ok(!existsSync(box.path("x")));
});
