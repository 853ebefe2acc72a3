/** Commands that are killed at any moment, and power cuts: the store is always whole, or can be mended, and a pull goes on. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { succeeded, test, type Box } from "../support/box.ts";
import { random } from "../support/random.ts";
import { eventually, type Running } from "../support/runtime.ts";
import { assertSameTree, treeOf } from "../support/tree.ts";
import { layerOf, sha256, type Layer, type TarEntry } from "../../scripts/fixtures.ts";
import { FakeRegistry, pull, slowly } from "./fake-registry.ts";
import { EMPTY, filesLayer, Store } from "./images.ts";
import { thorough } from "./thorough.ts";

/** A layer that takes some time. */
function bigLayer(mark: string): Promise<Layer> {
  const files = Array.from({ length: 400 }, (_, index): TarEntry => ({
    name: `${mark}/${index % 20}/${index}`,
    content: `${mark}${index}`.repeat(100),
  }));
  return layerOf([...files, { name: `${mark}.noise`, content: randomBytes(60_000).toString("base64") }]);
}

/** Images that share layers, in archives and in a registry, and what can be done with them. */
class World {
  readonly registry: FakeRegistry;
  readonly pulls: readonly string[][];
  readonly loads: readonly string[][];
  readonly others: readonly string[][];
  /** What is in each layer, by the name of its directory. */
  readonly #layers: ReadonlyMap<string, string[]>;

  private constructor(registry: FakeRegistry, archives: readonly string[], layers: ReadonlyMap<string, string[]>) {
    const [first = "", second = ""] = archives;
    const names = [`${registry.host}/x:1`, `${registry.host}/x:2`];
    this.registry = registry;
    this.#layers = layers;
    this.pulls = names.map((name) => ["image", "pull", "-q", name]);
    this.loads = [
      ["image", "load", first],
      ["image", "load", second],
      ["image", "load", first, "--name", "other"],
    ];
    this.others = [
      ["image", "tag", "first", "second"],
      ["image", "rm", "first"],
      ["image", "rm", "second", "other"],
      ["image", "rm", ...names],
      ["image", "prune", "--all"],
    ];
  }

  static async make(box: Box, registry: FakeRegistry): Promise<World> {
    const [shared, one, two] = [
      await bigLayer("shared"),
      await bigLayer("one"),
      await filesLayer({ "shared/two": "2" }),
    ];
    const images = [
      [shared, one],
      [shared, two],
    ];
    // A store in which nothing is killed says what is right.
    const right = new Store(box, "right");
    const archives: string[] = [];
    for (const [index, layers] of images.entries()) {
      registry.add(String(index + 1), layers);
      archives.push(await right.archive(`${["first", "second"][index]}.tar`, { layers }));
      right.prints("image", "load", archives[index] ?? "");
    }
    return new World(registry, archives, layersIn(right));
  }

  any(dice: ReturnType<typeof random>): string[] {
    // Most of the time a pull, which takes longest.
    return dice.below(5) < 3 ? dice.pick(this.pulls) : dice.pick([...this.loads, ...this.others]);
  }

  /** Every image that has a name can be used, and every layer that is there is all of it: not by what `check` says alone. */
  async assertWhole(store: Store): Promise<void> {
    const { status, stdout } = await store.begin(["image", "check"]).ended;
    const faults = stdout.split("\n").filter((line) => / (is missing|differs|damaged)|, not /.test(line));
    assert.deepEqual(faults, [], `status ${status}: nothing but leftovers`);
    const layers = layersIn(store);
    for (const [name, files] of layers) assertSameTree(files, this.#layers.get(name) ?? [], `layer ${name}`);
    for (const file of store.names("refs").filter((name) => !name.startsWith("."))) {
      const record = JSON.parse(store.text(`refs/${file}`)) as { id: string; manifest: string; lower: string[] };
      for (const digest of [record.id, record.manifest])
        assert.equal(sha256(readFileSync(join(store.path, "blobs", digest.replace(":", "/")))), digest);
      for (const path of record.lower.map((lower) => lower.split("/")))
        assert.ok(path[0] === "stacks" || layers.has(path[1] ?? ""), `${file} names ${path.join("/")}`);
    }
  }
}

function layersIn(store: Store): Map<string, string[]> {
  const layers = new Map(
    store
      .names("layers")
      .filter((name) => !name.startsWith("."))
      .map((name): [string, string[]] => [name, []]),
  );
  if (layers.size === 0) return layers;
  for (const line of treeOf(join(store.path, "layers"))) {
    const [, name = "", rest = ""] = /^"(\w+)\/fs(.*)$/.exec(line) ?? [];
    layers.get(name)?.push(rest);
  }
  return layers;
}

/** The command with its worker, or it alone: then the worker hears of it by the end of its pipe. */
function kill({ child }: Running, all: boolean): void {
  try {
    process.kill((child.pid ?? 0) * (all ? -1 : 1), "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // It was quicker.
  }
}

/** Rounds of one test, and of the next: each test has its time. */
const [KILLS, CUTS] = [50, 20];

/** Moments that come before the end of most commands of a kind, however fast the machine is: it learns from each one. */
class Moments {
  #longest: number;

  constructor(milliseconds: number) {
    this.#longest = milliseconds;
  }

  next(dice: ReturnType<typeof random>): number {
    return dice.below(Math.ceil(this.#longest));
  }

  learn(wasInTime: boolean): void {
    this.#longest = Math.max(2, this.#longest * (wasInTime ? 1.1 : 0.8));
  }
}

async function killAtRandom(box: Box, series: number): Promise<void> {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const world = await World.make(box, registry);
  registry.lie = slowly(registry, 8000);
  const dice = random(series);
  const killed = { pulls: 0, all: 0 };
  const moments = { pull: new Moments(70), other: new Moments(14) };
  for (let round = 0; round < KILLS; round++) {
    const command = world.any(dice);
    const running = store.begin(command, { group: true });
    const isPull = command[1] === "pull";
    const moment = isPull ? moments.pull : moments.other;
    await pause(moment.next(dice));
    kill(running, dice.below(4) > 0);
    const wasInTime = (await running.ended).status === 137;
    moment.learn(wasInTime);
    if (wasInTime) {
      killed.all++;
      if (isPull) killed.pulls++;
    }
    await world.assertWhole(store);
  }
  assert.ok(killed.pulls >= 15 && killed.all >= 20, `killed before their end: ${JSON.stringify(killed)}`);
  store.tsrun(["image", "check", "--repair"]);
  assert.match(store.prints("image", "check"), / 0 faults\n$/);
  for (const command of world.loads) store.prints(...command);
  for (const [, , ...args] of world.pulls) assert.equal((await pull(store, args)).status, 0);
  await world.assertWhole(store);
  store.prints("image", "prune", "--all");
  assert.deepEqual(store.contents(), EMPTY);
  for (const folder of ["tasks", "locks", "damaged", "downloads", "pulls"]) assert.deepEqual(store.names(folder), []);
}

for (let series = 1; series <= 4; series++) {
  test(
    `commands that are killed at ${KILLS} moments leave a store that is whole, but for leftovers: series ${series} of 4`,
    ["tool:python3"],
    (box) => killAtRandom(box, series),
  );
}

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

  async remove(mounted: string): Promise<void> {
    await eventually(() => spawnSync("umount", [mounted]).status === 0, `${mounted} is free`);
    // A loop device lets go of its file when nobody has its file system any more: daemons and virtual machines keep copies
    // of all mounts that they find.
    execFileSync("umount", ["--lazy", this.#host]);
    rmSync(this.#box.path("host.img"));
  }
}

/** The same images as in the other, for the stores that were cut: without pauses. */
async function quickCopy(registry: FakeRegistry): Promise<FakeRegistry> {
  const quick = await FakeRegistry.start();
  for (const [digest, blob] of registry.blobs) quick.blobs.set(digest, blob);
  for (const [name, manifest] of registry.manifests) quick.manifests.set(name, manifest);
  return quick;
}

/** Looks at the store on a copy of the disk, and goes on with it. */
async function goOn(store: Store, world: World, host: string, round: number): Promise<void> {
  // Not synchronously: this process is the registry of what goes on meanwhile.
  const done = async (...args: string[]): Promise<string> => succeeded(args, await store.begin(args).ended).stdout;
  await world.assertWhole(store);
  await done("image", "check", "--repair");
  if (round % 3 === 0) await done(...(world.loads[(round / 3) % 3] ?? []));
  await done("image", "pull", "-q", `${host}/x:${1 + ((round >> 1) % 2)}`);
  assert.match(await done("image", "check"), / 0 faults\n$/);
}

async function cutPower(box: Box, series: number): Promise<void> {
  const disk = new Disk(box);
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const world = await World.make(box, registry);
  registry.lie = slowly(registry, 8000);
  await using quick = await quickCopy(registry);
  disk.mount(disk.image, store.path);
  const dice = random(10 + series);
  const after = box.path("after");
  const end = new AbortController();
  const busy = (async () => {
    while (!end.signal.aborted) await store.begin(world.any(dice)).ended;
  })();
  try {
    for (let round = 0; round < CUTS; round++) {
      await pause(dice.below(120));
      disk.mount(disk.cut(), after);
      try {
        await goOn(new Store(box, "after"), world, quick.host, round);
      } finally {
        execFileSync("umount", [after]);
      }
    }
  } finally {
    end.abort();
    await busy.finally(async () => {
      await eventually(() => store.tsrun(["image", "prune"]).status === 0, "nobody is at it");
      await disk.remove(store.path);
    });
  }
}

for (let series = 1; series <= thorough(3, 10); series++) {
  test(
    `after ${CUTS} power cuts the store is whole or can be mended, and a pull goes on: series ${series}`,
    ["loop", "tool:mkfs.xfs", "tool:python3"],
    (box) => cutPower(box, series),
  );
}
