/** A seccomp profile in words. What becomes of each system call is asked of the compiler's own first pass. */
import { decide, permits } from "../mechanisms/seccomp-verdicts.ts";
import { unknownNames } from "../mechanisms/seccomp-compile.ts";
import type { Seccomp, SeccompAction, SeccompArg, SeccompOperator } from "../spec/spec.ts";
import { countOf } from "../spec/text.ts";
import { listOf } from "./words.ts";

/** errno(3), for the numbers that profiles use. */
const ERRNO: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  13: "EACCES",
  22: "EINVAL",
  38: "ENOSYS",
  95: "EOPNOTSUPP",
};

const ACTIONS: { readonly [K in SeccompAction["kind"]]: string } = {
  allow: "is allowed",
  log: "is allowed, and logged",
  trap: "does nothing but raise SIGSYS",
  killThread: "kills the thread",
  killProcess: "kills the process",
  errno: "fails with",
  trace: "is left to a tracer, and without one fails with ENOSYS",
};

function wordsOf(action: SeccompAction): string {
  if (action.kind !== "errno") return ACTIONS[action.kind];
  return `${ACTIONS.errno} ${ERRNO[action.value] ?? `errno ${action.value}`}`;
}

/** SECCOMP_FILTER_FLAG_* of seccomp(2). */
const FLAGS: readonly (readonly [bit: number, meaning: string])[] = [
  [1, "TSYNC, for all threads"],
  [2, "LOG, all but allowed calls are logged"],
  [4, "SPEC_ALLOW, without the costly defence against Spectre variant 4"],
];

/** What each machine is: its own architecture, and those that its kernel runs as well. */
const ARCHITECTURES: Readonly<
  Record<string, { readonly own: string; readonly others: Readonly<Record<string, string>> }>
> = {
  x86_64: { own: "x86_64", others: { SCMP_ARCH_X86: "i386", SCMP_ARCH_X32: "x32" } },
  aarch64: { own: "aarch64", others: { SCMP_ARCH_ARM: "arm" } },
};

/** The lines of a `loadSeccomp` step. */
export function describeSeccomp(seccomp: Seccomp, machine: string): string[] {
  const { defaultAction, flags } = seccomp;
  const unknown = unknownNames(seccomp);
  const names = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, meaning]) => meaning);
  return [
    `a system call that no rule speaks of ${wordsOf(defaultAction)}`,
    ...describeVerdicts(seccomp),
    ...describeArchitectures(seccomp, machine),
    ...(unknown.length === 0 ? [] : [`no system call of Linux, and so without effect: ${unknown.join(" ")}`]),
    names.length === 0 ? "without flags" : `flags: ${names.join("; ")}`,
  ];
}

function describeVerdicts(seccomp: Seccomp): string[] {
  const { byName } = decide(seccomp);
  const verdicts = [...byName.values()];
  const depends = verdicts.filter(({ cases }) => cases.length > 0).length;
  const allowed = verdicts.filter(({ cases, answer }) => cases.length === 0 && permits(answer)).length;
  const denied = verdicts.length - depends - allowed;
  return [
    `the profile names ${verdicts.length}: ${allowed} allowed, ${denied} denied, ${depends} that depend on their arguments`,
    ...describeDenied(seccomp),
    ...describeConditions(seccomp.rules, (name) => (byName.get(name)?.cases.length ?? 0) > 0),
  ];
}

/** Rules without conditions that deny, and otherwise than what no rule speaks of. */
function describeDenied({ rules, defaultAction }: Seccomp): string[] {
  const usual = wordsOf(defaultAction);
  const denying = rules.filter(
    ({ args, action }) => args.length === 0 && action.kind !== "allow" && wordsOf(action) !== usual,
  );
  return denying.map(({ names, action }) => `${names.join(", ")}: ${wordsOf(action)}`);
}

const OPERATORS: { readonly [O in SeccompOperator]: string } = {
  NE: "is not",
  LT: "is less than",
  LE: "is at most",
  EQ: "is",
  GE: "is at least",
  GT: "is more than",
  MASKED_EQ: "",
};

/** One line for each name with conditions, however many rules it has. A rule without conditions outdoes them. */
function describeConditions(rules: Seccomp["rules"], depends: (name: string) => boolean): string[] {
  const byName = new Map<string, string[]>();
  for (const { names, action, args } of rules) {
    const concerned = names.filter(depends);
    if (args.length === 0 || concerned.length === 0) continue;
    const twice = new Set(args.map(({ index }) => index)).size < args.length;
    const text = `${wordsOf(action)} where ${args.map(conditionOf).join(twice ? " or " : " and ")}`;
    const key = concerned.join(", ");
    byName.set(key, [...(byName.get(key) ?? []), text]);
  }
  return [...byName].map(([names, texts]) => `${names}: ${shorten(texts)}`);
}

/** "is allowed where argument 0 is 0x0, or 0x8": what is said already is not said again. */
function shorten(texts: readonly string[]): string {
  let before = "";
  const words = texts.map((text) => {
    const ends = [" is ", " where "]
      .filter((word) => text.includes(word))
      .map((word) => text.lastIndexOf(word) + word.length);
    const known = ends.find((end) => before.startsWith(text.slice(0, end))) ?? 0;
    before = text;
    return text.slice(known);
  });
  return words.join(", or ");
}

function conditionOf({ index, op, value, valueTwo }: SeccompArg): string {
  if (op !== "MASKED_EQ") return `argument ${index} ${OPERATORS[op]} ${hex(value)}`;
  return `argument ${index} has ${hex(valueTwo)} in the bits ${hex(value)}`;
}

function describeArchitectures({ architectures, defaultAction }: Seccomp, machine: string): string[] {
  const known = ARCHITECTURES[machine];
  if (known === undefined) return [];
  const also = architectures.map((name) => known.others[name]).filter((name) => name !== undefined);
  const lenient = defaultAction.kind === "allow" || defaultAction.kind === "log" || defaultAction.kind === "trace";
  return [
    `compiled for ${listOf([known.own, ...also])}; a call of any other architecture kills the thread`,
    ...(lenient
      ? []
      : [
          "a call that is newer than all that the profile names fails with ENOSYS, so that programs fall back to what they did before it",
        ]),
  ];
}

function hex(number: bigint): string {
  return `0x${number.toString(16)}`;
}

/** The size of a compiled filter: struct sock_filter has eight bytes. */
export function sizeOfFilter(filter: Uint8Array): string {
  return countOf(filter.length / 8, "instruction");
}
