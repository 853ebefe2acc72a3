/**
 * An assembler for classic BPF, the language of seccomp(2) filters.
 *
 * A classic program only ever jumps forward (kernel/bpf: bpf_check_classic), so it is written from its end to its
 * beginning: whatever an instruction jumps to is there already, every distance is known at once, and no pass has to
 * come back to mend anything. A writer of trees passes the continuations and gets the entry.
 */
import { SpecError } from "../spec/error.ts";

/** A place in a program: the number of instructions from there to the end. */
export type Label = number;

/** Instructions of two words, filled from the end of `words`. Owned by whoever called `createProgram`. */
export interface Program {
  words: Uint32Array;
  capacity: number;
  length: number;
  readonly limit: number;
  /** Where each answer was written last. */
  readonly answers: Map<number, Label>;
}

/** BPF_MAXINSNS of linux/bpf_common.h: seccomp(2) takes no more. */
export const CLASSIC_LIMIT = 4096;

/** Comparisons of the accumulator with a constant: BPF_JMP | BPF_JEQ … | BPF_K. All unsigned. */
export const JEQ = 0x15;
export const JGT = 0x25;
export const JGE = 0x35;
export const JSET = 0x45;

const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const JUMP = 0x05; // BPF_JMP | BPF_JA
const REACH = 255; // jt and jf are bytes

/**
 * Takes the greatest number of instructions that the kernel accepts; returns an empty program.
 */
export function createProgram(limit: number): Program {
  const capacity = Math.min(limit, 512);
  return { words: new Uint32Array(capacity * 2), capacity, length: 0, limit, answers: new Map() };
}

/**
 * Writes an instruction, given as its two words, in front of what is there.
 * Returns its place. Throws when the program gets longer than its limit.
 */
export function prepend(program: Program, first: number, second: number): Label {
  if (program.length === program.capacity) grow(program);
  const label = ++program.length;
  const at = (program.capacity - label) * 2;
  program.words[at] = first;
  program.words[at + 1] = second;
  return label;
}

/**
 * Takes a finished program; returns a copy of its instructions as the kernel reads them, 8 bytes each.
 * Words are stored in the order of the machine, which is little-endian on both that tsrun supports.
 */
export function toBytes(program: Program): Uint8Array {
  const { words, length } = program;
  return new Uint8Array(words.slice(words.length - 2 * length).buffer);
}

/** `return value`: what the kernel does with the syscall. Returns its place, one that exists where that is near. */
export function answer(program: Program, value: number): Label {
  const before = program.answers.get(value);
  // Half of what a jump reaches, so that the jumps that are written next still reach it.
  if (before !== undefined && program.length - before <= REACH >> 1) return before;
  const label = prepend(program, RETURN, value);
  program.answers.set(value, label);
  return label;
}

/** The 32 bits at `offset` (bytes) of struct seccomp_data become the accumulator; goes on at `next`. */
export function load(program: Program, offset: number, next: Label): Label {
  continueAt(program, next);
  return prepend(program, LOAD_WORD, offset);
}

/** The accumulator loses the bits that `mask` has not; goes on at `next`. */
export function and(program: Program, mask: number, next: Label): Label {
  continueAt(program, next);
  return prepend(program, AND, mask);
}

/** Compares the accumulator with `value` (unsigned 32 bits) and goes on at `yes` or at `no`, however far they are. */
// oxlint-disable-next-line max-params -- called thousands of times for one filter: an object each would be felt
export function branch(program: Program, comparison: number, value: number, yes: Label, no: Label): Label {
  if (yes === no) return yes;
  const { length } = program;
  if (length - yes > REACH || length - no > REACH) return branchFar(program, comparison, value, yes, no);
  if (length === program.capacity) grow(program);
  const at = (program.capacity - length - 1) * 2; // as `prepend`, which most of the time here went to calling
  program.words[at] = comparison | ((length - yes) << 16) | ((length - no) << 24);
  program.words[at + 1] = value;
  return ++program.length;
}

// oxlint-disable-next-line max-params -- as branch
function branchFar(program: Program, comparison: number, value: number, yes: Label, no: Label): Label {
  // One less than the reach: bringing `no` near may put one more instruction in between.
  const nearYes = bringNear(program, yes, REACH - 1);
  const nearNo = bringNear(program, no, REACH);
  return branch(program, comparison, value, nearYes, nearNo);
}

function continueAt(program: Program, next: Label): void {
  if (next !== program.length) prepend(program, JUMP, program.length - next);
}

/** The answer itself is as short as a jump to it, and quicker. */
function bringNear(program: Program, target: Label, reach: number): Label {
  const { words, length } = program;
  if (length - target <= reach) return target;
  const at = words.length - 2 * target;
  if (words[at] === RETURN) return prepend(program, RETURN, words[at + 1] ?? 0);
  return prepend(program, JUMP, length - target);
}

function grow(program: Program): void {
  const { words, limit } = program;
  if (program.length >= limit)
    throw new SpecError("", `the rules make too large a BPF program: at most ${limit} instructions are allowed`);
  program.capacity = Math.min(limit, program.capacity * 2);
  program.words = new Uint32Array(program.capacity * 2);
  program.words.set(words, program.words.length - words.length);
}
