/** Layers are unpacked apart and stacked: what comes out is what one after another would have made, whatever is in them. */
import { test } from "../support/box.ts";
import { random } from "../support/random.ts";
import { eventually } from "../support/runtime.ts";
import { assertSameTree, treeOf } from "../support/tree.ts";
import { busyboxEntries } from "../../scripts/fixtures.ts";
import { forgedLayer, type Forged } from "./forge.ts";
import { Store } from "./images.ts";
import { Model } from "./layer-model.ts";
import { thorough } from "./thorough.ts";

/** What a container has of its own, and the programs. */
const LEFT_OUT = ["bin", "dev", "proc", "sys", "etc"];

/** The lowest layer: busybox, and directories that upper layers have something in. */
function base(): Forged[] {
  const flags: Readonly<Record<string, string>> = { directory: "5", symlink: "2" };
  const programs = busyboxEntries(["sh", "sleep"]).map(({ name, type, mode, content, linkname }): Forged => {
    const flag = flags[type ?? ""] ?? "0";
    return {
      name,
      flag,
      ...(mode === undefined ? {} : { mode }),
      body: Buffer.from(content ?? ""),
      link: linkname ?? "",
    };
  });
  const directories = ["a", "a/b", "a/b/c", "d", "d/e", "a.b"].map((name, index): Forged => ({
    name: `${name}/`,
    flag: "5",
    mode: 0o700 + index,
    uid: index,
    pax: { mtime: `${index}00.000000${index}01` },
  }));
  return [...programs, ...directories];
}

const STEPS = ["a", "b", "c", "d", "e", "a.b", "root", "tmp", "ö"];

type Dice = ReturnType<typeof random>;

/** A layer of what layers are made of, for a tree that has `below`. */
function randomLayer(dice: Dice, below: Model): Forged[] {
  const layer: Forged[] = [];
  // What this layer has put that is no directory: nothing may lie below that.
  const files = new Set<string>();
  const isFree = (path: string): boolean => prefixes(path).every((prefix) => !files.has(prefix));
  const somewhere = (): string => {
    const known = below.paths().filter((path) => !LEFT_OUT.includes(path.split("/")[0] ?? ""));
    const parent = dice.below(3) === 0 ? "" : dice.pick(known);
    return dice.below(2) === 0
      ? parent
      : [parent, dice.pick(STEPS), ...(dice.below(3) === 0 ? [dice.pick(STEPS)] : [])].join("/");
  };
  if (dice.below(4) === 0)
    layer.push({
      name: "./",
      flag: "5",
      mode: dice.pick([0o755, 0o711, 0o1777]),
      gid: dice.below(3),
      pax: { mtime: "77.000000007" },
    });
  for (let count = 1 + dice.below(12); count > 0; count--) {
    const path = somewhere()
      .split("/")
      .filter((step) => step !== "")
      .join("/");
    if (path === "" || !isFree(path)) continue;
    const entries = randomEntries(
      dice,
      path,
      below,
      [...files].filter((file) => !file.startsWith(`${path}/`)),
    );
    for (const { name, flag = "0" } of entries) {
      if (String(name).includes(".wh.")) continue;
      if (flag === "5") {
        files.delete(path);
        continue;
      }
      removeBelow(files, path);
      files.add(path);
    }
    layer.push(...entries);
  }
  return layer;
}

/** What replaces a directory takes along what is in it. */
function removeBelow(files: Set<string>, path: string): void {
  for (const file of files) if (file.startsWith(`${path}/`)) files.delete(file);
}

function prefixes(path: string): string[] {
  const steps = path.split("/");
  return steps.slice(0, -1).map((_, index) => steps.slice(0, index + 1).join("/"));
}

/** What can be said of a path. */
interface Said {
  readonly dice: Dice;
  readonly path: string;
  readonly below: Model;
  readonly files: readonly string[];
  readonly attributes: Partial<Forged>;
  readonly whiteout: Forged;
  readonly directory: Forged;
  readonly file: Forged;
  /** None in what is no directory. */
  readonly opaque: readonly Forged[];
}

const SAYINGS: readonly ((said: Said) => readonly Forged[])[] = [
  ({ file }) => [file],
  ({ file }) => [file],
  ({ directory }) => [directory],
  ({ directory }) => [directory],
  ({ below, path, whiteout, file }) => (below.has(path) ? [whiteout] : [file]),
  ({ below, path, opaque, directory }) => (below.isDirectory(path) && opaque.length > 0 ? opaque : [directory]),
  ({ directory, opaque }) => [directory, ...opaque],
  ({ directory, opaque }) => [...opaque, directory],
  ({ below, path, whiteout, directory }) => (below.has(path) ? [whiteout, directory] : [directory]),
  ({ below, path, whiteout, directory }) => (below.has(path) ? [directory, whiteout] : [directory]),
  ({ below, path, whiteout, file }) => (below.has(path) ? [whiteout, file] : [file]),
  ({ below, path, whiteout, file }) => (below.has(path) ? [file, whiteout] : [file]),
  ({ dice, path, attributes }) => [
    { name: path, flag: "2", link: dice.pick(["a", "/d/e", "../..", "nowhere"]), ...attributes },
  ],
  ({ path, attributes }) => [{ name: path, flag: "6", ...attributes }],
  ({ path, attributes }) => [{ name: path, flag: "3", device: [1, 3], ...attributes }],
  ({ dice, path, files, file }) =>
    files.length === 0 ? [file] : [{ name: path, flag: "1", link: dice.pick(files), mode: 0o777 }],
];

function randomEntries(dice: Dice, path: string, below: Model, files: readonly string[]): readonly Forged[] {
  const at = path.lastIndexOf("/") + 1;
  const attributes = {
    mode: dice.pick([0o644, 0o755, 0o700, 0o4711, 0o2775, 0o1777, 0, 0o1000]),
    uid: dice.pick([0, 0, 1000, 4_000_000_000]),
    gid: dice.pick([0, 0, 5]),
    pax: {
      mtime: `${dice.below(2_000_000_000)}.${String(dice.below(1_000_000_000)).padStart(9, "0")}`,
      ...(dice.below(4) === 0 ? { "SCHILY.xattr.trusted.mark": dice.pick(["x", "\0\u0001", ""]) } : {}),
    },
  };
  return dice.pick(SAYINGS)({
    dice,
    path,
    below,
    files,
    attributes,
    whiteout: { name: `${path.slice(0, at)}.wh.${path.slice(at)}` },
    directory: { name: `${path}/`, flag: "5", ...attributes },
    file: { name: path, body: "x".repeat(dice.below(50)), ...attributes },
    opaque: files.includes(path) ? [] : [{ name: `${path}/.wh..wh..opq` }],
  });
}

/** The tree as a container has it: what is mounted for it is in its mount namespace only. */
async function treeInContainer(store: Store, leftOut: readonly string[]): Promise<string[]> {
  const id = store.box.id();
  const running = store.begin(["run", "--image", "it", id, "--", "sleep", "1000"]);
  await eventually(
    () => store.tsrun(["exec", id, "sh", "-c", "true"]).status === 0,
    () => `it runs: ${running.read().stderr}`,
  );
  const tree = treeOf(`/proc/${store.box.state(id).pid}/root`, leftOut);
  store.tsrun(["delete", "--force", id]);
  await running.ended;
  return tree;
}

/** A container's own root is as old as the container. */
function timeless(tree: readonly string[]): string[] {
  return tree.map((line) => line.replace(/^("\." d \S+ \S+) \S+/, "$1"));
}

const rounds = thorough(25, 400);

test(
  `${rounds} random stacks of layers are the trees that the layers make one after another`,
  ["tool:python3"],
  async (box) => {
    for (let seed = 1; seed <= rounds; seed++) {
      const dice = random(seed);
      const [model, layers] = [new Model(), [base()]];
      model.apply(layers[0] ?? []);
      for (let count = 1 + dice.below(4); count > 0; count--) {
        const layer = randomLayer(dice, model);
        model.apply(layer);
        layers.push(layer);
      }
      const store = new Store(box, `store${seed}`);
      await store.loadImage({ layers: layers.map(forgedLayer), process: { Cmd: ["sh"] } });
      const wanted = model.lines(LEFT_OUT);
      const which = `seed ${seed}: ${JSON.stringify(layers.slice(1))}`;
      store.prints("image", "unpack", "it", box.path(`bundle${seed}`));
      assertSameTree(treeOf(`${box.path(`bundle${seed}`)}/rootfs`, LEFT_OUT), wanted, `unpacked, ${which}`);
      assertSameTree(timeless(await treeInContainer(store, LEFT_OUT)), timeless(wanted), `in a container, ${which}`);
    }
  },
);
