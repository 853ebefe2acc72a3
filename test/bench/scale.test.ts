/**
 * What a container costs where there are many. A hundred after the other is created, started, shown, entered and listed, and
 * deleted from the last to the first; a hundred by itself, before and after, is what they are compared with. What is compared is
 * how often the kernel is asked for something, which no other load changes.
 * TSRUN_SCALE says how many there are and that they are timed: `scripts/bench --scale` has a thousand, and prints the figures. A
 * machine is slower at one time than at another, by more than what is looked for: so each command is timed next to one that has
 * nothing to do with containers, and told in milliseconds of a machine on which that takes as long as it did at the beginning.
 */

import assert from "node:assert/strict";
import { test, type Box } from "../support/box.ts";
import { dockerLike } from "../support/docker-like.ts";
import { textOf } from "../support/runtime.ts";
import type { Requirement } from "../support/requirements.ts";
import { countCalls } from "./calls.ts";
import { phasesOf } from "./phases.ts";
import { median, time } from "./stopwatch.ts";

const HUNDRED = 100;
const TIMED = process.env["TSRUN_SCALE"] !== undefined;
const MANY = Number(process.env["TSRUN_SCALE"] ?? 2 * HUNDRED);
const NEEDS: Requirement[] = ["tool:python3", "tool:strace"];
const LIMIT = 1.1;
/** What takes the machine as long, however many containers there are. */
const CONTROL = ["--version"];
/** Of a hundred commands those whose calls are counted: under strace each takes many times as long. */
const COUNTED = 5;

const COSTS = ["create", "script", "start", "state", "exec", "list", "delete", "memory"] as const;
type Cost = (typeof COSTS)[number];

/** Medians: milliseconds or system calls of a command, of `list` for each container; and KiB that a waiting init shares with nobody. */
type Costs = Record<Cost, number>;

interface Growth {
  readonly first: Costs;
  readonly hundreds: readonly Costs[];
  readonly again: Costs;
}

let growth: Growth | undefined;
/** The milliseconds of the control at the beginning. */
let usual: number | undefined;

test(
  `${MANY} containers like docker's are created, started, listed, entered and deleted, and nothing is left`,
  NEEDS,
  (box) => {
    const bundle = bundleOf(box);
    const alone = () => {
      const ids = hundredIds(box);
      return { ...begin(box, bundle, ids, HUNDRED), delete: end(box, ids) };
    };
    alone(); // The first one of all compiles the seccomp filter, and finds the kernel's caches empty.
    const first = alone();
    const groups = Array.from({ length: Math.ceil(MANY / HUNDRED) }, () => hundredIds(box));
    const begun = groups.map((ids, index) => begin(box, bundle, ids, (index + 1) * HUNDRED));
    const ended = groups
      .toReversed()
      .map((ids) => end(box, ids))
      .toReversed();
    const hundreds = begun.map((costs, index) => ({ ...costs, delete: ended[index] ?? Number.NaN }));
    growth = { first, hundreds, again: alone() };
    if (TIMED) console.log(tableOf(growth));
    assert.deepEqual(box.settled(), []);
  },
);

for (const cost of COSTS.filter((each) => TIMED || each !== "script")) {
  test(`the last hundred of ${MANY} need no more than ${LIMIT} times what a hundred alone does: ${cost}`, NEEDS, () => {
    assert.ok(growth !== undefined, "there are no figures");
    const alone = Math.max(growth.first[cost], growth.again[cost]);
    const last = growth.hundreds.at(-1)?.[cost] ?? Number.NaN;
    assert.ok(last <= alone * LIMIT, `${last.toFixed(2)} instead of ${alone.toFixed(2)}`);
  });
}

test(`fifty containers are created, started and deleted at once among ${MANY} others`, NEEDS, async (box) => {
  const bundle = bundleOf(box);
  const others = Array.from({ length: Math.ceil(MANY / HUNDRED) }, () => hundredIds(box)).flat();
  costOf(
    box,
    others.map((id) => ["create", "--bundle", bundle, id]),
  );
  const ids = Array.from({ length: 50 }, () => box.id());
  for (const verb of [["create", "--bundle", bundle], ["start"], ["delete", "--force"]]) {
    const calls = ids.map((id) => box.begin([...verb, id], { output: box.path(`${id}.${verb[0]}`) }).ended);
    const failed = (await Promise.all(calls)).filter(({ status }) => status !== 0);
    assert.deepEqual(failed, []);
  }
  costOf(
    box,
    others.map((id) => ["delete", "--force", id]),
  );
  assert.deepEqual(box.settled(), []);
});

function bundleOf(box: Box): string {
  return box.bundle(["sleep", "10000"], (config) => {
    dockerLike(config, box.path("files"));
    delete config.linux.cgroupsPath;
  });
}

function hundredIds(box: Box): string[] {
  return Array.from({ length: HUNDRED }, () => box.id());
}

/** Brings a hundred containers up; with them there are `all`. */
function begin(box: Box, bundle: string, ids: readonly string[], all: number): Omit<Costs, "delete"> {
  const pidFile = (id: string) => box.path(`${id}.pid`);
  const each = (args: (id: string) => string[]) => costOf(box, ids.map(args));
  const create = each((id) => ["create", "--bundle", bundle, "--pid-file", pidFile(id), id]);
  const memory = median(ids.map((id) => ownMemory(textOf(pidFile(id)))));
  return {
    create,
    script: TIMED ? scriptOf(box, bundle) : 0,
    memory,
    start: each((id) => ["start", id]),
    state: each((id) => ["state", id]),
    exec: each((id) => ["exec", id, "true"]),
    list:
      costOf(
        box,
        Array.from({ length: 9 }, () => ["list"]),
      ) / all,
  };
}

function end(box: Box, ids: readonly string[]): number {
  return costOf(
    box,
    ids.map((id) => ["delete", "--force", id]),
  );
}

/** Milliseconds of a `create` that are the script's own. */
function scriptOf(box: Box, bundle: string): number {
  const traced = box.command("create", "--bundle", bundle, "traced");
  const phases = phasesOf(traced, box.dir, 15, () => box.ok("delete", "--force", "traced"));
  const controls = timeAll(
    box,
    Array.from({ length: HUNDRED }, () => CONTROL),
  );
  return (phases.reduce((sum, { script }) => sum + script, 0) / 1000) * calmness(controls);
}

/** The median of what a call of the runtime costs: system calls, or milliseconds where they are timed. All must succeed. */
function costOf(box: Box, calls: readonly string[][]): number {
  if (TIMED) return timesOf(box, calls);
  const counts = calls.slice(0, COUNTED).map((args) => countCalls(box.command(...args), box.dir, box.environment()));
  timeAll(box, calls.slice(COUNTED));
  return median(counts);
}

/** The median of the milliseconds that a call takes, on a machine that is as fast as at the beginning. */
function timesOf(box: Box, calls: readonly string[][]): number {
  const times = timeAll(
    box,
    calls.flatMap((args) => [CONTROL, args]),
  );
  const own = times.filter((_, index) => index % 2 === 1);
  return median(own) * calmness(times.filter((_, index) => index % 2 === 0));
}

/** How fast the machine is where the control takes these milliseconds: 1 at the beginning, less where it is slower. */
function calmness(controls: readonly number[]): number {
  usual ??= median(controls);
  return usual / median(controls);
}

/** The milliseconds of each call of the runtime; all must succeed. */
function timeAll(box: Box, calls: readonly string[][]): number[] {
  const { steps, stderr } = time(
    calls.map((args) => ({ run: box.command(...args) })),
    box.dir,
    box.environment(),
  );
  assert.deepEqual(
    steps.filter(({ status }) => status !== 0),
    [],
    stderr,
  );
  return steps.map(({ milliseconds }) => milliseconds);
}

/** KiB that a process shares with no other one, proc(5). */
function ownMemory(pid: string): number {
  const lines = [...textOf(`/proc/${pid}/smaps_rollup`).matchAll(/^Private_\w+: +(\d+) kB$/gm)];
  return lines.reduce((sum, [, kib]) => sum + Number(kib), 0);
}

function tableOf({ first, hundreds, again }: Growth): string {
  const row = (name: string, costs: Costs) =>
    `| ${name} | ${COSTS.map((cost) => costs[cost].toFixed(cost === "memory" ? 0 : 3)).join(" | ")} |`;
  return [
    `| containers | ${COSTS.join(" | ")} |`,
    `|---|${COSTS.map(() => "---|").join("")}`,
    row("100 alone", first),
    ...hundreds.map((costs, index) => row(`${index * HUNDRED + 1} to ${(index + 1) * HUNDRED}`, costs)),
    row("100 alone", again),
  ].join("\n");
}
