/** Layers that are kept as their archive with an index: `--snapshotter erofs`. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type Box } from "../support/box.ts";
import { layerOf, sha256 } from "../../scripts/fixtures.ts";
import { FakeRegistry, pull } from "./fake-registry.ts";
import { BASE, filesLayer, Store } from "./images.ts";

const EROFS = ["--snapshotter", "erofs"];

/** A tmpfs is no place for such layers. */
const DISK = mkdtempSync(join(process.env["TSRUN_TEST_DIR"] ?? "/var/tmp", "tsrun-test-"));
process.on("exit", () => rmSync(DISK, { recursive: true, force: true }));

let made = 0;

function onDisk(box: Box): Store {
  return new Store(box, join(DISK, `${box.mark}-${++made}`));
}

/** Mounts of the host that have to do with EROFS. */
function mounts(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(" - erofs "));
}

/** An image "it" whose upper layer hides, links and implies; its layers in these forms. */
async function loaded(store: Store, ...forms: readonly string[]): Promise<void> {
  const layers = [
    await BASE,
    await layerOf([
      { name: "d/", type: "directory", mode: 0o700, uid: 5 },
      { name: "d/a", content: "1" },
      { name: "o/x", content: "2" },
      { name: "gone", content: "3" },
    ]),
    await layerOf([
      { name: "d/b", content: "4" },
      { name: "d/link", type: "link", linkname: "d/b" },
      { name: ".wh.gone" },
      { name: "o/.wh..wh..opq" },
      { name: "o/y", content: "5" },
    ]),
  ];
  for (const [index, form] of forms.entries()) {
    const part = await store.archive(`${index}.tar`, { layers: layers.slice(0, index + 1) });
    store.prints("--snapshotter", form, "image", "load", part, "--name", `part${index}`);
  }
  const archive = await store.archive("it.tar", { layers, process: { Cmd: ["sh"], User: "alice" } });
  store.prints(...EROFS, "image", "load", archive, "--name", "it");
}

const LOOK = "cd /; stat -c '%a %u %h' d d/b; cat d/a; ls o; ls gone 2>&1; echo >> d/a; cat d/a; id -u";
const SEEN = /^700 5 \d+\n644 0 2\n1y\nls: gone: No such file or directory\n1\n0$/;

test("a container of such layers sees what one of directories does", ["root", "erofs"], async (box) => {
  const store = onDisk(box);
  await loaded(store);
  for (const name of store.names("layers")) {
    assert.deepEqual(store.names(`layers/${name}`), ["erofs", "layer.json", "tar"]);
    assert.equal(sha256(readFileSync(join(store.path, "layers", name, "tar"))), `sha256:${name}`);
  }
  assert.match(store.says(LOOK, "--user", "root"), SEEN);
  assert.equal(store.says("id -un"), "alice");
  assert.deepEqual(mounts(), []);
});

test("an image with layers of both forms runs", ["root", "erofs"], async (box) => {
  for (const forms of [["overlayfs"], ["erofs", "overlayfs"]]) {
    const store = onDisk(box);
    await loaded(store, ...forms);
    const kinds = new Set(store.names("layers").map((name) => store.names(`layers/${name}`)[0]));
    assert.deepEqual(kinds, new Set(["erofs", "fs"]));
    assert.match(store.says(LOOK, "--user", "root"), SEEN);
    assert.match(store.prints("image", "check"), /: 0 faults\n$/);
  }
});

test("an image of one layer runs, and volumes begin with what it has", ["root", "erofs"], async (box) => {
  const store = onDisk(box);
  const archive = await store.archive("one.tar", { layers: [await BASE], process: { Cmd: ["sh"] } });
  store.prints(...EROFS, "image", "load", archive, "--name", "it");
  assert.equal(store.says("cat /v/group | head -n 1", "--volume", "filled:/v", "--volume", "etc:/etc").length, 0);
  assert.equal(store.says("head -n 1 /etc/group", "--volume", "etc:/etc"), "root:x:0:");
  assert.deepEqual(mounts(), []);
});

test("a container can be looked at from outside", ["root", "erofs"], async (box) => {
  const store = onDisk(box);
  await loaded(store);
  const id = box.id();
  store.prints("run", "--keep", "--image", "it", "--user", "root", id, "--", "sh", "-c", "rm /d/a; echo new > /d/c");
  assert.equal(store.prints("diff", id), "C /d\nD /d/a\nA /d/c\n");
  store.prints("cp", `${id}:/d/c`, box.path("copied"));
  assert.equal(readFileSync(box.path("copied"), "utf8"), "new\n");
  store.prints("cp", `${id}:/o/y`, box.path("y"));
  assert.equal(readFileSync(box.path("y"), "utf8"), "5");
  store.prints("delete", id);
  store.prints("image", "unpack", "it", box.path("bundle"));
  assert.equal(readFileSync(box.path("bundle/rootfs/d/link"), "utf8"), "4");
  assert.ok(!existsSync(box.path("bundle/rootfs/gone")));
  assert.match(store.prints("image", "inspect", "it"), /layers\/[0-9a-f]+\/erofs/);
  assert.match(store.prints("explain", "create", "--image", "it"), /without a loop device/);
  assert.deepEqual(mounts(), []);
});

test(
  "damage is found; what follows from the archive is made again, and the rest set aside",
  ["root", "erofs"],
  async (box) => {
    const store = onDisk(box);
    const layer = await filesLayer({ a: "1" });
    const archive = await store.archive("it.tar", { layers: [layer] });
    store.prints(...EROFS, "image", "load", archive, "--name", "it");
    const path = join(store.path, "layers", sha256(layer.tar).slice(7));
    for (const name of ["erofs", "layer.json"]) {
      writeFileSync(join(path, name), "{}");
      assert.match(store.tsrun(["image", "check"]).stdout, new RegExp(`${name}: is damaged`.replace(".", "\\.")));
      assert.equal(store.tsrun(["image", "check", "--repair"]).status, 0);
      assert.match(store.prints("image", "check"), /: 0 faults\n$/);
    }
    rmSync(join(path, "tar"));
    assert.match(store.tsrun(["image", "check", "--repair"]).stdout, /cannot be mended/);
    store.prints("--snapshotter", "overlayfs", "image", "load", archive, "--name", "it");
    assert.deepEqual(store.names(`layers/${sha256(layer.tar).slice(7)}`), ["fs", "layer.json", "recipe", "tree"]);
    assert.match(store.prints("image", "check"), /: 0 faults\n$/);
  },
);

test("in a user namespace the files are those of its root, also where the forms are mixed", ["erofs"], async (box) => {
  for (const forms of [[], ["overlayfs"]]) {
    const store = onDisk(box);
    await loaded(store, ...forms);
    const look = "stat -c '%u %g' /d /d/b /bin/sh; ls /o; echo >> /d/b && cat /proc/self/uid_map";
    const [d, b, sh, o, map] = store.says(look, "--user", "root", "--userns", "auto").split("\n");
    assert.deepEqual([d, b, sh, o], ["5 0", "0 0", "0 0", "y"]);
    assert.doesNotMatch(map ?? "", /^ *0 +0 /);
    assert.deepEqual(mounts(), []);
  }
});

test("what is not in use goes, and is counted before", ["root", "erofs"], async (box) => {
  const store = onDisk(box);
  await loaded(store);
  assert.match(store.prints("image", "du"), /layers +3 +3/);
  store.prints("image", "rm", "it");
  assert.deepEqual(store.names("layers"), []);
});

test("what a registry gives is whole, and stays so when it is mended", ["root", "erofs"], async (box) => {
  const store = onDisk(box);
  await using registry = await FakeRegistry.start();
  registry.add("1", [await BASE, await filesLayer({ a: "1" })]);
  const name = `${registry.host}/x:1`;
  const env = { PATH: process.env["PATH"] ?? "", TSRUN_SNAPSHOTTER: "erofs" };
  assert.equal((await pull(store, ["-q", name], { env })).status, 0);
  const files = (): string[] => store.names(`layers/${store.names("layers")[0]}`);
  assert.deepEqual(files(), ["erofs", "layer.json", "places.json", "tar"]);
  for (const args of [[], ["--repair"]])
    assert.match(store.prints("image", "check", ...args), / 0 faults(, 0 dealt with)?\n$/);
  assert.ok(files().includes("places.json"), "where the layer's blob is");
});

test("the form is one of two, by the option or else by the environment", ["root", "erofs"], async (box) => {
  const store = onDisk(box);
  const archive = await store.archive("it.tar", { layers: [await filesLayer({ a: "1" })] });
  assert.match(
    store.refuses("--snapshotter", "zfs", "image", "load", archive),
    /unknown snapshotter "zfs": must be overlayfs or erofs/,
  );
  const env = { PATH: process.env["PATH"] ?? "", TSRUN_SNAPSHOTTER: "erofs" };
  assert.equal(store.tsrun(["image", "load", archive], { env }).status, 0);
  assert.deepEqual(store.names(`layers/${store.names("layers")[0]}`), ["erofs", "layer.json", "tar"]);
});

test(
  "where the kernel cannot mount it, as on a tmpfs, it is refused and nothing is left",
  ["root", "erofs"],
  async (box) => {
    const store = onDisk(box);
    const archive = await store.archive("it.tar", { layers: [await filesLayer({ a: "1" })] });
    const memory = `/dev/shm/${box.id()}`;
    try {
      const { status, stderr } = store.tsrun(["--store", memory, ...EROFS, "image", "load", archive]);
      assert.equal(status, 1);
      assert.match(stderr, /cannot keep layers as EROFS: .* not those of a tmpfs/);
      assert.equal(store.tsrun(["--store", memory, "image", "ls", "--quiet"]).stdout, "");
      assert.deepEqual(new Store(box, memory).names("layers"), []);
    } finally {
      rmSync(memory, { recursive: true, force: true });
    }
  },
);
