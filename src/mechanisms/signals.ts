/** Signals by name: signal(7). */
import { isDigits } from "../spec/text.ts";
import { Failure } from "../sys/failure.ts";

/** By number, from 1; x86, ARM and most others agree. */
const NAMES: readonly string[] = [
  "HUP",
  "INT",
  "QUIT",
  "ILL",
  "TRAP",
  "ABRT",
  "BUS",
  "FPE",
  "KILL",
  "USR1",
  "SEGV",
  "USR2",
  "PIPE",
  "ALRM",
  "TERM",
  "STKFLT",
  "CHLD",
  "CONT",
  "STOP",
  "TSTP",
  "TTIN",
  "TTOU",
  "URG",
  "XCPU",
  "XFSZ",
  "VTALRM",
  "PROF",
  "WINCH",
  "IO",
  "PWR",
  "SYS",
];

const ALIASES: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29, UNUSED: 31, RTMIN: 34, RTMAX: 64 };

/** A number, or a name in any case, with SIG or without: "9", "KILL", "sigkill", "RTMIN+3". Throws a Failure. */
export function signalNumber(text: string): number {
  if (isDigits(text)) {
    const number = Number(text);
    if (number <= 64) return number;
  }
  const upper = text.toUpperCase();
  const name = upper.startsWith("SIG") ? upper.slice(3) : upper;
  const index = NAMES.indexOf(name);
  const number = index >= 0 ? index + 1 : (ALIASES[name] ?? realtime(name));
  if (number === undefined) throw new Failure(`unknown signal ${JSON.stringify(text)}`);
  return number;
}

function realtime(name: string): number | undefined {
  for (const [base, sign] of [
    ["RTMIN", "+"],
    ["RTMAX", "-"],
  ] as const) {
    const offset = Number(name.slice(base.length + 1));
    if (!name.startsWith(base + sign) || !(offset >= 0 && offset <= 30)) continue;
    return (ALIASES[base] ?? 0) + (sign === "+" ? offset : -offset);
  }
  return undefined;
}
