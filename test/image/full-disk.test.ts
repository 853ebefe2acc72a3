/** A disk that is full: a clear error, nothing left behind, and the store goes on. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { test, type Box } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { layerOf, type Layer } from "../../scripts/fixtures.ts";
import { assertNothing, FakeRegistry, pull } from "./fake-registry.ts";
import { EMPTY, filesLayer, Store } from "./images.ts";

/** A layer of so many megabytes that do not become fewer. */
function noise(megabytes: number): Promise<Layer> {
  const { stdout } = spawnSync("head", ["-c", String(megabytes << 20), "/dev/urandom"], { maxBuffer: 1 << 30 });
  return layerOf([{ name: "big", content: stdout }], false);
}

test("a full disk leaves nothing behind, and the message says how much is missing", [], async (box) => {
  const store = new Store(box);
  mkdirSync(store.path);
  const archive = await store.archive("big.tar", {
    layers: [await filesLayer({ small: "1" }), await noise(12)],
  });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", store.path]);
  try {
    const said = store.refuses("image", "load", archive);
    assert.match(
      said,
      /^there is no room for the image in .*: its layers take 12\.6MB, and 8\.\d+MB are free; at least 4\.\d+MB are missing/,
    );
    assert.deepEqual(store.contents(), EMPTY);
    assert.deepEqual([store.names("tasks"), store.names("locks")], [[], []]);
    store.prints("image", "load", await store.archive("small.tar", { layers: [await filesLayer({ small: "1" })] }));
    execFileSync("dd", ["if=/dev/zero", `of=${store.path}/filler`, "bs=64k"], {
      stdio: "ignore",
      timeout: 10_000,
    } as never);
  } catch (error) {
    if (!(error instanceof Error && "status" in error)) throw error; // dd has filled it to the last byte.
  } finally {
    // With no byte left what is there can still be looked at, checked for by name, and removed.
    assert.match(store.prints("image", "ls"), /small/);
    assert.match(
      store.refuses("image", "tag", "small", "x"),
      /cannot write .*%x:latest\.json: no space left on device/,
    );
    assert.deepEqual(store.names("refs"), ["docker.io%library%small:latest.json"]);
    store.prints("image", "rm", "small");
    assert.deepEqual(store.contents(), EMPTY);
    execFileSync("umount", [store.path]);
  }
});

test("a disk with no room for more files says that", [], async (box) => {
  const store = new Store(box);
  mkdirSync(store.path);
  const files = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${index}`, ""]));
  const archive = await store.archive("many.tar", { layers: [await filesLayer(files)] });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m,nr_inodes=100", "tmpfs", store.path]);
  try {
    assert.match(store.refuses("image", "load", archive), /it has 200 files, and there may be \d+ more/);
    assert.deepEqual(store.contents(), EMPTY);
  } finally {
    execFileSync("umount", [store.path]);
  }
});

/** A store on an ext4 of so many megabytes. */
async function onSmallDisk(box: Box, megabytes: number, body: (store: Store) => Promise<void>): Promise<void> {
  const store = new Store(box);
  mkdirSync(store.path);
  const file = box.path("disk.img");
  execFileSync("truncate", ["-s", `${megabytes}M`, file]);
  execFileSync("mkfs.ext4", ["-q", "-m", "0", file]);
  execFileSync("mount", ["-o", "loop", file, store.path]);
  try {
    await body(store);
  } finally {
    await eventually(() => spawnSync("umount", [store.path]).status === 0, "nobody is at it");
    rmSync(file);
  }
}

/** Takes all room but so many kilobytes. */
function fill(store: Store, left: number): void {
  const { stdout } = spawnSync("df", ["--output=avail", "-k", store.path], { encoding: "utf8" });
  const free = Number(stdout.split("\n")[1]);
  spawnSync("dd", ["if=/dev/zero", `of=${store.path}/filler`, "bs=1k", `count=${Math.max(free - left, 0)}`], {
    stdio: "ignore",
  });
}

test(
  "however little room there is, a pull, a load, a tag and a run fail clearly or succeed, and the store is whole",
  ["loop"],
  async (box) => {
    await using registry = await FakeRegistry.start();
    const big = await noise(3);
    registry.add("1", [big, await filesLayer({ small: "1" })]);
    const name = `${registry.host}/x:1`;
    await onSmallDisk(box, 24, async (store) => {
      await store.load();
      const archive = await store.archive("big.tar", { layers: [big] });
      const before = store.contents();
      const outcomes = { done: 0, refused: 0 };
      const look = (status: number, stderr: string, what: string): void => {
        assert.ok(status === 0 || /^[^\n]{1,4096}\n$/.test(stderr), `${what}: ${status} ${stderr}`);
        if (status !== 0) assert.match(stderr, /no room|[Nn]o space left on device/, what);
        outcomes[status === 0 ? "done" : "refused"]++;
      };
      for (const left of [0, 4, 16, 60, 200, 1000, 3000, 3200, 4000, 7000]) {
        fill(store, left);
        const pulled = await pull(store, ["-q", name]);
        look(pulled.status, pulled.stderr, `pull, ${left} kB`);
        assert.deepEqual([store.names("downloads"), store.names("pulls")], [[], []]);
        if (pulled.status === 0) store.prints("image", "rm", name);
        for (const args of [
          ["image", "load", archive],
          ["image", "tag", "it", "other"],
          ["run", "--image", "it", box.id(), "--", "true"],
        ]) {
          const { status, stderr } = store.tsrun(args);
          look(status, stderr, `${args.join(" ")}, ${left} kB`);
        }
        for (const each of ["big", "other"]) store.tsrun(["image", "rm", each]);
        assert.match(store.prints("image", "ls"), /it/);
        rmSync(`${store.path}/filler`, { force: true });
        assert.match(store.prints("image", "check"), / 0 faults\n$/);
        assert.deepEqual(store.contents(), before);
        assert.equal(store.says("echo fine"), "fine");
      }
      assert.ok(outcomes.done >= 6 && outcomes.refused >= 6, JSON.stringify(outcomes));
      store.prints("image", "rm", "it");
      assertNothing(store);
    });
  },
);

test("layers that fill the disk together are told as that, and not as damaged", ["loop"], async (box) => {
  await using registry = await FakeRegistry.start();
  registry.add("1", await Promise.all(Array.from({ length: 6 }, () => noise(3))));
  await onSmallDisk(box, 24, async (store) => {
    for (let round = 0; round < 6; round++) {
      const { status, stderr } = await pull(store, ["-q", `${registry.host}/x:1`]);
      assert.equal(status, 1);
      assert.match(stderr, /there is no room for the image in .*: its layers take \d+\.\dMB, .* missing/);
      assertNothing(store);
    }
  });
});

test("a store on an overlayfs, which makes no whiteouts, is called that", [], async (box) => {
  const directories = ["lower", "upper", "work", "merged"].map((name) => box.file(name));
  const [lower, upper, work, merged = ""] = directories;
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  execFileSync("mount", ["-t", "overlay", "-o", options, "none", merged]);
  try {
    const store = new Store(box, `${merged}/store`);
    const archive = await store.archive("it.tar", { layers: [await filesLayer({ ".wh.a": "" })] });
    assert.match(store.refuses("image", "load", archive), /whiteout \(is the store on an overlayfs\?\): Operation not/);
    assert.deepEqual(store.contents(), EMPTY);
  } finally {
    execFileSync("umount", [merged]);
  }
});
