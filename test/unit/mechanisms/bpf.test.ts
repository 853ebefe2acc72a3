import {
  and,
  answer,
  branch,
  CLASSIC_LIMIT,
  createProgram,
  JEQ,
  JGE,
  JGT,
  JSET,
  type Label,
  load,
  prepend,
  type Program,
  toBytes,
} from "../../../src/mechanisms/bpf.ts";
import { DIFFERENT, EQUAL, exit, EXTENDED_LIMIT, jumpIf, loadWord } from "../../../src/mechanisms/ebpf.ts";
import { decode, run } from "../../support/bpf-interpreter.ts";
import { runDeviceFilter } from "../../support/ebpf-interpreter.ts";
import { random } from "../../support/random.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

const NR = 0;

function runNr(program: Program, nr: number): number {
  return run(decode(toBytes(program)), { nr, arch: 0, args: [] }).answer;
}

test("an instruction is 8 bytes: code, two jumps, a constant, little-endian", () => {
  const program = createProgram(CLASSIC_LIMIT);
  const no = answer(program, 0x80000000);
  const yes = answer(program, 0x7fff0000);
  load(program, 4, branch(program, JEQ, 0xc000003e, yes, no));
  deepEqual(
    [...toBytes(program)],
    [
      0x20, 0, 0, 0, 4, 0, 0, 0, 0x15, 0, 0, 1, 0x3e, 0, 0, 0xc0, 6, 0, 0, 0, 0, 0, 0xff, 0x7f, 6, 0, 0, 0, 0, 0, 0,
      0x80,
    ],
  );
});

test("comparisons are unsigned", () => {
  for (const [comparison, expected] of [
    [JEQ, [0, 1, 0]],
    [JGT, [0, 0, 1]],
    [JGE, [0, 1, 1]],
    [JSET, [0, 1, 1]],
  ] as const) {
    const program = createProgram(CLASSIC_LIMIT);
    load(program, NR, branch(program, comparison, 0x80000000, answer(program, 1), answer(program, 0)));
    deepEqual(
      [0x7fffffff, 0x80000000, 0xffffffff].map((nr) => runNr(program, nr)),
      [...expected],
    );
  }
});

test("an answer near by is used again", () => {
  const program = createProgram(CLASSIC_LIMIT);
  equal(answer(program, 7), answer(program, 7));
  equal(program.length, 1);
});

test("jumps reach any distance", () => {
  for (let distance = 120; distance < 520; distance++) {
    const program = createProgram(CLASSIC_LIMIT);
    const far = load(program, NR, branch(program, JEQ, 5, answer(program, 50), answer(program, 51)));
    const direct = answer(program, 52);
    let last: Label = answer(program, 53);
    while (program.length < distance) last = and(program, 0xffff, last);
    load(program, NR, branch(program, JGT, 10, direct, branch(program, JGT, 3, far, last)));
    deepEqual(
      [5, 6, 11, 2].map((nr) => runNr(program, nr)),
      [50, 51, 52, 53],
      `at ${distance}`,
    );
  }
});

test("random trees decide as they were built", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const { below } = random(seed);
    const program = createProgram(CLASSIC_LIMIT);
    const wanted: number[] = [];
    const build = (from: number, to: number): Label => {
      if (to - from === 1) return answer(program, (wanted[from] = below(40)));
      const middle = from + 1 + below(to - from - 1);
      const above = build(middle, to);
      return branch(program, JGE, middle, above, build(from, middle));
    };
    const size = 2 + below(900);
    load(program, NR, build(0, size));
    const code = decode(toBytes(program));
    for (let nr = 0; nr < size; nr++)
      equal(run(code, { nr, arch: 0, args: [] }).answer, wanted[nr] ?? -1, `seed ${seed}`);
  }
});

test("a program may have as many instructions as its limit, and no more", () => {
  const program = createProgram(CLASSIC_LIMIT);
  while (program.length < CLASSIC_LIMIT) prepend(program, 0x06, program.length);
  equal(decode(toBytes(program)).length, 4096);
  equal(runNr(program, 0), 4095);
  throws(() => void prepend(program, 0x06, 0), "at most 4096 instructions");
});

test("eBPF comparisons go on at the right place, whichever comes next", () => {
  for (const comparison of [EQUAL, DIFFERENT]) {
    for (const order of [
      [1, 0],
      [0, 1],
    ]) {
      const program = createProgram(EXTENDED_LIMIT);
      const places = new Map(order.map((value) => [value, exit(program, value)]));
      const filler = exit(program, 9);
      ok(filler === program.length);
      for (const [yes, no] of [
        [1, 0],
        [0, 1],
      ] as const) {
        jumpIf(program, [comparison, 4, 8], places.get(yes) ?? 0, places.get(no) ?? 0);
        loadWord(program, 4, 1, 4);
        const got = [8, 9].map((major) => runDeviceFilter(toBytes(program), { type: "c", major, minor: 0, access: 1 }));
        deepEqual(got, comparison === EQUAL ? [yes, no] : [no, yes]);
      }
    }
  }
});

test("an eBPF comparison with the next place as its target costs one instruction", () => {
  for (const comparison of [EQUAL, DIFFERENT]) {
    for (const next of [0, 1]) {
      const program = createProgram(EXTENDED_LIMIT);
      const other = exit(program, 1 - next);
      const near = exit(program, next);
      const [yes, no] = next === 1 ? [near, other] : [other, near];
      equal(jumpIf(program, [comparison, 4, 8], yes, no), near + 1);
      loadWord(program, 4, 1, 4);
      const got = [8, 9].map((major) => runDeviceFilter(toBytes(program), { type: "c", major, minor: 0, access: 1 }));
      deepEqual(got, comparison === EQUAL ? [1, 0] : [0, 1]);
    }
  }
});
