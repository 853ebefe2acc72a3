/** What every command is given. */
import type { Sys } from "../sys/sys.ts";
import type { Log } from "./log.ts";

export interface Globals {
  /** Absolute: where the state of containers is. */
  readonly root: string;
  /** Absolute: where images are. */
  readonly store: string;
  readonly debug: boolean;
}

/** Options and operands of one command, as its row of the table says. */
export interface Parsed {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
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

/** Writes to standard output. */
export function print(sys: Sys, text: string): void {
  const output = sys.inherited(1);
  sys.writeText(output, text);
  output.take();
}
