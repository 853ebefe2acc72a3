/** What every command is given. */
import { attempt, Failure } from "../sys/failure.ts";
import { isAbsolute, resolve } from "../spec/paths.ts";
import type { Sys } from "../sys/sys.ts";
import type { Snapshotter } from "../image/orders.ts";
import type { Log } from "./log.ts";

export interface Globals {
  /** Absolute: where the state of containers is. */
  readonly root: string;
  /** Whether the caller named it: one that is not there is a mistake then. */
  readonly rootGiven: boolean;
  /** Absolute: where images are. */
  readonly store: string;
  /** In which form layers are kept that are brought there. */
  readonly snapshotter: Snapshotter;
  /** "disabled": no cgroup is made, as crun has it. "systemd" never reaches a command that makes one. */
  readonly cgroupManager: "cgroupfs" | "disabled" | "systemd";
  readonly debug: boolean;
}

/** Options and operands of one command, as its row of the table says. */
export interface Parsed {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
  /** What follows "--", where the command keeps it apart: see `Command.apart`. */
  readonly rest: readonly string[];
}

export interface Context {
  readonly sys: Sys;
  readonly globals: Globals;
  readonly log: Log;
  readonly args: readonly string[];
  readonly env: readonly string[];
}

/** The last value of an option; undefined where it was not given. */
export function option(parsed: Parsed, name: string): string | undefined {
  return parsed.flags.get(name)?.at(-1);
}

export function isSet(parsed: Parsed, name: string): boolean {
  return option(parsed, name) === "true";
}

/** The last value of an environment variable, "" where it is not set. */
export function variable(env: readonly string[], name: string): string {
  const entry = env.findLast((each) => each.startsWith(`${name}=`));
  return entry === undefined ? "" : entry.slice(name.length + 1);
}

/**
 * `path` from the working directory. Throws a Failure where that is out of reach, which getcwd(2) tells by its first word, and for
 * "", which is a variable that nobody has set, and not the working directory.
 */
export function absolutePath(sys: Sys, path: string): string {
  if (path === "") throw new Failure("a path must not be empty");
  if (isAbsolute(path)) return resolve("/", path);
  const here = sys.getcwd();
  if (!isAbsolute(here))
    throw new Failure(`cannot use the relative path ${JSON.stringify(path)}: the working directory is ${here}`);
  return resolve(here, path);
}

/** Writes to standard output. Throws a Failure where that is closed. */
export function print(sys: Sys, text: string): void {
  attempt("write to standard output", () => {
    const output = sys.inherited(1);
    try {
      sys.writeText(output, text);
    } finally {
      output.take();
    }
  });
}
