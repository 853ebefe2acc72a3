/**
 * Arguments, as runc's callers write them: long options with one dash or two, `--name=value` or `--name value`, booleans also
 * `--name=false`; short options alone, but for what docker's users write as one.
 */
import { isDigits } from "../spec/text.ts";
import { Failure } from "../sys/failure.ts";
import type { Parsed } from "./context.ts";
import { Usage } from "./errors.ts";
import type { Flag } from "./table.ts";

export interface Arguments {
  readonly flags: readonly Flag[];
  /** Whether parsing stops at the first operand. */
  readonly greedy: boolean;
}

/** Sorts `args` into options, operands, and what follows "--". Throws a Usage with the words that podman looks for, a Failure for what is not done yet. */
export function parseArguments(args: readonly string[], { flags, greedy }: Arguments): Parsed {
  const found = new Map<string, string[]>();
  const operands: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "--") return { flags: found, operands, rest: args.slice(index + 1) };
    if (isOption(arg)) index += takeOption(arg, args[index + 1], flags, found);
    else if (greedy) return { flags: found, operands: args.slice(index), rest: [] };
    else operands.push(arg);
  }
  return { flags: found, operands, rest: [] };
}

/** How many operands a command takes that help shows as `operands`: what is in brackets may be left out. */
export function countsOf(operands: string): { readonly least: number; readonly most: number } {
  const words = operands.split(" ").filter((word) => word !== "");
  let depth = 0;
  let least = 0;
  for (const word of words) {
    depth += word.split("[").length - 1;
    if (depth === 0) least++;
    depth -= word.split("]").length - 1;
  }
  return { least, most: operands.includes("...") ? Infinity : words.length };
}

/** "-" alone stands for standard input: it is an operand. */
function isOption(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-";
}

/** Notes one option; gives how many further arguments it used. */
function takeOption(
  arg: string,
  next: string | undefined,
  flags: readonly Flag[],
  found: Map<string, string[]>,
): 0 | 1 {
  const { name, given } = splitOption(arg);
  const flag = flags.find((known) => known.name === name || known.short === name || known.alias === name);
  if (flag === undefined) {
    const used = takeBundle(arg, next, flags, found);
    if (used !== undefined) return used;
    throw new Usage(`flag provided but not defined: -${name}`, { unknown: name });
  }
  const value = given ?? (flag.value === undefined ? "true" : next);
  if (value === undefined) throw new Usage(`flag needs an argument: -${name}`);
  note(found, flag.name, checked(flag, name, value));
  return given === undefined && flag.value !== undefined ? 1 : 0;
}

/** "--name=value", with one dash or two: the value is undefined where there is no "=". */
function splitOption(arg: string): { readonly name: string; readonly given: string | undefined } {
  const text = arg.slice(arg.startsWith("--") ? 2 : 1);
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === "" || name.startsWith("-")) throw new Usage(`bad flag syntax: ${arg}`);
  return { name, given: equals < 0 ? undefined : text.slice(equals + 1) };
}

/** What docker's users write as one: `-it`, `-itd`, and behind such letters one with a value, as in `-dp 80:80`, `-m64m`, `-eA=b`. */
const SWITCHES = "itdP";
const VALUED = "ceglmpuvw";

/** Notes a bundle; gives how many further arguments it used, or undefined where `arg` is none. */
function takeBundle(
  arg: string,
  next: string | undefined,
  flags: readonly Flag[],
  found: Map<string, string[]>,
): 0 | 1 | undefined {
  const bundle = bundleOf(arg.slice(1), flags);
  if (bundle === undefined) return undefined;
  const { switches, valued, glued } = bundle;
  for (const flag of switches) note(found, flag.name, checked(flag, flag.name, "true"));
  if (valued === undefined) return 0;
  const value = glued === "" ? next : glued;
  if (value === undefined) throw new Usage(`flag needs an argument: -${valued.name}`);
  note(found, valued.name, checked(valued, valued.name, value));
  return glued === "" ? 1 : 0;
}

interface Bundle {
  readonly switches: readonly Flag[];
  readonly valued: Flag | undefined;
  /** The value, where it is in the same word; else "". */
  readonly glued: string;
}

function bundleOf(letters: string, flags: readonly Flag[]): Bundle | undefined {
  const switches: Flag[] = [];
  for (const [index, letter] of letters.split("").entries()) {
    const flag = flags.find(({ short }) => short === letter);
    const isValued = flag?.value !== undefined;
    if (flag === undefined || !(isValued ? VALUED : SWITCHES).includes(letter)) return undefined;
    const glued = letters.slice(index + 1);
    if (isValued) return isNameLike(glued) ? undefined : { switches, valued: flag, glued };
    switches.push(flag);
  }
  return { switches, valued: undefined, glued: "" };
}

/** Whether it goes on as an option's name does, which may have one dash too: that is a mistake, and no value. */
function isNameLike(glued: string): boolean {
  return glued >= "a" && glued < "{";
}

function note(found: Map<string, string[]>, name: string, value: string): void {
  const values = found.get(name);
  if (values === undefined) found.set(name, [value]);
  else values.push(value);
}

/** The words of Go's strconv.ParseBool. */
const TRUE = ["true", "TRUE", "True", "t", "T", "1"];
const FALSE = ["false", "FALSE", "False", "f", "F", "0"];

function checked(flag: Flag, name: string, value: string): string {
  if (flag.refused !== undefined && value !== "") throw new Failure(refusalOf(flag.name, flag.refused));
  if (flag.count === true) countOf(value, name);
  if (flag.value !== undefined) return value;
  if (TRUE.includes(value)) return "true";
  if (FALSE.includes(value)) return "false";
  throw new Usage(`invalid boolean value ${JSON.stringify(value)} for -${name}: parse error`);
}

function refusalOf(name: string, reason: true | string): string {
  return reason === true ? `--${name} is not supported yet` : `--${name} is not supported: ${reason}`;
}

/** A count of descriptors and the like: digits only; 0 where it was not given. Throws a Usage. */
export function countOf(text: string | undefined, name: string): number {
  if (text === undefined) return 0;
  const number = Number(text);
  if (!isDigits(text) || !Number.isSafeInteger(number)) {
    throw new Usage(`invalid value ${JSON.stringify(text)} for flag -${name}: parse error (must be a whole number)`);
  }
  return number;
}
