/**
 * Conditions on the arguments of a syscall, as classic BPF.
 *
 * BPF compares 32 bits and the arguments of struct seccomp_data have 64, so that a comparison asks for the upper word
 * first and for the lower one only where that did not decide. On the 32-bit ABIs (i386, arm, and x32 too) libseccomp
 * looks at the lower word only, of the argument and of the wanted value: that is what profiles were written against.
 */

import type { SeccompOperator } from "../spec/spec.ts";
import type { Label, Program } from "./bpf.ts";
import { and, answer, branch, JEQ, JGE, JGT, JSET, load } from "./bpf.ts";

/** A condition with its 64-bit values cut in words. For MASKED_EQ `high` and `low` are the mask. */
export interface Condition {
  readonly index: number;
  readonly op: SeccompOperator;
  readonly high: number;
  readonly low: number;
  readonly wantedHigh: number;
  readonly wantedLow: number;
}

/** An answer that is given where all conditions hold. */
export interface Case {
  readonly answer: number;
  readonly conditions: readonly Condition[];
}

/** Whether the ABI has arguments of 64 bits. */
export type Width = 32 | 64;

const ARGUMENTS = 16; // offsetof(struct seccomp_data, args), linux/seccomp.h
const ALL = 0xffff_ffff;

/**
 * Writes the cases, the first that holds deciding, and `otherwise` (an answer) where none does.
 * Returns the entry, which expects nothing of the accumulator.
 */
export function emitCases(program: Program, cases: readonly Case[], otherwise: number, width: Width): Label {
  let next = answer(program, otherwise);
  let end = cases.length;
  while (end > 0) {
    const start = startOfGroup(cases, end, width);
    const grouped = end - start > 1;
    next = grouped
      ? emitGroup(program, cases.slice(start, end), width, next)
      : emitCase(program, cases[start], width, next);
    end = start;
  }
  return next;
}

/** Neighbours that look at the same argument, and at its lower word only once the upper one is 0, load it once. */
function startOfGroup(cases: readonly Case[], end: number, width: Width): number {
  let start = end - 1;
  const index = onlyLow(cases[start], width);
  if (index === undefined) return start;
  while (start > 0 && onlyLow(cases[start - 1], width) === index) start--;
  return start;
}

function onlyLow(entry: Case | undefined, width: Width): number | undefined {
  const [condition, second] = entry?.conditions ?? [];
  if (condition === undefined || second !== undefined || condition.op === "MASKED_EQ") return undefined;
  return width === 32 || condition.high === 0 ? condition.index : undefined;
}

function emitGroup(program: Program, group: readonly Case[], width: Width, next: Label): Label {
  let entry = next;
  let above = next; // where to go when the upper word is not 0
  let index = 0;
  for (const { answer: value, conditions } of group.toReversed()) {
    for (const condition of conditions) {
      const yes = answer(program, value);
      entry = compareLow(program, condition, yes, entry);
      if (holdsAbove(condition.op)) above = yes;
      index = condition.index;
    }
  }
  const low = load(program, lowWord(index), entry);
  return width === 32 ? low : load(program, highWord(index), branch(program, JEQ, 0, low, above));
}

function emitCase(program: Program, entry: Case | undefined, width: Width, next: Label): Label {
  if (entry === undefined) return next;
  let yes = answer(program, entry.answer);
  for (const condition of entry.conditions.toReversed()) {
    if (width === 32) yes = emitLow(program, condition, yes, next);
    else yes = emitWide(program, condition, yes, next);
  }
  return yes;
}

function emitLow(program: Program, condition: Condition, yes: Label, no: Label): Label {
  if (condition.op === "MASKED_EQ") {
    const { index, low: mask, wantedLow: value } = condition;
    return emitMasked(program, { offset: lowWord(index), mask, value }, yes, no);
  }
  return load(program, lowWord(condition.index), compareLow(program, condition, yes, no));
}

function emitWide(program: Program, condition: Condition, yes: Label, no: Label): Label {
  const { op, high, index } = condition;
  const low = emitLow(program, condition, yes, no);
  if (op === "MASKED_EQ") {
    return emitMasked(program, { offset: highWord(index), mask: high, value: condition.wantedHigh }, low, no);
  }
  const above = holdsAbove(op) ? yes : no;
  const below = op === "NE" || op === "LT" || op === "LE" ? yes : no;
  // Nothing is below 0; for EQ and NE both sides are the same. Either way one question is enough.
  if (high === 0) return load(program, highWord(index), branch(program, JEQ, 0, low, above));
  const level = branch(program, JEQ, high, low, below);
  return load(program, highWord(index), above === below ? level : branch(program, JGT, high, above, level));
}

/** A word of an argument, and what its bits under the mask must be. */
interface MaskedWord {
  readonly offset: number;
  readonly mask: number;
  readonly value: number;
}

/** libseccomp cuts the wanted value by the mask (_db_node_mask_fixup), so that such a condition can always be met. */
function emitMasked(program: Program, { offset, mask, value }: MaskedWord, yes: Label, no: Label): Label {
  const wanted = (value & mask) >>> 0;
  if (mask === 0) return yes;
  if (mask === ALL) return load(program, offset, branch(program, JEQ, wanted, yes, no));
  if (wanted === 0) return load(program, offset, branch(program, JSET, mask, no, yes));
  return load(program, offset, and(program, mask, branch(program, JEQ, wanted, yes, no)));
}

function compareLow(program: Program, { op, low }: Condition, yes: Label, no: Label): Label {
  switch (op) {
    case "EQ":
      return branch(program, JEQ, low, yes, no);
    case "NE":
      return branch(program, JEQ, low, no, yes);
    case "GT":
      return branch(program, JGT, low, yes, no);
    case "LE":
      return branch(program, JGT, low, no, yes);
    case "GE":
      return branch(program, JGE, low, yes, no);
    case "LT":
      return branch(program, JGE, low, no, yes);
    case "MASKED_EQ":
      throw new Error("A masked comparison is not one of a word");
    default:
      return op satisfies never;
  }
}

function holdsAbove(op: SeccompOperator): boolean {
  return op === "NE" || op === "GT" || op === "GE";
}

function lowWord(index: number): number {
  return ARGUMENTS + 8 * index;
}

function highWord(index: number): number {
  return lowWord(index) + 4;
}
