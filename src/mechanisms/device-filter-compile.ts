/**
 * The compiler of device filters: rules of config.json → a program for BPF_PROG_TYPE_CGROUP_DEVICE, which the kernel
 * asks before a device node is opened or made (kernel/bpf/cgroup.c, __cgroup_bpf_check_dev_permission).
 *
 * For each kind of access that is asked for (read, write, mknod) the last rule that speaks of it and of the device
 * decides; where none does it is denied, even if there are no rules at all (GHSA-g54h-m393-cpwq). An open for reading
 * and writing needs both. Where runc's emulation of cgroup v1 (libcontainer/cgroups/devices) answers otherwise:
 * - a hole in an earlier, wider rule is honoured; runc refuses such rules, because cgroup v1 ignored them;
 * - a wider rule that denies also takes what an earlier, narrower one allowed; for runc it is without effect;
 * - a rule that denies writing also stops an open for both; runc's filter lets that pass;
 * - an open for both may be allowed by two rules, one for each; runc wants one rule, but two opens were possible;
 * - `a` that allows with a major, a minor or less than rwm allows just that; runc takes it for everything.
 */

import type { DeviceRule } from "../spec/spec.ts";
import { createProgram, type Label, type Program, toBytes } from "./bpf.ts";
import { and, ANY_BIT, DIFFERENT, EQUAL, exit, EXTENDED_LIMIT, jumpIf, loadWord, move, shiftRight } from "./ebpf.ts";

/**
 * What every container may use whatever config.json says: runc's list (specconv, AllowedDevices), which goes behind
 * the rules of config.json and so above them. Making nodes is harmless as long as using them is not allowed. Without
 * /dev/net/tun, which runc has only because it always had (https://github.com/opencontainers/runc/pull/4555).
 */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  { ...anyAccess("c"), read: false, write: false },
  { ...anyAccess("b"), read: false, write: false },
  anyAccess("c", 1, 3), // null
  anyAccess("c", 1, 5), // zero
  anyAccess("c", 1, 7), // full
  anyAccess("c", 1, 8), // random
  anyAccess("c", 1, 9), // urandom
  anyAccess("c", 5, 0), // tty
  anyAccess("c", 5, 2), // ptmx
  anyAccess("c", 136), // pts/*
];

// struct bpf_cgroup_dev_ctx and BPF_DEVCG_* of linux/bpf.h.
const ACCESS_AND_TYPE = 0;
const MAJOR = 4;
const MINOR = 8;
const TYPE = { b: 1, c: 2 } as const;
const MKNOD = 1;
const READ = 2;
const WRITE = 4;
const ALL = MKNOD | READ | WRITE;

// Where the program keeps what it was asked; `wanted` loses what has been allowed.
const type = 2;
const wanted = 3;
const major = 4;
const minor = 5;

interface Verdicts {
  readonly program: Program;
  readonly allow: Label;
  readonly deny: Label;
}

/**
 * Takes the rules of config.json in their order, and those that go behind them. Returns the instructions,
 * struct bpf_insn[] as bytes; the program answers 1 (allow) or 0 (EPERM).
 * Throws a SpecError where there are thousands of rules.
 */
export function compileDeviceFilter(
  rules: readonly DeviceRule[],
  defaults: readonly DeviceRule[] = DEFAULT_DEVICE_RULES,
): Uint8Array {
  const { open, exceptions } = simplify([...rules, ...defaults]);
  const program = createProgram(EXTENDED_LIMIT);
  if (exceptions.length === 0) {
    exit(program, open ? 1 : 0);
    return toBytes(program);
  }
  const deny = exit(program, 0);
  const allow = exit(program, 1);
  let next = open ? allow : deny;
  for (const run of chunk(exceptions, (rule) => rule.allow)) next = emitRun({ program, allow, deny }, run, next);
  loadWord(program, minor, 1, MINOR);
  loadWord(program, major, 1, MAJOR);
  and(program, type, 0xffff);
  shiftRight(program, wanted, 16);
  move(program, wanted, type);
  loadWord(program, type, 1, ACCESS_AND_TYPE);
  return toBytes(program);
}

/** `a` forgets what came before; what later rules cover, or what agrees with where one starts, need not be asked. */
function simplify(rules: readonly DeviceRule[]): { open: boolean; exceptions: DeviceRule[] } {
  let open = false;
  let list: DeviceRule[] = [];
  for (const rule of rules) {
    if (rule.type === "a" && (!rule.allow || isEverything(rule))) {
      open = rule.allow;
      list = [];
    } else if (bits(rule) !== 0) {
      list.push(rule);
    }
  }
  const bare = list.filter((rule, i) => !list.some((later, j) => j > i && covers(later, rule)));
  const first = bare.findIndex((rule) => rule.allow !== open);
  return { open, exceptions: first === -1 ? [] : bare.slice(first) };
}

function covers(wide: DeviceRule, narrow: DeviceRule): boolean {
  return (
    (wide.type === "a" || wide.type === narrow.type) &&
    (wide.major === undefined || wide.major === narrow.major) &&
    (wide.minor === undefined || wide.minor === narrow.minor) &&
    (bits(narrow) & ~bits(wide)) === 0
  );
}

/** Neighbours that all allow or all deny may change places: sorted, they share the questions for type and major. */
function emitRun(verdicts: Verdicts, run: readonly DeviceRule[], after: Label): Label {
  const { program } = verdicts;
  let next = after;
  for (const sameType of chunk(run.toSorted(byDevice), (rule) => rule.type)) {
    const otherType = next;
    for (const sameMajor of chunk(sameType, (rule) => rule.major)) {
      const otherMajor = next;
      for (const rule of sameMajor) next = emitRule(verdicts, rule, next);
      const wantedMajor = sameMajor[0]?.major;
      if (wantedMajor !== undefined) next = jumpIf(program, [DIFFERENT, major, wantedMajor], otherMajor, next);
    }
    const wantedType = sameType[0]?.type ?? "a";
    if (wantedType !== "a") next = jumpIf(program, [DIFFERENT, type, TYPE[wantedType]], otherType, next);
  }
  return next;
}

function emitRule({ program, allow, deny }: Verdicts, rule: DeviceRule, next: Label): Label {
  const mask = bits(rule);
  let decided = rule.allow ? allow : deny;
  if (mask !== ALL && rule.allow) {
    jumpIf(program, [EQUAL, wanted, 0], allow, next);
    decided = and(program, wanted, ALL & ~mask);
  } else if (mask !== ALL) {
    decided = jumpIf(program, [ANY_BIT, wanted, mask], deny, next);
  }
  if (rule.minor === undefined) return decided;
  return jumpIf(program, [EQUAL, minor, rule.minor], decided, next);
}

function byDevice(a: DeviceRule, b: DeviceRule): number {
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  return (a.major ?? -1) - (b.major ?? -1) || (a.minor ?? -1) - (b.minor ?? -1);
}

/** Cuts a list where the key changes. */
function chunk<T>(list: readonly T[], keyOf: (item: T) => unknown): T[][] {
  const chunks: T[][] = [];
  let current: T[] = [];
  for (const item of list) {
    const [first] = current;
    if (first === undefined || keyOf(first) !== keyOf(item)) chunks.push((current = []));
    current.push(item);
  }
  return chunks;
}

function bits({ read, write, mknod }: DeviceRule): number {
  return (read ? READ : 0) | (write ? WRITE : 0) | (mknod ? MKNOD : 0);
}

function isEverything(rule: DeviceRule): boolean {
  return rule.major === undefined && rule.minor === undefined && bits(rule) === ALL;
}

function anyAccess(kind: "b" | "c", majorNumber?: number, minorNumber?: number): DeviceRule {
  return { allow: true, type: kind, major: majorNumber, minor: minorNumber, read: true, write: true, mknod: true };
}
