/** Images leave the store and are the same images elsewhere: here, and for the other programs that read such archives. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256, type Layer } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import { BASE, filesLayer, Store } from "./images.ts";

/** Layers of GNU tar's, with all that a recipe has to get right. */
const STRANGE = `
set -e
mkdir -p pax/deep gnu
echo one > pax/one; ln pax/one pax/two; ln -s one pax/link; mkfifo pax/pipe
chown 5:6 pax/one; chmod 4755 pax/one; setfattr -n user.note -v 'a note' pax/deep 2>/dev/null || true
printf name > "$(printf 'pax/not\\377utf8')"; echo long > "pax/deep/$(printf 'x%.0s' $(seq 200))"
tar --format=pax --xattrs -C pax -cf pax.tar .
cp pax.tar once.tar
echo changed > pax/one; tar --format=pax -C pax -rf pax.tar ./one
rm pax/two; mkdir pax/two; echo below > pax/two/below; tar --format=pax -C pax -rf pax.tar ./two
printf 'and what follows the end' >> pax.tar
truncate -s 1M gnu/sparse; echo data >> gnu/sparse; echo "$(printf 'y%.0s' $(seq 150))" > "gnu/$(printf 'y%.0s' $(seq 150))"
tar --format=gnu --sparse -b 1 -C gnu -cf gnu.tar .
tar --format=pax --sparse -b 1 -C gnu -cf both.tar ./sparse
`;

/** podman refuses a layer that has a file twice, or holes in the old notation. */
async function strangeLayers(box: Box, forPodman = false): Promise<Layer[]> {
  const folder = box.path("strange");
  mkdirSync(folder);
  const made = spawnSync("sh", ["-c", STRANGE], { cwd: folder, encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  const layers = ["once.tar", "both.tar", ...(forPodman ? [] : ["pax.tar", "gnu.tar"])].map((name): Layer => {
    const tar = readFileSync(join(folder, name));
    return { tar, blob: tar, mediaType: "application/vnd.oci.image.layer.v1.tar" };
  });
  return [await BASE, ...layers, await filesLayer({ "etc/.wh.group": "", "deep/.wh..wh..opq": "" })];
}

/** Loads an image of these layers as `name`; gives its id. */
async function load(store: Store, layers: readonly Layer[], name: string): Promise<string> {
  store.prints("image", "load", await store.archive("image.tar", { layers, process: { Cmd: ["sh"] } }), "--name", name);
  return inspect(store, name).Id;
}

interface Inspected {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RootFS: { readonly Layers: readonly string[] };
}

function inspect(store: Store, image: string): Inspected {
  const [found] = JSON.parse(store.prints("image", "inspect", image)) as Inspected[];
  assert.ok(found);
  return found;
}

const WAYS: readonly (readonly string[])[] = [
  ["docker-archive"],
  ["oci-archive"],
  ["oci-archive", "--compression", "zstd"],
  ["oci-archive", "--compression", "none"],
  ["oci-dir"],
];

test("an image that was saved loads as the same image, with the same files", [], async (box) => {
  const store = new Store(box);
  const layers = await strangeLayers(box);
  const id = await load(store, layers, "it");
  for (const [number, [format = "", ...flags]] of WAYS.entries()) {
    const path = box.path(`saved-${number}`);
    store.prints("image", "save", "--format", format, ...flags, "-o", path, "it");
    const fresh = new Store(box, `fresh-${number}`);
    assert.equal(fresh.prints("image", "load", path), "it:latest\n", format);
    const { Id, RootFS } = inspect(fresh, "it");
    assert.equal(Id, id);
    assert.deepEqual(
      RootFS.Layers,
      layers.map(({ tar }) => sha256(tar)),
    );
    for (const layer of store.names("layers")) {
      const record = `layers/${layer}/layer.json`;
      // The list of all files with their attributes and hashes.
      assert.equal(treeOf(fresh, record), treeOf(store, record), `${format} ${layer}`);
    }
  }
});

function treeOf(store: Store, record: string): string {
  const { tree } = JSON.parse(store.text(record)) as { tree: string };
  const list = store.text(record.replace("layer.json", "tree"));
  assert.equal(tree.length, 64);
  // The first entry says how the blob was compressed; what follows from the files is after it. A whiteout has no time of its own.
  return list.slice(list.indexOf("\0"), -64).replaceAll(/(?<=\0c 0 0 0 )[0-9.]+(?= 1 0 0:0 )/g, "any");
}

test(
  "a layer below a root that is opaque stays a layer of the image, though nothing of it is seen",
  [],
  async (box) => {
    const store = new Store(box);
    const opaque = await filesLayer({ ".wh..wh..opq": "", seen: "2" });
    const id = await load(store, [await filesLayer({ hidden: "1" }), opaque, await BASE], "it");
    for (const format of ["docker-archive", "oci-archive"]) {
      store.prints("image", "save", "--format", format, "-o", box.path(format), "it");
      const other = new Store(box, `of-${format}`);
      other.prints("image", "load", box.path(format), "--name", "it");
      assert.equal(inspect(other, "it").Id, id);
      assert.deepEqual(other.names("layers"), store.names("layers"));
      assert.equal(other.says("ls -d /hidden /seen 2>/dev/null; true"), "/seen");
      assert.equal(other.prints("image", "prune").includes("sha256"), false);
      assert.match(other.prints("image", "check"), / 0 faults\n$/);
    }
  },
);

test("the same image is saved as the same bytes", [], async (box) => {
  const store = new Store(box);
  await load(store, await strangeLayers(box), "it");
  for (const [format = "", ...flags] of WAYS.filter(([name]) => name !== "oci-dir")) {
    const [one, two] = [1, 2].map((number) => {
      const path = box.path(`${format}-${flags.at(-1) ?? ""}-${number}`);
      store.prints("image", "save", "--format", format, ...flags, "-o", path, "it");
      return readFileSync(path);
    });
    assert.ok(one !== undefined && two !== undefined && one.equals(two), format);
  }
  const whole = spawnSync("sh", ["-c", `tar -tvf ${box.path("docker-archive--1")}`], { encoding: "utf8" });
  assert.ok(
    whole.stdout
      .trim()
      .split("\n")
      .every((line) => line.includes(" 0/0 ") && line.includes(" 1970-01-01 ")),
    whole.stdout,
  );
});

test("several images are saved together, with the layers that they share once", [], async (box) => {
  const store = new Store(box);
  const [base, more] = [await BASE, await filesLayer({ a: "1" })];
  await load(store, [base], "one");
  await load(store, [base, more], "two");
  store.prints("image", "tag", "two", "example.com/other:v2");
  for (const [format = ""] of [["docker-archive"], ["oci-archive"]]) {
    const path = box.path(`${format}.tar`);
    store.prints("image", "save", "--format", format, "-o", path, "one", "two", "example.com/other:v2");
    const names = tarNames(path).filter((name) => !name.endsWith("/"));
    assert.equal(new Set(names).size, names.length, "no file comes twice");
    const fresh = new Store(box, `fresh-${format}`);
    const loaded = fresh.prints("image", "load", path).trim().split("\n").toSorted();
    assert.deepEqual(loaded, ["example.com/other:v2", "one:latest", "two:latest"]);
  }
});

test("an image that is saved by its id has no name", [], async (box) => {
  const store = new Store(box);
  const id = await load(store, [await BASE], "it");
  store.prints("image", "save", "-o", box.path("saved"), id);
  const fresh = new Store(box, "fresh");
  fresh.prints("image", "load", box.path("saved"), "--name", "again");
  assert.deepEqual([inspect(fresh, "again").Id, inspect(fresh, "again").RepoTags], [id, ["again:latest"]]);
});

test("an archive goes to standard output, between what is there and what follows", [], async (box) => {
  const store = new Store(box);
  await load(store, [await BASE], "it");
  store.prints("image", "save", "-o", box.path("saved"), "it");
  const command = box.command("--store", store.path, "image", "save", "it");
  const shell = (script: string): { status: number | null; stderr: string } =>
    spawnSync("sh", ["-c", script, "sh", ...command], { cwd: box.dir, encoding: "utf8" });
  for (const script of [`(printf head; "$@"; printf tail) > out`, `(printf head; "$@"; printf tail) | cat > out`]) {
    assert.equal(shell(script).status, 0);
    const archive = readFileSync(box.path("saved"), "latin1");
    assert.ok(readFileSync(box.path("out"), "latin1") === `head${archive}tail`, script);
  }
  const full = shell(`"$@" > /dev/full`);
  assert.equal(full.status, 1);
  assert.match(full.stderr, /No space left on device/);
});

test("a place that cannot be written is refused, and what is there stays", [], async (box) => {
  const store = new Store(box);
  await load(store, [await BASE], "it");
  mkdirSync(box.path("there"));
  assert.match(store.refuses("image", "save", "-o", box.path("there"), "it"), /is there already, and no regular file/);
  assert.match(
    store.refuses("image", "save", "--format", "oci-dir", "-o", box.path("there"), "it"),
    /is there already/,
  );
  assert.match(store.refuses("image", "save", "-o", "/dev/full", "it"), /no regular file/);
  assert.match(store.refuses("image", "save", "-o", box.path("no/such"), "it"), /No such file or directory/);
  assert.match(store.refuses("image", "save", "-o", box.path("x"), "nothing"), /is not in the store/);
  assert.match(store.refuses("image", "save", "--format", "oci-dir", "it"), /give --output/);
  assert.match(store.refuses("image", "save", "--compression", "gzip", "-o", box.path("x"), "it"), /as they are/);
  assert.match(store.refuses("image", "save", "--format", "tar", "-o", box.path("x"), "it"), /--format must be one of/);
  assert.deepEqual(readdirSync(box.path("there")), []);
  assert.ok(!existsSync(box.path("x")));
});

test("a layer that is damaged is named, and nothing is written", [], async (box) => {
  const store = new Store(box);
  const layer = await filesLayer({ a: "right" });
  await load(store, [await BASE, layer], "it");
  writeFileSync(join(store.path, "layers", sha256(layer.tar).slice(7), "fs/a"), "wrong");
  writeFileSync(box.path("old"), "an older file");
  const names = (): string[] => readdirSync(box.dir).filter((name) => !name.startsWith("call"));
  const before = names();
  for (const [format = "", ...flags] of WAYS) {
    const path = format === "oci-dir" ? box.path("new") : box.path("old");
    const said = store.refuses("image", "save", "--format", format, ...flags, "-o", path, "it");
    assert.ok(said.includes(sha256(layer.tar)) && said.includes("check --repair"), said);
  }
  assert.equal(readFileSync(box.path("old"), "utf8"), "an older file");
  assert.deepEqual(names(), before);
  assert.deepEqual(store.names("tasks"), []);
});

test("a saved archive is for its owner only", [], async (box) => {
  const store = new Store(box);
  await load(store, [await BASE], "it");
  store.prints("image", "save", "-o", box.path("saved"), "it");
  assert.equal(statSync(box.path("saved")).mode & 0o777, 0o600);
});

test("skopeo reads what was saved as the same image", ["tool:skopeo"], async (box) => {
  const store = new Store(box);
  const layers = await strangeLayers(box);
  const id = await load(store, layers, "it");
  for (const [number, [format = "", ...flags]] of WAYS.entries()) {
    const path = box.path(`saved-${number}`);
    store.prints("image", "save", "--format", format, ...flags, "-o", path, "it");
    const from = format === "docker-archive" ? `${format}:${path}` : `${format === "oci-dir" ? "oci" : format}:${path}`;
    const copy = box.path(`copied-${number}`);
    tool(box, "skopeo", "--insecure-policy", "copy", "-q", from, `dir:${copy}`);
    const { config } = JSON.parse(readFileSync(join(copy, "manifest.json"), "utf8")) as { config: { digest: string } };
    assert.equal(config.digest, id, from);
  }
});

test("podman loads what was saved as the same image", ["tool:podman"], async (box) => {
  const store = new Store(box);
  const layers = await strangeLayers(box, true);
  const id = await load(store, layers, "example.com/it:v1");
  const roots = ["--root", box.path("podman"), "--runroot", box.path("podman-run"), "--tmpdir", box.path("podman-tmp")];
  const podman = (...args: string[]): string => tool(box, "podman", ...roots, "--storage-driver", "vfs", ...args);
  for (const [format = "", ...flags] of WAYS.filter(([name]) => name !== "oci-dir")) {
    const path = box.path(`${format}${flags.at(-1) ?? ""}`);
    store.prints("image", "save", "--format", format, ...flags, "-o", path, "example.com/it:v1");
    podman("load", "-i", path);
    const [found] = JSON.parse(podman("inspect", "example.com/it:v1")) as Inspected[];
    assert.equal(found?.Id, id.slice(7), format);
    assert.deepEqual(
      found?.RootFS.Layers,
      layers.map(({ tar }) => sha256(tar)),
    );
    podman("rmi", "example.com/it:v1");
  }
});

function tool(box: Box, program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, HOME: box.dir, TMPDIR: box.dir },
    timeout: 300_000,
  });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

function tarNames(path: string): string[] {
  return spawnSync("tar", ["-tf", path], { encoding: "utf8" }).stdout.trim().split("\n");
}
