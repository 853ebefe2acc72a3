/** Several at once, and commands that die: the store is always whole. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "../support/box.ts";
import { layerOf, sha256, type Layer, type TarEntry } from "../../scripts/fixtures.ts";
import { BASE, EMPTY, filesLayer, Store } from "./images.ts";

/** A layer that takes its time. */
function bigLayer(mark: string): Promise<Layer> {
  return layerOf(
    Array.from({ length: 3000 }, (_, index): TarEntry => ({
      name: `${mark}/${index % 50}/${index}`,
      content: `${mark}${index}`.repeat(200),
    })),
  );
}

test("two loads at once of one image, and of two that share a layer, all succeed", [], async (box) => {
  const store = new Store(box);
  const [shared, one, two] = [await bigLayer("shared"), await filesLayer({ one: "1" }), await filesLayer({ two: "2" })];
  const first = await store.archive("first.tar", { layers: [shared, one] });
  const second = await store.archive("second.tar", { layers: [shared, two] });
  const running = [first, first, second, second].map((archive) => store.begin(["image", "load", archive]));
  for (const { ended } of running) {
    const { status, stderr } = await ended;
    assert.equal(status, 0, stderr);
  }
  assert.equal(store.prints("image", "ls", "-q").trim().split("\n").length, 2);
  assert.equal(store.names("layers").length, 3);
  assert.deepEqual(store.names("trash"), []);
});

test("images are listed and run while another is loaded", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const loading = store.begin(["image", "load", await store.archive("big.tar", { layers: [await bigLayer("big")] })]);
  for (let round = 0; round < 10; round++) {
    store.prints("image", "ls");
    assert.equal(store.says("echo fine"), "fine");
  }
  assert.equal((await loading.ended).status, 0);
});

test(
  "a load that is killed at any moment leaves a store in which the next one works, and nothing else",
  [],
  async (box) => {
    const store = new Store(box);
    const layers = [await bigLayer("a"), await bigLayer("b")];
    const archive = await store.archive("big.tar", { layers, process: { Cmd: ["true"] } });
    const begun = Date.now();
    store.prints("image", "load", archive);
    const whole = Date.now() - begun;
    store.prints("image", "rm", "big");
    for (let round = 0; round < 12; round++) {
      const loading = store.begin(["image", "load", archive]);
      await pause((whole * round) / 11);
      loading.child.kill("SIGKILL");
      await loading.ended;
      store.prints("image", "ls");
      store.prints("image", "load", archive);
      assert.deepEqual(store.names("layers"), layers.map(({ tar }) => sha256(tar).slice(7)).toSorted());
      assert.deepEqual([store.names("trash"), store.names("containers")], [[], []]);
      store.prints("image", "rm", "big");
      assert.deepEqual(store.contents(), EMPTY);
    }
  },
);

test("a load that fails holds no lock (CVE-2021-20291)", [], async (box) => {
  const store = new Store(box);
  const broken = { ...(await filesLayer({ a: "1" })), blob: Buffer.from("not gzip at all") };
  const archive = await store.archive("broken.tar", { layers: [await bigLayer("x"), broken] });
  for (let round = 0; round < 3; round++) store.refuses("image", "load", archive);
  assert.deepEqual(store.contents(), EMPTY);
  await store.load();
});

test(
  "an image that is removed while containers of it start is there for each of them, or for none",
  [],
  async (box) => {
    const store = new Store(box);
    const archive = await store.archive("it.tar", { layers: [await BASE], process: { Cmd: ["cat", "/etc/group"] } });
    for (let round = 0; round < 8; round++) {
      store.prints("image", "load", archive);
      const runs = [0, 1, 2].map(() => store.begin(["run", "--image", "it", "--pull", "never", box.id()]));
      await pause(round * 4);
      store.prints("image", "rm", "--force", "it");
      for (const { ended } of runs) {
        const { status, stdout, stderr } = await ended;
        if (status === 0) assert.match(stdout, /staff/);
        else
          assert.match(
            stderr,
            /not in the store|removed or replaced meanwhile|cannot look into the image|cannot read sha256/,
          );
      }
    }
    store.prints("image", "load", archive);
    store.prints("image", "rm", "it");
    assert.deepEqual(store.contents(), EMPTY);
  },
);
