/** `linux.seccomp` of config.json: config-linux#configLinuxSeccomp. What the profile means is the compiler's to say. */

import { SpecError } from "./error.ts";
import { integerIn, listIn, mustBe, objectIn, requiredStringIn, stringIn, stringsIn, uint64In } from "./reader.ts";
import type { JsonObject, Range } from "./reader.ts";
import type { Seccomp, SeccompAction, SeccompArch, SeccompArg, SeccompOperator, SeccompRule } from "./spec.ts";
import { refuse, UNSUPPORTED } from "./unsupported.ts";

const AT = "linux.seccomp";
const EPERM = 1;
/** What a system call can return; the kernel cuts larger ones down to this (seccomp.c, MAX_ERRNO). */
const ERRNO: Range = { min: 0, max: 4095 };
/** SECCOMP_RET_DATA. */
const TRACE_VALUE: Range = { min: 0, max: 0xffff };
/** A system call has six arguments. */
const ARG_INDEX: Range = { min: 0, max: 5 };

export const ACTIONS: ReadonlyMap<string, SeccompAction["kind"]> = new Map([
  ["SCMP_ACT_ALLOW", "allow"],
  ["SCMP_ACT_LOG", "log"],
  ["SCMP_ACT_TRAP", "trap"],
  ["SCMP_ACT_ERRNO", "errno"],
  ["SCMP_ACT_TRACE", "trace"],
  ["SCMP_ACT_KILL", "killThread"], // libseccomp's old name for it.
  ["SCMP_ACT_KILL_THREAD", "killThread"],
  ["SCMP_ACT_KILL_PROCESS", "killProcess"],
]);

export const OPERATORS: ReadonlyMap<string, SeccompOperator> = new Map([
  ["SCMP_CMP_NE", "NE"],
  ["SCMP_CMP_LT", "LT"],
  ["SCMP_CMP_LE", "LE"],
  ["SCMP_CMP_EQ", "EQ"],
  ["SCMP_CMP_GE", "GE"],
  ["SCMP_CMP_GT", "GT"],
  ["SCMP_CMP_MASKED_EQ", "MASKED_EQ"],
]);

/** seccomp(2). */
const SPEC_ALLOW = 1 << 2;
const WAIT_KILLABLE_RECV = 1 << 5;
export const FLAGS: ReadonlyMap<string, number> = new Map([
  ["SECCOMP_FILTER_FLAG_TSYNC", 1 << 0],
  ["SECCOMP_FILTER_FLAG_LOG", 1 << 1],
  ["SECCOMP_FILTER_FLAG_SPEC_ALLOW", SPEC_ALLOW],
  ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", WAIT_KILLABLE_RECV],
]);

export const ARCHES: ReadonlySet<string> = new Set([
  "SCMP_ARCH_X86",
  "SCMP_ARCH_X86_64",
  "SCMP_ARCH_X32",
  "SCMP_ARCH_ARM",
  "SCMP_ARCH_AARCH64",
  "SCMP_ARCH_LOONGARCH64",
  "SCMP_ARCH_M68K",
  "SCMP_ARCH_MIPS",
  "SCMP_ARCH_MIPS64",
  "SCMP_ARCH_MIPS64N32",
  "SCMP_ARCH_MIPSEL",
  "SCMP_ARCH_MIPSEL64",
  "SCMP_ARCH_MIPSEL64N32",
  "SCMP_ARCH_PPC",
  "SCMP_ARCH_PPC64",
  "SCMP_ARCH_PPC64LE",
  "SCMP_ARCH_S390",
  "SCMP_ARCH_S390X",
  "SCMP_ARCH_SH",
  "SCMP_ARCH_SHEB",
  "SCMP_ARCH_PARISC",
  "SCMP_ARCH_PARISC64",
  "SCMP_ARCH_RISCV64",
]);

/** undefined where there is no profile; an empty object is none either, as for runc. */
export function parseSeccomp(linux: JsonObject, warnings: string[]): Seccomp | undefined {
  const raw = objectIn(linux, "seccomp", "linux");
  if (raw === undefined) return undefined;
  const rules = listIn(raw, "syscalls", AT, parseRule);
  if (rules.length === 0 && stringIn(raw, "defaultAction", AT) === "") return undefined;
  const seccomp = {
    defaultAction: parseAction(raw, AT, "defaultAction", "defaultErrnoRet"),
    architectures: parseArches(raw),
    flags: parseFlags(raw, warnings),
    rules,
  };
  // After the actions: SCMP_ACT_NOTIFY is what one wants to hear about.
  refuse(raw, AT, UNSUPPORTED.seccomp);
  return seccomp;
}

function parseRule(raw: JsonObject, at: string): SeccompRule {
  const names = stringsIn(raw, "names", at);
  if (names.length === 0) throw new SpecError(`${at}.names`, "must have at least one system call");
  return { names, action: parseAction(raw, at, "action", "errnoRet"), args: listIn(raw, "args", at, parseArg) };
}

function parseAction(raw: JsonObject, at: string, key: string, valueKey: string): SeccompAction {
  const name = requiredStringIn(raw, key, at);
  const kind = ACTIONS.get(name);
  if (name === "SCMP_ACT_NOTIFY") throw new SpecError(`${at}.${key}`, '"SCMP_ACT_NOTIFY" is not supported yet');
  if (kind === undefined) throw mustBe(`${at}.${key}`, "an action such as SCMP_ACT_ERRNO", name);
  const value = integerIn(raw, valueKey, at, kind === "trace" ? TRACE_VALUE : ERRNO);
  if (kind === "errno" || kind === "trace") return { kind, value: value ?? EPERM };
  // The specification: where the action has no use for it, the runtime MUST fail.
  if (value !== undefined) throw new SpecError(`${at}.${valueKey}`, `has no meaning for ${name}`);
  return { kind };
}

function parseArg(raw: JsonObject, at: string): SeccompArg {
  const index = integerIn(raw, "index", at, ARG_INDEX);
  if (index === undefined) throw new SpecError(`${at}.index`, "is required");
  const value = uint64In(raw, "value", at);
  if (value === undefined) throw new SpecError(`${at}.value`, "is required");
  const name = requiredStringIn(raw, "op", at);
  const op = OPERATORS.get(name);
  if (op === undefined) throw mustBe(`${at}.op`, "an operator such as SCMP_CMP_EQ", name);
  return { index, op, value, valueTwo: uint64In(raw, "valueTwo", at) ?? 0n };
}

function parseArches(raw: JsonObject): SeccompArch[] {
  const arches = new Set<SeccompArch>();
  for (const [index, name] of stringsIn(raw, "architectures", AT).entries()) {
    if (!isArch(name)) throw mustBe(`${AT}.architectures[${index}]`, "an architecture such as SCMP_ARCH_X86_64", name);
    arches.add(name);
  }
  return [...arches];
}

function isArch(name: string): name is SeccompArch {
  return ARCHES.has(name);
}

/** No list at all means SPEC_ALLOW, as for runc: else every system call pays for a Spectre mitigation (runc#2430). */
function parseFlags(raw: JsonObject, warnings: string[]): number {
  if (raw["flags"] === undefined || raw["flags"] === null) return SPEC_ALLOW;
  let flags = 0;
  for (const [index, name] of stringsIn(raw, "flags", AT).entries()) {
    const flag = FLAGS.get(name);
    if (flag === undefined) throw mustBe(`${AT}.flags[${index}]`, "a flag such as SECCOMP_FILTER_FLAG_LOG", name);
    flags |= flag;
  }
  if ((flags & WAIT_KILLABLE_RECV) !== 0) {
    // The kernel takes it together with a listener only, and libseccomp leaves it out without one.
    warnings.push(`${AT}.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV has no effect without SCMP_ACT_NOTIFY`);
    flags &= ~WAIT_KILLABLE_RECV;
  }
  return flags;
}
