/**
 * The compiler of seccomp filters: a profile of config.json → what seccomp(2) takes. Does what runc with libseccomp
 * does, in fewer instructions; see the four files that it is made of.
 */

import type { Seccomp } from "../spec/spec.ts";
import {
  answer,
  branch,
  CLASSIC_LIMIT,
  createProgram,
  JEQ,
  JSET,
  type Label,
  load,
  type Program,
  toBytes,
} from "./bpf.ts";
import { withMultiplexed } from "./seccomp-multiplexed.ts";
import { emitTree, loadNumber, toRanges } from "./seccomp-tree.ts";
import { BAD_ARCH, decide, type Verdicts } from "./seccomp-verdicts.ts";
import { AARCH64 } from "./syscalls/aarch64.ts";
import { ARM } from "./syscalls/arm.ts";
import { ELSEWHERE } from "./syscalls/elsewhere.ts";
import { I386 } from "./syscalls/i386.ts";
import { X32 } from "./syscalls/x32.ts";
import { X86_64 } from "./syscalls/x86_64.ts";

/** The machines that tsrun runs on, as uname(2) calls them. */
export type Machine = "x86_64" | "aarch64";

/** AUDIT_ARCH_* of linux/audit.h. */
const AUDIT = { x86_64: 0xc000_003e, i386: 0x4000_0003, aarch64: 0xc000_00b7, arm: 0x4000_0028 };
const ARCH = 4; // offsetof(struct seccomp_data, arch)
const X32_BIT = 0x4000_0000; // __X32_SYSCALL_BIT of asm/unistd.h
const SKIPPED = 0xffff_ffff;

/**
 * Takes a profile and the machine that the filter will run on. Returns the instructions, struct sock_filter[] as bytes.
 *
 * The machine's own architecture has its rules even where `architectures` does not list it; listed ones that the
 * machine never runs need no code. Any other architecture kills the thread: libseccomp, db.c, db_col_reset.
 * Names that no table has are passed over, as by runc: see `unknownNames`.
 * Throws a SpecError where rules contradict each other, and where the filter gets longer than BPF_MAXINSNS.
 */
export function compileSeccomp(seccomp: Seccomp, native: Machine): Uint8Array {
  const verdicts = decide(seccomp);
  const program = createProgram(CLASSIC_LIMIT);
  const listed = seccomp.architectures;
  const stranger = answer(program, BAD_ARCH);
  if (native === "aarch64") {
    const arm = listed.includes("SCMP_ARCH_ARM")
      ? isArch(program, AUDIT.arm, emitArch(program, ARM, verdicts, 32), stranger)
      : stranger;
    const first = isArch(program, AUDIT.aarch64, emitArch(program, AARCH64, verdicts, 64), arm);
    return finish(program, first);
  }
  const i386 = listed.includes("SCMP_ARCH_X86")
    ? isArch(program, AUDIT.i386, emitArch(program, I386, withMultiplexed(verdicts), 32), stranger)
    : stranger;
  const x32 = listed.includes("SCMP_ARCH_X32") ? emitX32(program, verdicts) : refuseX32(program, verdicts);
  const x86_64 = emitTree(program, toRanges(X86_64, verdicts), 0, 64);
  // One audit architecture for two ABIs, which a bit of the number tells apart.
  const either = loadNumber(program, branch(program, JSET, X32_BIT, x32, x86_64));
  return finish(program, isArch(program, AUDIT.x86_64, either, i386));
}

/**
 * Takes a profile; returns the names in it that are no system call of any architecture. They have no effect, and are
 * worth a warning: either they are misspelt, or newer than this table.
 */
export function unknownNames({ rules }: Seccomp): string[] {
  const runs = [X86_64, I386, X32, AARCH64, ARM, `0 ${ELSEWHERE}`].flatMap((table) => table.split("|"));
  const known = new Set(runs.flatMap((run) => run.split(" ").slice(1)));
  return [...new Set(rules.flatMap(({ names }) => names))].filter((name) => !known.has(name));
}

function finish(program: Program, first: Label): Uint8Array {
  load(program, ARCH, first);
  return toBytes(program);
}

function isArch(program: Program, audit: number, yes: Label, no: Label): Label {
  return branch(program, JEQ, audit, yes, no);
}

function emitArch(program: Program, table: string, verdicts: Verdicts, width: 32 | 64): Label {
  return loadNumber(program, emitTree(program, toRanges(table, verdicts), 0, width));
}

/** For libseccomp x32 is an ABI of 32 bits, although its registers have 64: arch-x32.c. */
function emitX32(program: Program, verdicts: Verdicts): Label {
  return emitTree(program, toRanges(X32, verdicts), X32_BIT, 32);
}

/**
 * An ABI that the profile does not list is a stranger like any other, but for the number -1: a tracer writes that to
 * skip a syscall, ptrace(2), and since Linux 4.8 the filter sees it. libseccomp, gen_bpf.c, _gen_bpf_arch.
 */
function refuseX32(program: Program, { otherwise }: Verdicts): Label {
  return branch(program, JEQ, SKIPPED, answer(program, otherwise.answer), answer(program, BAD_ARCH));
}
