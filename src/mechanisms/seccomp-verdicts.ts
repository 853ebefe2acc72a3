/**
 * From the rules of a profile to one verdict per syscall, as runc and libseccomp combine them.
 *
 * - A rule with the default action says nothing (runc, seccomp_linux.go, matchCall: libseccomp would refuse it).
 * - The first rule without conditions decides alone, whatever stands before or after it (libseccomp, db.c, db_rule_add).
 * - Rules with conditions are tried one after the other; all conditions of a rule must hold.
 * - A rule that asks twice about one argument counts as one rule per condition (runc, matchCall): profiles list
 *   alternatives that way.
 */

import { SpecError } from "../spec/error.ts";
import type { Seccomp, SeccompAction, SeccompArg, SeccompRule } from "../spec/spec.ts";
import type { Case, Condition } from "./seccomp-conditions.ts";

/** The cases in order, and the answer where none holds. Without cases one object serves for each answer. */
export interface Verdict {
  readonly cases: readonly Case[];
  readonly answer: number;
}

export interface Verdicts {
  /** Every syscall that the profile names, those with the default action too. */
  readonly byName: ReadonlyMap<string, Verdict>;
  /** For the syscalls that it does not name. */
  readonly otherwise: Verdict;
  /** For numbers above all that it names: see `decide`. */
  readonly beyond: Verdict;
}

const ENOSYS = 38;
const WORD = 0xffff_ffffn;

/** SECCOMP_RET_* of linux/seccomp.h. */
const RETURN = {
  killProcess: 0x8000_0000,
  killThread: 0x0000_0000,
  trap: 0x0003_0000,
  errno: 0x0005_0000,
  trace: 0x7ff0_0000,
  log: 0x7ffc_0000,
  allow: 0x7fff_0000,
} as const satisfies Record<SeccompAction["kind"], number>;

/** What a filter answers for a syscall of an architecture it does not know: libseccomp's SCMP_FLTATR_ACT_BADARCH. */
export const BAD_ARCH = RETURN.killThread;

/**
 * Takes a profile; returns what becomes of each syscall.
 *
 * Numbers above all that the profile names were unknown to who wrote it, and get ENOSYS, so that a libc falls back to
 * what it did before it knew the new syscall; with EPERM it gives up. Not where the default lets syscalls through.
 * runc, patchbpf/enosys_linux.go; https://github.com/opencontainers/runc/pull/2750.
 * Throws a SpecError where two rules contradict each other.
 */
export function decide({ defaultAction, rules }: Seccomp): Verdicts {
  const otherwise: Verdict = { cases: [], answer: returnValue(defaultAction) };
  const byName = new Map<string, Verdict>();
  const several = new Set<string>(); // names with more than one rule that has conditions
  const plain = new Map<number, Verdict>();
  for (const rule of rules) {
    const value = returnValue(rule.action);
    if (value === otherwise.answer) mention(byName, rule, otherwise);
    else if (rule.args.length === 0) settle(byName, rule, intern(plain, value), otherwise);
    else add(byName, several, rule, otherwise);
  }
  for (const name of several) byName.set(name, inOrder(name, byName.get(name) ?? otherwise));
  const lenient = ["allow", "log", "trace"].includes(defaultAction.kind);
  return { byName, otherwise, beyond: lenient ? otherwise : intern(plain, RETURN.errno | ENOSYS) };
}

/** Whether an answer lets the syscall happen. */
export function permits(answer: number): boolean {
  return answer === RETURN.allow || answer === RETURN.log;
}

function returnValue(action: SeccompAction): number {
  const value = "value" in action ? action.value & 0xffff : 0; // SECCOMP_RET_DATA
  return (RETURN[action.kind] | value) >>> 0;
}

function intern(plain: Map<number, Verdict>, value: number): Verdict {
  const known = plain.get(value);
  if (known !== undefined) return known;
  const verdict: Verdict = { cases: [], answer: value };
  plain.set(value, verdict);
  return verdict;
}

function mention(byName: Map<string, Verdict>, rule: SeccompRule, otherwise: Verdict): void {
  for (const name of rule.names) {
    if (!byName.has(name)) byName.set(name, otherwise);
  }
}

function settle(byName: Map<string, Verdict>, rule: SeccompRule, verdict: Verdict, otherwise: Verdict): void {
  for (const name of rule.names) {
    const before = byName.get(name);
    if (before === undefined || before === otherwise || before.cases.length > 0) byName.set(name, verdict);
  }
}

function add(byName: Map<string, Verdict>, several: Set<string>, rule: SeccompRule, otherwise: Verdict): void {
  const { answer } = otherwise;
  const alone: Verdict = { cases: casesOf(rule), answer };
  for (const name of rule.names) {
    const before = byName.get(name);
    if (before === undefined || before === otherwise) {
      byName.set(name, alone);
    } else if (before.cases.length > 0) {
      byName.set(name, { cases: [...before.cases, ...alone.cases], answer });
      several.add(name);
    }
  }
}

function casesOf({ action, args }: SeccompRule): Case[] {
  const answer = returnValue(action);
  const conditions = args.map(toCondition).toSorted((a, b) => a.index - b.index);
  const twice = conditions.some(({ index }, i) => conditions[i + 1]?.index === index);
  return twice ? conditions.map((condition) => ({ answer, conditions: [condition] })) : [{ answer, conditions }];
}

function toCondition({ index, op, value, valueTwo }: SeccompArg): Condition {
  const [high, low] = toWords(value);
  const [wantedHigh, wantedLow] = toWords(valueTwo);
  return { index, op, high, low, wantedHigh, wantedLow };
}

function toWords(value: bigint): [high: number, low: number] {
  return [Number(value >> 32n), Number(value & WORD)];
}

/**
 * Where the cases of a syscall differ in their answers, libseccomp tries the more particular one first, whatever their
 * order in the profile (db.c, _db_chain_lt); profiles were tested with that. Where they agree the order is no matter.
 */
function inOrder(name: string, verdict: Verdict): Verdict {
  const { cases, answer } = verdict;
  if (cases.every((one) => one.answer === cases[0]?.answer)) return verdict;
  for (const [i, one] of cases.entries()) {
    const other = cases.slice(0, i).find((before) => before.answer !== one.answer && sameConditions(before, one));
    if (other !== undefined)
      throw new SpecError("linux.seccomp.syscalls", `has two actions for "${name}" under the same conditions`);
  }
  return { cases: cases.toSorted(moreParticularFirst), answer };
}

function sameConditions({ conditions: a }: Case, { conditions: b }: Case): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i];
      return (
        one.index === other?.index &&
        one.op === other.op &&
        one.high === other.high &&
        one.low === other.low &&
        (one.op !== "MASKED_EQ" || wanted(one) === wanted(other))
      );
    })
  );
}

const RANK = { EQ: 0, NE: 0, MASKED_EQ: 0, LT: 1, LE: 1, GE: 2, GT: 2 } as const satisfies Record<
  Condition["op"],
  number
>;

function moreParticularFirst({ conditions: [a] }: Case, { conditions: [b] }: Case): number {
  if (a === undefined || b === undefined) return 0;
  if (a.index !== b.index) return b.index - a.index;
  if (RANK[a.op] !== RANK[b.op]) return RANK[a.op] - RANK[b.op];
  return RANK[a.op] === RANK.LT ? wanted(a) - wanted(b) : wanted(b) - wanted(a);
}

/** As a double: near enough to sort by. */
function wanted({ op, high, low, wantedHigh, wantedLow }: Condition): number {
  if (op !== "MASKED_EQ") return high * 2 ** 32 + low;
  return ((high & wantedHigh) >>> 0) * 2 ** 32 + ((low & wantedLow) >>> 0);
}
