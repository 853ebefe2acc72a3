/** Layers are unpacked apart and stacked: what comes out is what one after another would have made, whatever is in them. */
import { execFileSync } from "node:child_process";
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
      // What replaces a directory takes along what is in it.
      for (const file of files) if (file.startsWith(`${path}/`)) files.delete(file);
      files.add(path);
    }
    layer.push(...entries);
  }
  return layer;
}

function prefixes(path: string): string[] {
  const steps = path.split("/");
  return steps.slice(0, -1).map((_, index) => steps.slice(0, index + 1).join("/"));
}

function randomEntries(dice: Dice, path: string, below: Model, files: readonly string[]): Forged[] {
  const [parent, name] = [
    path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "",
    path.split("/").at(-1) ?? "",
  ];
  const whiteout: Forged = { name: `${parent}.wh.${name}` };
  const attributes = {
    mode: dice.pick([0o644, 0o755, 0o700, 0o4711, 0o2775, 0o1777, 0, 0o1000]),
    uid: dice.pick([0, 0, 1000, 4_000_000_000]),
    gid: dice.pick([0, 0, 5]),
    pax: {
      mtime: `${dice.below(2_000_000_000)}.${String(dice.below(1_000_000_000)).padStart(9, "0")}`,
      ...(dice.below(4) === 0 ? { "SCHILY.xattr.trusted.mark": dice.pick(["x", "\0\u0001", ""]) } : {}),
    },
  };
  const directory: Forged = { name: `${path}/`, flag: "5", ...attributes };
  const file: Forged = { name: path, body: "x".repeat(dice.below(50)), ...attributes };
  // There is no opaque mark in what is no directory.
  const mark: Forged[] = files.includes(path) ? [] : [{ name: `${path}/.wh..wh..opq` }];
  switch (dice.below(12)) {
    case 0:
    case 1:
      return below.has(path) ? [whiteout] : [file];
    case 2:
      return below.isDirectory(path) && mark.length > 0 ? mark : [directory];
    case 3:
      return dice.below(2) === 0 ? [directory, ...mark] : [...mark, directory];
    case 4:
      return below.has(path)
        ? dice.pick([
            [whiteout, directory],
            [directory, whiteout],
            [whiteout, file],
            [file, whiteout],
          ])
        : [directory];
    case 5:
      return [{ name: path, flag: "2", link: dice.pick(["a", "/d/e", "../..", "nowhere"]), ...attributes }];
    case 6:
      return [
        dice.below(2) === 0
          ? { name: path, flag: "6", ...attributes }
          : { name: path, flag: "3", device: [1, 3], ...attributes },
      ];
    case 7:
      return files.length === 0 ? [file] : [{ name: path, flag: "1", link: dice.pick(files), mode: 0o777 }];
    case 8:
    case 9:
      return [directory];
    default:
      return [file];
  }
}

/** The tree as a container has it: what is mounted for it is in its mount namespace only. */
async function treeInContainer(store: Store, leftOut: readonly string[]): Promise<string[]> {
  const [id, pidFile] = [store.box.id(), store.box.path("pid")];
  const running = store.begin(["run", "--image", "it", "--pid-file", pidFile, id, "--", "sleep", "1000"]);
  await eventually(
    () => store.tsrun(["exec", id, "sh", "-c", "true"]).status === 0,
    () => `it runs: ${running.read().stderr}`,
  );
  const pid = execFileSync("cat", [pidFile], { encoding: "utf8" }).trim();
  const tree = treeOf(`/proc/${pid}/root`, leftOut);
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
