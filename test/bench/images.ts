/**
 * Pulls: processor time, time until everything is on the disk, and peak memory, beside others that do the same; and what an image
 * costs a `run`. Usage: `node --import ./scripts/typescript.mjs test/bench/images.ts ROUNDS PERCENT`
 */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { SCRATCH } from "../support/rootfs.ts";
import { TSRUN } from "../support/runtime.ts";
import { makeImage, Registry, type Compression, type Image } from "./image.ts";
import { median, time, timeAmongOthers } from "./stopwatch.ts";

/** Milliseconds and KiB, each the median of all rounds. */
interface Cost {
  readonly processor: number;
  readonly wall: number;
  readonly memory: number;
}

/** A way to get an image onto the disk below `to`, as a command of the shell. */
interface Way {
  readonly name: string;
  readonly compression: Compression;
  command(to: string): string;
}

const NAMES = {
  tsrun: "tsrun image pull",
  tar: "skopeo copy, tar -xzf each",
  igzip: "skopeo copy, igzip into tar, two at a time",
  podman: "podman pull",
};

function waysOf({ blobs }: Image, { host }: Registry): Way[] {
  const copied = (compression: Compression, to: string): string =>
    `skopeo copy -q --src-tls-verify=false docker://${host}/bench:${compression} dir:${to}/copy && mkdir ${to}/fs`;
  const tarEach = (compression: Compression, how: string, to: string): string => {
    const each = blobs[compression].digests.map((hex) => `tar ${how} -xf ${to}/copy/${hex} -C ${to}/fs`);
    return [copied(compression, to), ...each].join(" && ");
  };
  const pull = (compression: Compression, to: string): string =>
    `${TSRUN} --store ${to}/store image pull -q ${host}/bench:${compression}`;
  return [
    { name: NAMES.tsrun, compression: "gzip", command: (to) => pull("gzip", to) },
    { name: NAMES.tar, compression: "gzip", command: (to) => tarEach("gzip", "-z", to) },
    {
      name: NAMES.igzip,
      compression: "gzip",
      command: (to) => {
        const one = `mkdir ${to}/fs/{} && igzip -dc <${to}/copy/{} | tar -xf - -C ${to}/fs/{}`;
        return `${copied("gzip", to)} && printf '%s\\n' ${blobs.gzip.digests.join(" ")} | xargs -P2 -I{} sh -c '${one}'`;
      },
    },
    {
      name: NAMES.podman,
      compression: "gzip",
      command: (to) =>
        `podman --root ${to}/root --runroot ${to}/run --storage-driver overlay pull -q --tls-verify=false ${host}/bench:gzip`,
    },
    { name: NAMES.tsrun, compression: "zstd", command: (to) => pull("zstd", to) },
    { name: "skopeo copy, tar --zstd each", compression: "zstd", command: (to) => tarEach("zstd", "--zstd", to) },
  ];
}

/** A journaled ext4 in memory: one without a journal would measure how it looks for inodes that were freed long ago. */
class Disk implements Disposable {
  readonly path: string;
  readonly #file = join(SCRATCH, "ext4");

  constructor() {
    this.path = join(SCRATCH, "disk");
    const file = this.#file;
    mkdirSync(this.path);
    execFileSync("truncate", ["-s", "8G", file]);
    execFileSync("mkfs.ext4", ["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", file]);
    execFileSync("mount", ["-o", "loop,discard", file, this.path]);
  }

  [Symbol.dispose](): void {
    for (let tries = 0; tries < 50 && spawnSync("umount", [this.path]).status !== 0; tries++)
      spawnSync("sleep", ["0.1"]);
    rmSync(this.#file);
  }
}

/** All ways in turn, each on a disk that has nothing else to do. */
function measure(ways: readonly Way[], disk: Disk, rounds: number): Map<Way, Cost> {
  const costs = new Map(ways.map((way): [Way, Cost[]] => [way, []]));
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      const to = join(disk.path, "to");
      mkdirSync(to);
      execFileSync("sync", ["-f", to]);
      const { steps, stderr } = timeAmongOthers(
        [{ run: ["sh", "-c", `${way.command(to)} && sync -f ${to}`] }],
        disk.path,
      );
      const [step] = steps;
      if (step?.status !== 0) throw new Error(`${way.name}: ${stderr}`);
      costs.get(way)?.push({ processor: step.processor, wall: step.milliseconds, memory: step.memory });
      spawnSync("umount", [join(to, "root/overlay")]); // podman leaves its own mount.
      execFileSync("rm", ["-rf", to]);
    }
  }
  const of = (list: readonly Cost[], key: keyof Cost): number => median(list.map((cost) => cost[key]));
  return new Map(
    [...costs].map(([way, list]) => [
      way,
      { processor: of(list, "processor"), wall: of(list, "wall"), memory: of(list, "memory") },
    ]),
  );
}

/** Milliseconds of `run`, of the image and of the same files as a bundle, in turns. */
function measureRuns(disk: Disk, host: string): { image: number; bundle: number } {
  const [store, bundle, root] = ["store", "bundle", "state"].map((name) => join(disk.path, name));
  const tsrun = [TSRUN, "--root", root ?? "", "--store", store ?? ""];
  const name = `${host}/bench:gzip`;
  const must = (...args: string[]): void => void execFileSync(tsrun[0] ?? "", [...tsrun.slice(1), ...args]);
  must("image", "pull", "-q", name);
  must("image", "unpack", name, bundle ?? "");
  const id = `bench-${process.pid}`;
  const pair = [
    { run: [...tsrun, "run", "--image", name, "--pull", "never", id] },
    { run: [...tsrun, "run", "--bundle", bundle ?? "", id] },
  ];
  const { steps, stderr } = time(Array.from({ length: 60 }, () => pair).flat(), disk.path);
  if (steps.some(({ status }) => status !== 0)) throw new Error(`run: ${stderr}`);
  const of = (parity: number): number =>
    median(
      steps
        .slice(20)
        .filter((_, index) => index % 2 === parity)
        .map(({ milliseconds }) => milliseconds),
    );
  return { image: of(0), bundle: of(1) };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

function report(image: Image, costs: ReadonlyMap<Way, Cost>, runs: { image: number; bundle: number }): void {
  const { gzip, zstd } = image.blobs;
  console.log(
    `${image.entries} files, ${megabytes(image.bytes)} in four layers; ${megabytes(gzip.bytes)} in gzip, ${megabytes(zstd.bytes)} in zstd. ` +
      `${cpus().length} × ${cpus()[0]?.model.trim() ?? "processor"}\n`,
  );
  console.log("| | layers | processor | until it is on the disk | peak memory |\n|---|---|---|---|---|");
  for (const [{ name, compression }, { processor, wall, memory }] of costs)
    console.log(
      `| ${name} | ${compression} | ${(processor / 1000).toFixed(2)} s | ${(wall / 1000).toFixed(2)} s | ${(memory / 1024).toFixed(0)} MiB |`,
    );
  const cost = (compression: Compression, name: string): Cost =>
    [...costs].find(([way]) => way.compression === compression && way.name.startsWith(name))?.[1] ?? {
      processor: NaN,
      wall: NaN,
      memory: NaN,
    };
  const [ours, tar] = [cost("gzip", NAMES.tsrun), cost("gzip", NAMES.tar)];
  const [oursZstd, tarZstd] = [cost("zstd", NAMES.tsrun), cost("zstd", "skopeo")];
  const ratios: [string, number, number][] = [
    ["processor, to skopeo and tar", ours.processor / tar.processor, 0.57],
    ["processor, to podman", ours.processor / cost("gzip", NAMES.podman).processor, 0.3],
    ["time, to skopeo and tar", ours.wall / tar.wall, 0.6],
    ["processor, zstd, to skopeo and tar", oursZstd.processor / tarZstd.processor, 0.9],
    ["peak memory, MB", (Math.max(ours.memory, oursZstd.memory) * 1024) / 1e6, 60],
    [`run of an image (${runs.image.toFixed(2)} ms), to run of the same as a bundle`, runs.image / runs.bundle, 1.5],
  ];
  console.log("\n| ratio | is | wanted |\n|---|---|---|");
  for (const [what, is, wanted] of ratios)
    console.log(`| ${what} | ${is.toFixed(2)} | ≤ ${wanted}${is <= wanted ? "" : ": not reached"} |`);
}

const [rounds, percent] = process.argv.slice(2).map(Number);
using disk = new Disk();
using registry = await Registry.start(disk.path, 20_000 + (process.pid % 20_000));
const image = await makeImage(disk.path, registry, (percent ?? 100) / 100);
const costs = measure(waysOf(image, registry), disk, rounds ?? 3);
report(image, costs, measureRuns(disk, registry.host));
