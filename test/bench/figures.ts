/** What a benchmark measured: medians by operation, bundle and runtime, and the table of them. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { median } from "./stopwatch.ts";

/** Seconds of each run, by "bundle|operation" and runtime: what ../shared/bench/bench.sh writes to times.json, and bench.ts too. */
export type Times = Record<string, Record<string, number[]>>;

/** Milliseconds, or KiB for an operation that begins with `rss-`; by "bundle|operation" and runtime. */
export type Figures = ReadonlyMap<string, ReadonlyMap<string, number>>;

export const BUNDLES = ["bare", "docker-like"] as const;

/** In the order in which they are shown; those that were not measured are left out. */
export const OPERATIONS = [
  "run",
  "runcold",
  "create",
  "start",
  "state",
  "exec",
  "kill",
  "delete",
  "rss-run",
  "rss-exec",
];

const NAMES: Readonly<Record<string, string>> = {
  runcold: "run, after a pause",
  "rss-run": "run: peak memory",
  "rss-exec": "exec: peak memory",
};

export function readFigures(folder: string): Figures {
  const times = JSON.parse(readFileSync(join(folder, "times.json"), "utf8")) as Times;
  const figures = new Map<string, Map<string, number>>();
  for (const [key, runtimes] of Object.entries(times)) {
    figures.set(key, new Map(Object.entries(runtimes).map(([name, seconds]) => [name, median(seconds) * 1000])));
  }
  const memory = join(folder, "rss.txt");
  for (const line of existsSync(memory) ? readFileSync(memory, "utf8").trimEnd().split("\n") : []) {
    const [bundle = "", operation = "", name = "", kib] = line.split(" ");
    const key = `${bundle}|rss-${operation}`;
    const row = figures.get(key) ?? new Map<string, number>();
    figures.set(key, row.set(name, Math.max(row.get(name) ?? 0, Number(kib))));
  }
  return figures;
}

/** The runtimes that there are figures of, tsrun first and the floor last. */
export function runtimesOf(figures: Figures): string[] {
  const names = new Set([...figures.values()].flatMap((row) => [...row.keys()]));
  return [...["tsrun", "crun", "runc", "youki", "floor"].filter((name) => names.delete(name)), ...names];
}

/** A row for each operation, with the ratio to tsrun's figure. */
export function tableOf(figures: Figures, bundles: readonly string[] = BUNDLES, operations = OPERATIONS): string {
  const names = runtimesOf(figures);
  const rows = bundles.flatMap((bundle) =>
    operations.flatMap((operation) => {
      const row = figures.get(`${bundle}|${operation}`);
      if (row === undefined) return [];
      const cells = names.map((name) => cell(operation, row.get(name), row.get("tsrun")));
      return [`| ${bundle} | ${NAMES[operation] ?? operation} | ${cells.join(" | ")} |`];
    }),
  );
  return [`| bundle | | ${names.join(" | ")} |`, `|---|---|${names.map(() => "---|").join("")}`, ...rows].join("\n");
}

function cell(operation: string, value: number | undefined, base: number | undefined): string {
  if (value === undefined) return "";
  const figure = operation.startsWith("rss-") ? `${(value / 1024).toFixed(1)} MiB` : `${value.toFixed(2)} ms`;
  return base === undefined || base === value ? figure : `${figure} (×${(value / base).toFixed(2)})`;
}

/** What it was measured on, and with what. */
export function machine(names: readonly string[]): string {
  const processors = cpus();
  const linux = release().split(".").slice(0, 2).join(".");
  const versions = names.filter((name) => ["crun", "runc", "youki"].includes(name)).map(versionOf);
  return [`${processors.length} × ${processors[0]?.model.trim() ?? "processor"}`, `Linux ${linux}`, ...versions].join(
    ", ",
  );
}

function versionOf(name: string): string {
  const { stdout } = spawnSync(name, ["--version"], { encoding: "utf8" });
  return `${name} ${/version:? v?(\d+(\.\d+)*)/.exec(stdout ?? "")?.[1] ?? ""}`.trim();
}
