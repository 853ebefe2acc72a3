/**
 * Layers that mean harm, a row for each way that has been published: refused with one line, or kept to their own tree. Whatever
 * becomes of them, nothing beside the store changes.
 */
import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import { random } from "../support/random.ts";
import { treeOf } from "../support/tree.ts";
import { Canary } from "./canary.ts";
import { forgedLayer, type Forged } from "./forge.ts";
import { up, WAYS_OUT } from "./hostile-rows.ts";
import { BAD_WORDS } from "./hostile-words.ts";
import { EMPTY, Store } from "./images.ts";
import { thorough } from "./thorough.ts";

for (const { about, layers, refused, has = [], lacks = [] } of [...WAYS_OUT, ...BAD_WORDS]) {
  test(`${about} ${refused === undefined ? "stays inside" : "is refused"}`, ["tool:python3"], async (box) => {
    const canary = new Canary(box);
    const store = new Store(box);
    const image = { layers: layers(canary.path).map((layer) => forgedLayer(layer)), process: { Cmd: ["x"] } };
    const archive = await store.archive("it.tar", image);
    if (refused === undefined) {
      store.prints("image", "load", archive);
      assert.match(store.prints("image", "check"), / 0 faults\n$/);
      store.prints("image", "unpack", "it", box.path("bundle"));
      const tree = treeOf(`${box.path("bundle")}/rootfs`);
      for (const line of has)
        assert.ok(
          tree.some((each) => line.test(each)),
          `${String(line)}: ${tree.join("\n")}`,
        );
      for (const line of lacks) assert.ok(!tree.some((each) => line.test(each)), `${String(line)}: ${tree.join("\n")}`);
      store.prints("image", "rm", "it");
    } else assert.match(store.refuses("image", "load", archive), refused);
    canary.assertUntouched(about);
    assert.deepEqual(store.contents(), EMPTY);
  });
}

const rounds = thorough(60, 2000);

test(
  `of ${rounds} layers made of ill will at random, none changes anything outside or breaks the store`,
  ["tool:python3"],
  async (box) => {
    const canary = new Canary(box);
    const store = new Store(box);
    let loaded = 0;
    for (let seed = 1; seed <= rounds; seed++) {
      const dice = random(seed);
      const layers = Array.from({ length: 1 + dice.below(3) }, () => illWill(dice, canary.path));
      const what = `seed ${seed}: ${JSON.stringify(layers)}`;
      const archive = await store.archive("it.tar", {
        layers: layers.map((layer) => forgedLayer(layer)),
        process: { Cmd: ["x"] },
      });
      const { status, stderr } = store.tsrun(["image", "load", archive]);
      assert.ok(status === 0 || (status === 1 && /^[^\n]{1,4096}\n$/.test(stderr)), `${status} ${stderr} ${what}`);
      if (status === 0) {
        loaded++;
        assert.match(store.prints("image", "check"), / 0 faults\n$/, what);
        store.prints("image", "unpack", "it", box.path(`bundle${seed}`));
        store.prints("image", "rm", "it");
      }
      canary.assertUntouched(what);
      assert.deepEqual(store.contents(), EMPTY, what);
    }
    assert.ok(
      loaded > rounds / 10 && loaded < rounds,
      `${loaded} were loaded: the dice make neither only good ones nor only bad ones`,
    );
  },
);

/** Entries of which each may be the one that a check forgets. */
function illWill(dice: ReturnType<typeof random>, canary: string): Forged[] {
  const steps = ["a", "b", "l", "a/b", "l/x", "a/l/y", "b/l"];
  const name = (): string =>
    dice.below(80) === 0
      ? dice.pick([
          "..",
          "a/../b",
          "../x",
          "/",
          ".",
          "",
          ".wh.",
          ".wh..",
          "x".repeat(256),
          up(`${canary}/new`),
          "d/".repeat(260),
          "a\nb",
          "\u0007",
        ])
      : `${dice.pick(["", "", "./", "/"])}${dice.pick(steps)}${dice.pick(["", "", "", "/", "//c"])}`;
  const marked = (): string => {
    const [path, mark] = [dice.pick(steps), dice.pick([".wh.b", ".wh.l", ".wh..wh..opq", ".wh.secret", ".wh..wh.x"])];
    return `${path}/${mark}`;
  };
  const target = (): string =>
    dice.pick([
      canary,
      `${canary}/secret`,
      up(canary),
      "..",
      "../..",
      "/",
      ".",
      "a",
      "l",
      "/a/b",
      "b/l",
      "../a",
      "/proc/self/root",
      "/proc/self/fd/3",
    ]);
  return Array.from({ length: 1 + dice.below(5) }, (): Forged => {
    const flag = dice.pick(["0", "0", "0", "1", "1", "2", "2", "2", "3", "5", "5", "6"]);
    const attributes =
      dice.below(8) === 0
        ? { pax: { "SCHILY.xattr.trusted.overlay.redirect": "/", "SCHILY.xattr.trusted.overlay.opaque": "y" } }
        : {};
    return {
      name: dice.below(7) === 0 ? marked() : name(),
      flag,
      link: flag === "1" && dice.below(4) > 0 ? dice.pick(steps) : target(),
      body: flag === "0" ? "x".repeat(dice.below(20)) : "",
      mode: dice.pick([0o644, 0o7777, 0]),
      uid: dice.pick([0, 0, 1000, 0xffff_fffe]),
      device: dice.pick([
        [1, 3],
        [1, 3],
        [5, 1],
        [0, 1],
      ] as const),
      ...attributes,
    };
  });
}
