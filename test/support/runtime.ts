/** The runtime under test: `TSRUN`, or the one that the build made. Any drop-in for runc can stand there. */

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export const TSRUN = process.env["TSRUN"] ?? join(REPOSITORY, "build", "tsrun");

/** In the virtual machine a system call costs thirty times as much. */
export const DEADLINE = process.env["IN_VM"] === undefined ? 20_000 : 60_000;

export interface Result {
  /** The exit code; 128+n where a signal ended the command. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Where stdout and stderr go, for commands that leave a container behind which holds them open. */
  readonly output?: string;
  /** Descriptors from 3 on that the command inherits. */
  readonly extra?: number[];
  readonly timeout?: number;
  /** Makes it the first of a process group, so that it can be killed with all that it started. */
  readonly group?: boolean;
}

/**
 * Runs a command to its end. Its output goes through files and not pipes, because a pipe ends only when
 * the last container that inherited it does.
 */
export function run(command: readonly string[], scratch: string, options: RunOptions = {}): Result {
  const [program, ...args] = command;
  if (program === undefined) throw new Error("A command needs a name");
  const { stdio, read } = files(scratch, options);
  const timeout = options.timeout ?? DEADLINE;
  const ended = spawnSync(program, args, {
    stdio,
    env: options.env ?? process.env,
    cwd: options.cwd,
    timeout,
    killSignal: "SIGKILL",
  });
  for (const fd of stdio.slice(0, 3)) closeSync(fd);
  if (ended.error !== undefined) {
    throw new Error(`${command.join(" ")}: ${ended.error.message}\n${read().stderr}`, { cause: ended.error });
  }
  return { status: statusOf(ended.status, ended.signal), ...read() };
}

export interface Running {
  readonly child: ChildProcess;
  /** What it has written so far. */
  read(): { stdout: string; stderr: string };
  /** Waits for its end. */
  ended: Promise<Result>;
}

/** Starts a command and does not wait for it. */
export function start(command: readonly string[], scratch: string, options: RunOptions = {}): Running {
  const [program, ...args] = command;
  if (program === undefined) throw new Error("A command needs a name");
  const { stdio, read } = files(scratch, options);
  const { env = process.env, cwd, group = false } = options;
  const child = spawn(program, args, { stdio, env, cwd, detached: group });
  for (const fd of stdio.slice(0, 3)) closeSync(fd);
  const ended = new Promise<Result>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${command.join(" ")}: still runs after ${DEADLINE} ms`));
    }, options.timeout ?? DEADLINE);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(late);
      resolve({ status: statusOf(code, signal), ...read() });
    });
  });
  // Whoever does not wait for it does not care how it ends either.
  ended.catch(() => undefined);
  return { child, read, ended };
}

/** Polls until `holds` gives something true, and gives that. */
export async function eventually<T>(
  holds: () => T,
  what: string | (() => string),
  within = DEADLINE,
): Promise<NonNullable<T>> {
  const end = Date.now() + within;
  for (;;) {
    const answer = holds();
    if (answer !== undefined && answer !== null && answer !== false && answer !== "" && answer !== 0) return answer;
    if (Date.now() > end) throw new Error(`Not within ${within} ms: ${typeof what === "string" ? what : what()}`);
    await pause(10);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Stops this thread: for polling in tests that have nothing else to do. */
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** The text of a file, or "" where none can be read. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && UNREADABLE.has(String(cause.code))) return "";
    throw cause;
  }
}

/** "tsrun", "runc" or "crun", from the first word of `--version`. */
export function runtimeName(): string {
  const { stdout } = spawnSync(TSRUN, ["--version"], { encoding: "utf8", timeout: DEADLINE });
  return /^(\w+) version/.exec(stdout ?? "")?.[1] ?? "tsrun";
}

// ESRCH: the process whose /proc file it was ended meanwhile.
const UNREADABLE = new Set(["ENOENT", "ESRCH", "ENOTDIR", "EISDIR", "EACCES"]);

let calls = 0;

function files(scratch: string, { output, input, extra }: RunOptions) {
  if (!existsSync(scratch)) throw new Error(`No folder ${scratch}`);
  calls += 1;
  const base = output ?? join(scratch, `call${calls}`);
  if (input !== undefined) writeFileSync(`${base}.in`, input);
  const stdio = [
    openSync(input === undefined ? "/dev/null" : `${base}.in`, "r"),
    openSync(`${base}.out`, "w"),
    openSync(`${base}.err`, "w"),
    ...(extra ?? []),
  ];
  const read = () => ({ stdout: textOf(`${base}.out`), stderr: textOf(`${base}.err`) });
  return { stdio, read };
}

function statusOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}
