/** The process's environment: the image's, then the command line's. */
import { quote } from "../spec/reader.ts";
import type { Options } from "./flags/options.ts";
import { DEFAULT_PATH } from "./profile.ts";

interface Around {
  /** The caller's, for --env without a value and for nothing else. */
  readonly callerEnv: readonly string[];
  readonly hostname: string;
  readonly warn: (message: string) => void;
}

/**
 * NAME=VALUE, each name once. An entry of the image without "=" or without a name is dropped: it must never stand for a
 * variable of the host's (CVE-2026-57231).
 */
export function toEnvironment(
  image: readonly string[],
  options: Pick<Options, "env" | "terminal">,
  around: Around,
): string[] {
  const variables = new Map<string, string>();
  const set = (entry: string): void => void variables.set(nameOf(entry), entry);
  set(DEFAULT_PATH);
  set(`HOSTNAME=${around.hostname}`);
  if (options.terminal) set("TERM=xterm");
  for (const entry of image) {
    if (entry.indexOf("=") > 0) set(entry);
    else around.warn(`the image's environment has an entry that is no NAME=VALUE: ${quote(entry)} is left out`);
  }
  for (const entry of options.env) {
    if (entry.includes("=")) set(entry);
    else take(entry, variables, around.callerEnv);
  }
  return [...variables.values()];
}

/** --env NAME: the caller's value; where the caller has none, the container gets none either. */
function take(name: string, variables: Map<string, string>, callerEnv: readonly string[]): void {
  const entry = callerEnv.findLast((each) => each.startsWith(`${name}=`));
  if (entry === undefined) variables.delete(name);
  else variables.set(name, entry);
}

function nameOf(entry: string): string {
  return entry.slice(0, Math.max(entry.indexOf("="), 0));
}
