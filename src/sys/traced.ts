/** A Sys that writes down what it is asked for, and how it went. */
import { isSysError } from "./errno.ts";
import type { Fd, Sys } from "./sys.ts";

/** What does not come back when it succeeds: it is written down before. */
const LAST_CALLS: readonly string[] = ["execve", "exit", "becomeProcess"];

/** `sys` with every call of it told to `write`: name, arguments, result or errno, and microseconds. */
export function writeDown(sys: Sys, write: (line: string) => void): Sys {
  const traced: Record<string, unknown> = {};
  for (const [name, call] of Object.entries(sys) as [string, (...args: unknown[]) => unknown][]) {
    traced[name] = name === "load" || name === "enableRegExp" ? call : tracedCall(sys, name, call, write);
  }
  return traced as unknown as Sys; // Of the same keys, each with a function that takes and gives the same.
}

type Call = (...args: unknown[]) => unknown;

function tracedCall(sys: Sys, name: string, call: Call, write: (line: string) => void): Call {
  return (...args) => {
    const asked = `${name}(${args.map(shown).join(", ")})`;
    if (LAST_CALLS.includes(name)) write(asked);
    const begin = sys.clockMonotonic();
    try {
      const result = call(...args);
      write(`${asked} = ${shown(result)} ${sys.clockMonotonic() - begin}µs`);
      return result;
    } catch (error) {
      write(`${asked} = ${isSysError(error) ? error.code : String(error)} ${sys.clockMonotonic() - begin}µs`);
      throw error;
    }
  };
}

const LONGEST = 60;

/** A value in few words: texts shortened, bytes counted, descriptors by number. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return value.length > 8 ? `[${value.length} entries]` : `[${value.map(shown).join(", ")}]`;
  if (isFd(value)) return `fd ${value.number}`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, entry]) => `${key}: ${shown(entry)}`)
      .join(", ")}}`;
  }
  return String(value);
}

function isFd(value: unknown): value is Fd {
  return typeof value === "object" && value !== null && "take" in value;
}
