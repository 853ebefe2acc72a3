/** Profiles in few words, and what their filters answer: for the tests of the compiler. */

import { compileSeccomp, type Machine } from "../../src/mechanisms/seccomp-compile.ts";
import type { Seccomp, SeccompAction, SeccompArg, SeccompOperator, SeccompRule } from "../../src/spec/spec.ts";
import { decode, run } from "./bpf-interpreter.ts";
import { ARCH } from "./seccomp-reference.ts";

export const ALLOW = 0x7fff0000;
export const allow: SeccompAction = { kind: "allow" };
export const EPERM: SeccompAction = { kind: "errno", value: 1 };
export const NONE = [0n, 0n, 0n, 0n, 0n, 0n];

export function profile(rules: readonly SeccompRule[], more: Partial<Seccomp> = {}): Seccomp {
  return { defaultAction: EPERM, architectures: [], flags: 0, rules, ...more };
}

export function rule(names: string, action: SeccompAction, ...args: readonly SeccompArg[]): SeccompRule {
  return { names: names.split(" "), action, args };
}

export function arg(index: number, op: SeccompOperator, value: bigint, valueTwo = 0n): SeccompArg {
  return { index, op, value, valueTwo };
}

/** Compiles once; returns a function from a call to its answer. */
export function filter(
  seccomp: Seccomp,
  machine: Machine = "x86_64",
): (arch: keyof typeof ARCH, nr: number, ...args: bigint[]) => number {
  const program = decode(compileSeccomp(seccomp, machine));
  return (arch, nr, ...args) => run(program, { arch: ARCH[arch], nr, args: [...args, ...NONE] }).answer;
}

/** The numbers from `from` on, below `to`. */
export function* upTo(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}
