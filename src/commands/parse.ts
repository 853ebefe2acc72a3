/**
 * Arguments, as runc's callers write them: long options with one dash or two, `--name=value` or `--name value`, booleans also
 * `--name=false`; short options alone, never bundled.
 */
import { Failure } from "../sys/failure.ts";
import type { Parsed } from "./context.ts";
import type { Flag } from "./table.ts";

/** Throws a Failure with the words that podman and others look for. */
export class Usage extends Failure {}

export interface Arguments {
  readonly flags: readonly Flag[];
  /** Whether parsing stops at the first operand. */
  readonly greedy: boolean;
}

/** Sorts `args` into options and operands. */
export function parseArguments(args: readonly string[], { flags, greedy }: Arguments): Parsed {
  const found = new Map<string, string[]>();
  const operands: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "--") {
      operands.push(...args.slice(index + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      if (greedy) {
        operands.push(...args.slice(index));
        break;
      }
      operands.push(arg);
      continue;
    }
    index += takeOption(arg, args[index + 1], flags, found);
  }
  return { flags: found, operands };
}

/** Notes one option; gives how many further arguments it used. */
function takeOption(arg: string, next: string | undefined, flags: readonly Flag[], found: Map<string, string[]>): 0 | 1 {
  const text = arg.startsWith("--") ? arg.slice(2) : arg.slice(1);
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const flag = flags.find((known) => known.name === name || known.short === name);
  if (flag === undefined) throw new Usage(`flag provided but not defined: -${name}`);
  const given = equals < 0 ? undefined : text.slice(equals + 1);
  if (flag.value === undefined) {
    note(found, flag.name, booleanOf(given ?? "true", name));
    return 0;
  }
  const value = given ?? next;
  if (value === undefined) throw new Usage(`flag needs an argument: -${name}`);
  note(found, flag.name, value);
  return given === undefined ? 1 : 0;
}

function note(found: Map<string, string[]>, name: string, value: string): void {
  const values = found.get(name);
  if (values === undefined) found.set(name, [value]);
  else values.push(value);
}

const BOOLEANS: Readonly<Record<string, "true" | "false">> = {
  true: "true", TRUE: "true", True: "true", t: "true", T: "true", "1": "true",
  false: "false", FALSE: "false", False: "false", f: "false", F: "false", "0": "false",
};

function booleanOf(value: string, name: string): string {
  const known = BOOLEANS[value];
  if (known === undefined) throw new Usage(`invalid boolean value ${JSON.stringify(value)} for -${name}`);
  return known;
}

/** A count of descriptors and the like: digits only. Throws a Failure. */
export function countOf(text: string | undefined, name: string): number {
  if (text === undefined) return 0;
  const number = Number(text);
  const digits = text !== "" && [...text].every((character) => character >= "0" && character <= "9");
  if (!digits || !Number.isSafeInteger(number)) throw new Usage(`invalid value ${JSON.stringify(text)} for --${name}: must be a whole number`);
  return number;
}
