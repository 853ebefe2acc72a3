/**
 * A search tree over ranges of syscall numbers, as classic BPF.
 *
 * The kernel runs a new filter once for every syscall number, to remember which ones it always allows
 * (kernel/seccomp.c, seccomp_cache_prepare), and translates it to machine code: both get cheaper the shorter the way
 * to an answer and the fewer the instructions. Docker's profile takes 0.55 ms to install as libseccomp's list and 0.07 ms as this.
 */

import { answer, branch, JEQ, JGE, type Label, load, type Program } from "./bpf.ts";
import { emitCases, type Width } from "./seccomp-conditions.ts";
import { BAD_ARCH, type Verdict, type Verdicts } from "./seccomp-verdicts.ts";

/** Neighbouring numbers with one verdict: range i goes from starts[i] to before starts[i + 1], the last one to the end. */
export interface Ranges {
  readonly starts: number[];
  readonly verdicts: Verdict[];
}

const NUMBER = 0; // offsetof(struct seccomp_data, nr)
const NOTHING: Verdict = { cases: [], answer: BAD_ARCH }; // never met: each range has a verdict

/**
 * Takes a table of syscalls/ and what a profile says; returns the ranges of that architecture.
 *
 * A table is runs of names, "0 read write|424 pidfd_send_signal": the number of the first name, then the names that
 * follow each other. One string, because every string that a program holds by itself costs time when it is loaded.
 */
export function toRanges(table: string, { byName, otherwise, beyond }: Verdicts): Ranges {
  const starts: number[] = [];
  const verdicts: Verdict[] = [];
  let current: Verdict | undefined;
  let next = 0; // the number behind the last one that the profile names
  for (const run of table.split("|")) {
    const tokens = run.split(" ");
    const base = Number(tokens[0]) - 1;
    for (let i = 1; i < tokens.length; i++) {
      const verdict = byName.get(tokens[i] ?? "");
      if (verdict === undefined) continue;
      const number = base + i;
      if (number < next) continue; // arm has two names for one number
      if (number > next && current !== otherwise) {
        starts.push(next);
        verdicts.push((current = otherwise));
      }
      if (verdict !== current) {
        starts.push(number);
        verdicts.push((current = verdict));
      }
      next = number + 1;
    }
  }
  const rest = next > 1 ? beyond : otherwise; // runc knows no highest number where that would be 0
  if (rest === current) return { starts, verdicts };
  return { starts: [...starts, next], verdicts: [...verdicts, rest] };
}

/**
 * Writes the search of the syscall's number among `ranges`, which begin at `base`.
 * Returns the entry, which expects the number in the accumulator.
 */
export function emitTree(program: Program, { starts, verdicts }: Ranges, base: number, width: Width): Label {
  const written = new Map<Verdict, Label>();

  function emitConditional(verdict: Verdict): Label {
    const label = written.get(verdict) ?? emitCases(program, verdict.cases, verdict.answer, width);
    written.set(verdict, label);
    return label;
  }

  function emitPart(from: number, to: number): Label {
    if (to - from === 1) {
      const verdict = verdicts[from] ?? NOTHING;
      return verdict.cases.length === 0 ? answer(program, verdict.answer) : emitConditional(verdict);
    }
    const second = starts[from + 1] ?? 0;
    if (to - from === 3 && starts[from + 2] === second + 1 && verdicts[from] === verdicts[from + 2]) {
      // A single number inside of a range.
      const around = emitPart(from, from + 1);
      return branch(program, JEQ, base + second, emitPart(from + 1, from + 2), around);
    }
    // In halves of whole threes, since three ranges may need one question only.
    const middle = from + Math.max(1, 3 * (Math.ceil((to - from) / 3) >> 1));
    const above = emitPart(middle, to);
    return branch(program, JGE, base + (starts[middle] ?? 0), above, emitPart(from, middle));
  }
  return emitPart(0, starts.length);
}

/** Takes the entry of a search; returns one that fetches the number first. */
export function loadNumber(program: Program, next: Label): Label {
  return load(program, NUMBER, next);
}
