/**
 * What a profile says of one call, worked out directly: the oracle for the compiler. Shares nothing with it but the
 * tables of numbers.
 */

import type { Machine } from "../../src/mechanisms/seccomp-compile.ts";
import { AARCH64 } from "../../src/mechanisms/syscalls/aarch64.ts";
import { ARM } from "../../src/mechanisms/syscalls/arm.ts";
import { I386 } from "../../src/mechanisms/syscalls/i386.ts";
import { X32 } from "../../src/mechanisms/syscalls/x32.ts";
import { X86_64 } from "../../src/mechanisms/syscalls/x86_64.ts";
import type { Seccomp, SeccompAction, SeccompArg } from "../../src/spec/spec.ts";
import type { SeccompData } from "./bpf-interpreter.ts";

export const ARCH = { x86_64: 0xc000003e, i386: 0x40000003, aarch64: 0xc00000b7, arm: 0x40000028 };
export const X32_BIT = 0x40000000;

interface Abi {
  readonly calls: ReadonlyMap<number, readonly string[]>;
  readonly bits: 32n | 64n;
}

const abis = new Map<string, Abi>();
const SOCKET_CALLS = [
  "",
  "socket",
  "bind",
  "connect",
  "listen",
  "accept",
  "getsockname",
  "getpeername",
  "socketpair",
  "send",
  "recv",
  "sendto",
  "recvfrom",
  "shutdown",
  "setsockopt",
  "getsockopt",
  "sendmsg",
  "recvmsg",
  "accept4",
  "recvmmsg",
  "sendmmsg",
];
const IPC_CALLS = new Map([
  [1, "semop"],
  [2, "semget"],
  [3, "semctl"],
  [4, "semtimedop"],
  [11, "msgsnd"],
  [12, "msgrcv"],
  [13, "msgget"],
  [14, "msgctl"],
  [21, "shmat"],
  [22, "shmdt"],
  [23, "shmget"],
  [24, "shmctl"],
]);

function toNumber(action: SeccompAction): number {
  switch (action.kind) {
    case "killProcess":
      return 0x80000000;
    case "killThread":
      return 0;
    case "trap":
      return 0x30000;
    case "errno":
      return 0x50000 + (action.value % 65536);
    case "trace":
      return 0x7ff00000 + (action.value % 65536);
    case "log":
      return 0x7ffc0000;
    case "allow":
      return 0x7fff0000;
  }
}

export function evaluate(seccomp: Seccomp, machine: Machine, data: SeccompData): number {
  return machine === "x86_64" ? evaluateOnX86(seccomp, data) : evaluateOnArm(seccomp, data);
}

function evaluateOnX86(seccomp: Seccomp, data: SeccompData): number {
  const { arch, nr } = data;
  if (arch === ARCH.i386 && lists(seccomp, "X86")) return inAbi(seccomp, abi("i386", I386, 32n), data);
  if (arch !== ARCH.x86_64) return 0;
  if (Math.floor(nr / X32_BIT) % 2 === 0) return inAbi(seccomp, abi("x86_64", X86_64, 64n), data);
  if (lists(seccomp, "X32")) return inAbi(seccomp, abi("x32", X32, 32n), { ...data, nr: nr - X32_BIT });
  return nr === 0xffffffff ? toNumber(seccomp.defaultAction) : 0;
}

function evaluateOnArm(seccomp: Seccomp, data: SeccompData): number {
  if (data.arch === ARCH.aarch64) return inAbi(seccomp, abi("aarch64", AARCH64, 64n), data);
  if (data.arch === ARCH.arm && lists(seccomp, "ARM")) return inAbi(seccomp, abi("arm", ARM, 32n), data);
  return 0;
}

function lists({ architectures }: Seccomp, name: string): boolean {
  return architectures.some((arch) => arch === `SCMP_ARCH_${name}`);
}

/** Names by number. */
function abi(key: string, table: string, bits: 32n | 64n): Abi {
  const known = abis.get(key);
  if (known !== undefined) return known;
  const calls = new Map<number, string[]>();
  let number = 0;
  for (const token of table.replaceAll("|", " ").split(" ")) {
    if (Number.isInteger(Number(token))) number = Number(token);
    else {
      calls.set(number, [...(calls.get(number) ?? []), token]);
      number++;
    }
  }
  const made = { calls, bits };
  abis.set(key, made);
  return made;
}

interface Profile {
  readonly highest: number;
  /** By number: the name that counts. */
  readonly names: ReadonlyMap<number, string>;
}

const profiles = new Map<Abi, [seccomp: Seccomp, profile: Profile]>();

function inAbi(seccomp: Seccomp, own: Abi, { nr, args }: SeccompData): number {
  const fallback = toNumber(seccomp.defaultAction);
  const { highest, names } = read(seccomp, own);
  const strict = !["allow", "log", "trace"].includes(seccomp.defaultAction.kind);
  if (strict && highest > 0 && nr > highest) return 0x50000 + 38;
  const name = names.get(nr);
  if (name === undefined) return fallback;
  return byRules(seccomp, name, own.bits, args) ?? behind(seccomp, own.calls, name, args) ?? fallback;
}

/** Kept for the profile that was asked for last, because the tests ask many times about one. */
function read(seccomp: Seccomp, own: Abi): Profile {
  const [before, kept] = profiles.get(own) ?? [];
  if (before === seccomp && kept !== undefined) return kept;
  const named = new Set(seccomp.rules.flatMap((rule) => rule.names));
  const names = new Map<number, string>();
  for (const [number, candidates] of own.calls) {
    const name = candidates.find((one) => named.has(one) || hidden(named, one, own.calls));
    if (name !== undefined) names.set(number, name);
  }
  const profile = { highest: Math.max(0, ...names.keys()), names };
  profiles.set(own, [seccomp, profile]);
  return profile;
}

/** Whether `name` is i386's way to calls that the profile names. */
function hidden(named: ReadonlySet<string>, name: string, calls: Abi["calls"]): boolean {
  if (!calls.get(102)?.includes("socketcall")) return false;
  if (name === "socketcall") return SOCKET_CALLS.some((one) => named.has(one));
  return name === "ipc" && [...IPC_CALLS.values()].some((one) => named.has(one));
}

function behind(seccomp: Seccomp, calls: Abi["calls"], name: string, args: readonly bigint[]): number | undefined {
  if (!calls.get(102)?.includes("socketcall")) return undefined;
  const first = Number((args[0] ?? 0n) % 2n ** 32n);
  const call = name === "socketcall" ? SOCKET_CALLS[first] : name === "ipc" ? IPC_CALLS.get(first % 65536) : undefined;
  if (call === undefined || call === "") return undefined;
  const rules = effective(seccomp, call);
  const plain = rules.find((rule) => rule.args.length === 0);
  if (plain !== undefined) return plain.answer;
  return rules.find((rule) => rule.answer !== 0x7fff0000 && rule.answer !== 0x7ffc0000)?.answer;
}

interface Rule {
  readonly answer: number;
  readonly args: readonly SeccompArg[];
}

function effective(seccomp: Seccomp, name: string): Rule[] {
  const rules = seccomp.rules
    .filter((rule) => rule.names.includes(name) && toNumber(rule.action) !== toNumber(seccomp.defaultAction))
    .flatMap(({ action, args }): Rule[] => {
      const answer = toNumber(action);
      const indices = args.map(({ index }) => index);
      return new Set(indices).size < indices.length
        ? inOrder(args).map((arg) => ({ answer, args: [arg] }))
        : [{ answer, args }];
    });
  return new Set(rules.map(({ answer }) => answer)).size > 1
    ? rules.toSorted((a, b) => compare(inOrder(a.args)[0], inOrder(b.args)[0]))
    : rules;
}

function inOrder(args: readonly SeccompArg[]): SeccompArg[] {
  return args.toSorted((a, b) => a.index - b.index);
}

/** The later argument first, then the narrower comparison, then the value that leaves less. */
function compare(a: SeccompArg | undefined, b: SeccompArg | undefined): number {
  if (a === undefined || b === undefined) return 0;
  if (a.index !== b.index) return a.index > b.index ? -1 : 1;
  if (rank(a) !== rank(b)) return rank(a) < rank(b) ? -1 : 1;
  return (rank(a) === 2 ? 1 : -1) * (comparedValue(a) - comparedValue(b));
}

function rank({ op }: SeccompArg): number {
  return op.startsWith("L") ? 2 : op.startsWith("G") ? 3 : 1;
}

function comparedValue({ op, value, valueTwo }: SeccompArg): number {
  return Number(op === "MASKED_EQ" ? value & valueTwo : value);
}

function byRules(seccomp: Seccomp, name: string, bits: bigint, args: readonly bigint[]): number | undefined {
  const rules = effective(seccomp, name);
  const plain = rules.find((rule) => rule.args.length === 0);
  return (
    plain ??
    rules.find((rule) =>
      rule.args.every((arg) => holds(arg, BigInt.asUintN(Number(bits), args[arg.index] ?? 0n), bits)),
    )
  )?.answer;
}

function holds({ op, value, valueTwo }: SeccompArg, given: bigint, bits: bigint): boolean {
  const wanted = BigInt.asUintN(Number(bits), value);
  switch (op) {
    case "NE":
      return given !== wanted;
    case "LT":
      return given < wanted;
    case "LE":
      return given <= wanted;
    case "EQ":
      return given === wanted;
    case "GE":
      return given >= wanted;
    case "GT":
      return given > wanted;
    case "MASKED_EQ":
      return (given & wanted) === (valueTwo & wanted);
  }
}
