/** Sizes, shares and counts on the command line, in docker's words. */
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { everyCharacter, isDigit, isDigits } from "../text.ts";

/** The kernel's period, in microseconds, that docker's --cpus is turned into quotas of. */
export const CPU_PERIOD = 100_000;

/** The kernel takes no quota of less than a millisecond: Documentation/scheduler/sched-bwc.rst. */
const LEAST_QUOTA = 1000;

const UNITS: Readonly<Record<string, number>> = { b: 1, k: 1 << 10, m: 1 << 20, g: 1 << 30, t: 2 ** 40, p: 2 ** 50 };

/** Bytes: digits, perhaps with a fraction, and b, k, m, g, t or p, each also as in "kb" and "kib". Throws a Failure. */
export function parseSize(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const lower = text.toLowerCase();
  let unit = lower.length;
  while (unit > 0 && !isDigit(lower.charAt(unit - 1))) unit--;
  const bytes = Math.floor((decimalOf(lower.slice(0, unit)) ?? 0) * (factorOf(lower.slice(unit)) ?? 0));
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new Failure(`--${flag} must be a size such as 512m or 2g: current value is ${quote(text)}`);
}

function factorOf(unit: string): number | undefined {
  const letter = unit.charAt(0);
  const isUnit = unit.length <= 1 || (letter !== "b" && ["b", "ib"].includes(unit.slice(1)));
  return isUnit ? UNITS[letter || "b"] : undefined;
}

/** --cpus: how many, with fractions; as microseconds in each CPU_PERIOD. Throws a Failure. */
export function parseCpus(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const quota = Math.round((decimalOf(text) ?? -1) * CPU_PERIOD);
  if (quota === 0) return undefined; // As docker: no limit.
  if (quota >= LEAST_QUOTA && Number.isSafeInteger(quota)) return quota;
  throw new Failure(`--cpus must be a number such as 1.5, and 0.01 at least: current value is ${quote(text)}`);
}

/** --pids-limit; 0 and -1 mean none. Throws a Failure. */
export function parsePids(text: string | undefined): number | undefined {
  if (text === undefined || text === "-1" || text === "0") return undefined;
  const count = Number(text);
  if (isDigits(text) && Number.isSafeInteger(count)) return count;
  throw new Failure(`--pids-limit must be a whole number, or -1 for none: current value is ${quote(text)}`);
}

/** A whole number within bounds; 0 means "not set", as in docker. Throws a Failure. */
export function parseCount(
  text: string | undefined,
  flag: string,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  if (text === undefined || text === "0") return undefined;
  const count = Number(text);
  if (isDigits(text) && count >= least && count <= most) return count;
  throw new Failure(`--${flag} must be a whole number from ${least} to ${most}: current value is ${quote(text)}`);
}

/** Digits, or digits and a fraction: no sign, no exponent. */
function decimalOf(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length > 2 || text.length > 20 || text === "" || text === ".") return undefined;
  if (!parts.every((part) => everyCharacter(part, isDigit))) return undefined;
  return Number(text);
}
