/** Where the time of a command goes: the medians of what TSRUN_TRACE=phases prints, phase by phase. */

import { join } from "node:path";
import { succeeded } from "../support/box.ts";
import { run } from "../support/runtime.ts";
import { BUNDLES } from "./figures.ts";
import { median, undisturbed } from "./stopwatch.ts";

/** Medians of many runs, in microseconds; phases of one name in one process are added up. */
export interface Phase {
  readonly process: string;
  readonly name: string;
  readonly times: number;
  readonly at: number;
  readonly took: number;
  readonly kernel: number;
  readonly script: number;
  readonly faults: number;
}

const FIELDS = ["at", "took", "kernel", "script", "faults"] as const;
type Sums = Record<(typeof FIELDS)[number] | "times", number>;

/** Runs a command of tsrun so often, and `after` each time; gives its phases in their order. */
export function phasesOf(
  command: readonly string[],
  scratch: string,
  rounds: number,
  after: () => void = () => undefined,
): Phase[] {
  const found = new Map<string, Sums[]>();
  // The first run is not counted: it may compile a seccomp filter, which is kept.
  for (let round = 0; round <= rounds; round += 1) {
    const env = { ...process.env, TSRUN_TRACE: "phases" } as Record<string, string>;
    const { status, stderr } = run([...undisturbed(), ...command], scratch, { env, output: join(scratch, "traced") });
    if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
    for (const [key, sums] of round === 0 ? [] : parse(stderr)) found.set(key, [...(found.get(key) ?? []), sums]);
    after();
  }
  return [...found].map(([key, runs]) => summary(key, runs)).toSorted((a, b) => a.at - b.at);
}

/** The lines of one run, by process and name. */
function parse(table: string): Map<string, Sums> {
  const found = new Map<string, Sums>();
  for (const line of table.trimEnd().split("\n").slice(1)) {
    const [, process, at, took, kernel, script, faults, name] =
      /^(\w+) +(\d+) +(\d+) +(\d+) +(-?\d+) +(\d+) +(.+)$/.exec(line.trimEnd()) ?? [];
    if (name === undefined) throw new Error(`no line of the phase table: ${line}`);
    const key = `${process}\t${name}`;
    const before = found.get(key) ?? { times: 0, at: Number(at), took: 0, kernel: 0, script: 0, faults: 0 };
    found.set(key, {
      at: before.at,
      times: before.times + 1,
      took: before.took + Number(took),
      kernel: before.kernel + Number(kernel),
      script: before.script + Number(script),
      faults: before.faults + Number(faults),
    });
  }
  return found;
}

function summary(key: string, runs: readonly Sums[]): Phase {
  const [process = "", name = ""] = key.split("\t");
  const middle = (field: keyof Sums) => median(runs.map((sums) => sums[field]));
  return {
    process,
    name,
    times: middle("times"),
    at: middle("at"),
    took: middle("took"),
    kernel: middle("kernel"),
    script: middle("script"),
    faults: middle("faults"),
  };
}

/** A command that is traced; what comes before it once, and after each time. */
interface Traced {
  readonly verb: string;
  readonly args: (bundle: string) => string[];
  readonly needsRunning?: boolean;
  readonly after?: string[];
}

const TRACED: readonly Traced[] = [
  { verb: "run", args: (bundle) => ["--bundle", bundle, "traced"] },
  {
    verb: "create",
    args: (bundle) => ["--bundle", `${bundle}-sleep`, "traced"],
    after: ["delete", "--force", "traced"],
  },
  { verb: "exec", args: () => ["running", "true"], needsRunning: true },
  { verb: "state", args: () => ["running"], needsRunning: true },
];

/** A table for each command, with the bundles below `folder` that lives.ts makes. */
export function phaseTables(tsrun: string, folder: string, rounds: number): string {
  const runtime = [tsrun, "--root", join(folder, "phases")];
  const call = (...args: string[]) =>
    succeeded(args, run([...runtime, ...args], folder, { output: join(folder, "between") }));
  const tables = TRACED.map(({ verb, args, needsRunning = false, after }) => {
    const found = BUNDLES.map((bundle) => {
      const path = join(folder, bundle);
      if (needsRunning) {
        call("create", "--bundle", `${path}-sleep`, "running");
        call("start", "running");
      }
      const phases = phasesOf([...runtime, verb, ...args(path)], folder, rounds, () => after && call(...after));
      if (needsRunning) call("delete", "--force", "running");
      return phases;
    });
    return `#### ${verb}\n\n${tableOf(found)}`;
  });
  return tables.join("\n\n");
}

/** The phases of the last bundle, which has all of them, and beside them what the ones before take. */
function tableOf(bundles: readonly (readonly Phase[])[]): string {
  const last = bundles.at(-1) ?? [];
  const others = bundles.slice(0, -1);
  const rows = last.map((phase) => {
    const { process, name, times, at, took, kernel, script, faults } = phase;
    const beside = others.map(
      (phases) => phases.find((each) => each.name === name && each.process === process)?.took ?? "",
    );
    return [process, times === 1 ? name : `${name} ×${times}`, ...beside, at, took, kernel, script, faults];
  });
  for (const process of ["tsrun", "init"]) {
    const all = (phases: readonly Phase[], field: keyof Sums) => sum(phases, process, field);
    if (all(last, "times") === 0) continue;
    const beside = others.map((phases) => all(phases, "took"));
    rows.push([
      `**${process}**`,
      "**all**",
      ...beside,
      "",
      ...(["took", "kernel", "script", "faults"] as const).map((field) => all(last, field)),
    ]);
  }
  const header = [
    "process",
    "phase",
    ...BUNDLES.slice(0, -1),
    "at",
    BUNDLES.at(-1) ?? "",
    "kernel",
    "script",
    "faults",
  ];
  return [header, header.map((_, index) => (index < 2 ? "---" : "--:")), ...rows]
    .map((row) => `| ${row.map(shown).join(" | ")} |`)
    .join("\n");
}

function sum(phases: readonly Phase[], process: string, field: keyof Sums): number {
  return phases.reduce((total, phase) => total + (phase.process === process ? phase[field] : 0), 0);
}

function shown(cell: string | number): string {
  return typeof cell === "number" ? String(Math.round(cell)) : cell;
}
