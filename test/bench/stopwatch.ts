/** Times commands, one after another, without the time that Node itself takes to start them. */

import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY, textOf } from "../support/runtime.ts";

/** A command that is timed, or the end of the process that a pid file names, which is waited for. */
export type Step = { readonly run: readonly string[] } | { readonly gone: string };

interface Timed {
  readonly milliseconds: number;
  readonly status: number;
  /** Of the command and all that it waited for, in milliseconds. */
  readonly processor: number;
  /** Peak memory of the largest of them, in KiB. */
  readonly memory: number;
}

export interface Timings {
  readonly steps: readonly Timed[];
  /** What the commands wrote to standard error. */
  readonly stderr: string;
}

/** Does the steps with no other load between them; the commands' words go through a file in `scratch`. */
export function time(steps: readonly Step[], scratch: string, env: NodeJS.ProcessEnv = process.env): Timings {
  return timeAmongOthers(steps, scratch, env, undisturbed());
}

/** The same for what needs others to go on, such as a server: `before` may give the command another priority. */
export function timeAmongOthers(
  steps: readonly Step[],
  scratch: string,
  env: NodeJS.ProcessEnv = process.env,
  before: readonly string[] = [],
): Timings {
  const words = join(scratch, "stopwatch.err");
  if (existsSync(words)) rmSync(words);
  const [program, ...args] = [...before, "python3", join(REPOSITORY, "test/bench/stopwatch.py"), words];
  const { stdout, stderr, status } = spawnSync(program, args, {
    input: JSON.stringify(steps),
    encoding: "utf8",
    env,
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`the stopwatch ended with ${status}: ${stderr}`);
  const measured = JSON.parse(stdout) as [number, number, number, number][];
  const timed = ([milliseconds, exit, processor, memory]: (typeof measured)[number]): Timed => ({
    milliseconds,
    status: exit,
    processor,
    memory,
  });
  return { steps: measured.map(timed), stderr: textOf(words) };
}

/** What goes before a command to keep other load out of its time: real-time priority, sched(7), where that is allowed. */
export function undisturbed(): readonly string[] {
  allowed ??= spawnSync("chrt", ["-f", "10", "true"]).status === 0;
  return allowed ? ["chrt", "-f", "10"] : [];
}

let allowed: boolean | undefined;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
