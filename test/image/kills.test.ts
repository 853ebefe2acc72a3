/** Commands that are killed at any moment, and power cuts: the store is always whole, or can be mended. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { test, type Box } from "../support/box.ts";
import { random } from "../support/random.ts";
import { eventually } from "../support/runtime.ts";
import { layerOf, type Layer, type TarEntry } from "../../scripts/fixtures.ts";
import { EMPTY, filesLayer, Store } from "./images.ts";

/** A layer that takes some time. */
function bigLayer(mark: string): Promise<Layer> {
  return layerOf(
    Array.from({ length: 400 }, (_, index): TarEntry => ({
      name: `${mark}/${index % 20}/${index}`,
      content: `${mark}${index}`.repeat(100),
    })),
  );
}

/** Archives of images that share layers, and what can be done with them. */
async function commandsFor(store: Store): Promise<string[][]> {
  const [shared, one, two] = [await bigLayer("shared"), await bigLayer("one"), await filesLayer({ "shared/two": "2" })];
  const first = await store.archive("first.tar", { layers: [shared, one] });
  const second = await store.archive("second.tar", { layers: [shared, two] });
  return [
    ["image", "load", first],
    ["image", "load", second],
    ["image", "load", first, "--name", "other"],
    ["image", "tag", "first", "second"],
    ["image", "rm", "first"],
    ["image", "rm", "second", "other"],
    ["image", "prune", "--all"],
  ];
}

/** Every image that has a name can be used: nothing leads to what is not whole. */
function assertWhole(store: Store): void {
  const { status, stdout } = store.tsrun(["image", "check"]);
  const faults = stdout.split("\n").filter((line) => / (is missing|differs|damaged)|, not /.test(line));
  assert.deepEqual(faults, [], `status ${status}: nothing but leftovers`);
}

test("commands that are killed at 200 moments leave a store that is whole, but for leftovers", [], async (box) => {
  const store = new Store(box);
  const commands = await commandsFor(store);
  const dice = random(7);
  let killed = 0;
  for (let round = 0; round < 200; round++) {
    const running = store.begin(dice.pick(commands));
    await pause(dice.below(14));
    running.child.kill("SIGKILL");
    if ((await running.ended).status === 137) killed++;
    assertWhole(store);
  }
  assert.ok(killed > 60, `${killed} were killed before their end`);
  store.tsrun(["image", "check", "--repair"]);
  assert.match(store.prints("image", "check"), / 0 faults\n$/);
  for (const command of commands.slice(0, 2)) store.prints(...command);
  store.prints("image", "prune", "--all");
  assert.deepEqual(store.contents(), EMPTY);
  assert.deepEqual([store.names("tasks"), store.names("locks"), store.names("damaged")], [[], [], []]);
});

/** A store on a disk of its own, copies of which are taken as it is at a moment: xfs shares blocks between them. */
class Disk {
  readonly #box: Box;
  readonly #host: string;
  readonly image: string;
  #cuts = 0;

  constructor(box: Box) {
    this.#box = box;
    this.#host = box.file("host");
    const file = box.path("host.img");
    execFileSync("truncate", ["-s", "2G", file]);
    execFileSync("mkfs.xfs", ["-q", file]);
    this.mount(file, this.#host);
    this.image = join(this.#host, "disk");
    execFileSync("truncate", ["-s", "128M", this.image]);
    execFileSync("mkfs.ext4", ["-q", this.image]);
  }

  mount(file: string, at: string): void {
    mkdirSync(at, { recursive: true });
    execFileSync("mount", ["-o", "loop", file, at]);
  }

  /** As after a power cut at this moment: a file of its own, since the loop device of the last one may not have let go of that. */
  cut(): string {
    rmSync(`${this.image}.cut${this.#cuts}`, { force: true });
    const copy = `${this.image}.cut${++this.#cuts}`;
    execFileSync("cp", ["--reflink=always", this.image, copy]);
    return copy;
  }

  /** A loop device lets go of its file a little after its file system is gone. */
  async remove(mounted: string): Promise<void> {
    for (const each of [mounted, this.#host])
      await eventually(() => spawnSync("umount", [each]).status === 0, `${each} is free`);
    rmSync(this.#box.path("host.img"));
  }
}

test("after 60 power cuts the store is whole or can be mended", ["loop", "tool:mkfs.xfs"], async (box) => {
  const disk = new Disk(box);
  const store = new Store(box);
  const commands = await commandsFor(store);
  disk.mount(disk.image, store.path);
  const dice = random(11);
  const after = box.path("after");
  const cutStore = new Store(box, "after");
  const end = new AbortController();
  const busy = (async () => {
    while (!end.signal.aborted) await store.begin(dice.pick(commands)).ended;
  })();
  try {
    for (let round = 0; round < 60; round++) {
      await pause(dice.below(120));
      disk.mount(disk.cut(), after);
      try {
        assertWhole(cutStore);
        cutStore.prints("image", "check", "--repair");
        assert.match(cutStore.prints("image", "check"), / 0 faults\n$/);
        cutStore.prints(...(commands[round % 2] ?? []));
      } finally {
        execFileSync("umount", [after]);
      }
    }
  } finally {
    end.abort();
    await busy;
    await eventually(() => store.tsrun(["image", "prune"]).status === 0, "nobody is at it");
    await disk.remove(store.path);
  }
});
