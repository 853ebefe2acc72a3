/**
 * What scripts/bench does with figures: `lives OUT ROUNDS NAME=PATH...` measures, `table OUT`, `phases ROUNDS`, and
 * `page OUT ROUNDS`, which writes figures between the markers of the two READMEs.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chartOf } from "../test/bench/chart.ts";
import { BUNDLES, machine, readFigures, runtimesOf, tableOf } from "../test/bench/figures.ts";
import { makeBundles, measure, type Runtime } from "../test/bench/lives.ts";
import { fillIn } from "../test/bench/page.ts";
import { phaseTables } from "../test/bench/phases.ts";
import { SCRATCH } from "../test/support/rootfs.ts";
import { REPOSITORY, TSRUN } from "../test/support/runtime.ts";

const PAGE = "test/bench/README.md";

function lives(out: string, rounds: string, named: readonly string[]): void {
  const runtimes = named.map((each): Runtime => {
    const [name = "", path = ""] = each.split("=");
    return [name, path];
  });
  makeBundles(SCRATCH);
  const { times, failures } = measure(runtimes, SCRATCH, Number(rounds));
  writeFileSync(join(out, "times.json"), JSON.stringify(times));
  for (const failure of failures) console.error(failure);
}

function table(out: string): void {
  const figures = readFigures(out);
  console.log(`\n${machine(runtimesOf(figures))}\n\n${tableOf(figures)}`);
}

function tracedTables(rounds: number): string {
  makeBundles(SCRATCH);
  return phaseTables(TSRUN, SCRATCH, rounds);
}

function page(out: string, rounds: string): void {
  const figures = readFigures(out);
  const where = machine(runtimesOf(figures));
  writeFileSync(join(REPOSITORY, "test/bench/chart.svg"), chartOf(figures, BUNDLES, where));
  fillIn(join(REPOSITORY, PAGE), {
    machine: `Measured on ${where}.`,
    times: tableOf(figures),
    phases: tracedTables(Number(rounds)),
  });
  fillIn(join(REPOSITORY, "README.md"), {
    times: tableOf(figures, ["docker-like"], ["run", "create", "exec", "state", "rss-run"]),
  });
}

const [command, first = "", second = "", ...rest] = process.argv.slice(2);
if (command === "lives") lives(first, second, rest);
else if (command === "table") table(first);
else if (command === "phases") console.log(tracedTables(Number(first)));
else if (command === "page") page(first, second);
