/**
 * The few instructions of eBPF that a device filter needs. Written from the end like classic BPF, see bpf.ts: the
 * verifier follows such a program once through, without loops. Instruction set: RFC 9669.
 */

import { type Label, prepend, type Program } from "./bpf.ts";

/** r0 (the result), r1 (the context), r2 … r5. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5;

/** Far below what the kernel takes (BPF_COMPLEXITY_LIMIT_INSNS), so that every jump fits its 16 bits. */
export const EXTENDED_LIMIT = 32_767;

/** Comparisons of the lower 32 bits of a register with a constant: BPF_JMP32 | … | BPF_K. */
export const EQUAL = 0x16;
export const DIFFERENT = 0x56;
export const ANY_BIT = 0x46;

const LOAD_WORD = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE = 0xbc; // BPF_ALU | BPF_MOV | BPF_X
const MOVE_CONSTANT = 0xb4; // BPF_ALU | BPF_MOV | BPF_K
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const JUMP = 0x05; // BPF_JMP | BPF_JA
const EXIT = 0x95; // BPF_JMP | BPF_EXIT

/** Ends the program with `value` as its result. Returns the place. */
export function exit(program: Program, value: number): Label {
  write(program, { code: EXIT });
  return write(program, { code: MOVE_CONSTANT, constant: value });
}

/** `to` becomes the 32 bits at `offset` (bytes) from where `base` points, and runs on. */
export function loadWord(program: Program, to: Register, base: Register, offset: number): Label {
  return write(program, { code: LOAD_WORD, to, from: base, offset });
}

/** `to` becomes `from`, 32 bits, and runs on. */
export function move(program: Program, to: Register, from: Register): Label {
  return write(program, { code: MOVE, to, from });
}

/** The register loses the bits that `mask` has not, and runs on. */
export function and(program: Program, register: Register, mask: number): Label {
  return write(program, { code: AND, to: register, constant: mask });
}

/** The register is shifted right, and runs on. */
export function shiftRight(program: Program, register: Register, bits: number): Label {
  return write(program, { code: SHIFT_RIGHT, to: register, constant: bits });
}

/** A question about a register: EQUAL, DIFFERENT or ANY_BIT, and the constant that it is compared with. */
export type Question = readonly [comparison: number, register: Register, constant: number];

/** Goes on at `yes` where the answer is yes, else at `no`; costs one instruction where either of them comes next. */
export function jumpIf(program: Program, [comparison, to, constant]: Question, yes: Label, no: Label): Label {
  if (yes === no && yes === program.length) return yes;
  if (yes === program.length && comparison !== ANY_BIT) {
    const opposite = comparison === EQUAL ? DIFFERENT : EQUAL;
    return write(program, { code: opposite, to, offset: program.length - no, constant });
  }
  if (no !== program.length) write(program, { code: JUMP, offset: program.length - no });
  return write(program, { code: comparison, to, offset: program.length - yes, constant });
}

/** struct bpf_insn of linux/bpf.h; what is left out is 0. */
interface Instruction {
  readonly code: number;
  readonly to?: Register;
  readonly from?: Register;
  readonly offset?: number;
  readonly constant?: number;
}

function write(program: Program, { code, to = 0, from = 0, offset = 0, constant = 0 }: Instruction): Label {
  return prepend(program, code | (to << 8) | (from << 12) | (offset << 16), constant);
}
