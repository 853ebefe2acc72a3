import { compileSeccomp, type Machine } from "../../../src/mechanisms/seccomp-compile.ts";
import { I386 } from "../../../src/mechanisms/syscalls/i386.ts";
import { X86_64 } from "../../../src/mechanisms/syscalls/x86_64.ts";
import type { Seccomp, SeccompAction, SeccompArch, SeccompOperator, SeccompRule } from "../../../src/spec/spec.ts";
import { decode, run, type SeccompData } from "../../support/bpf-interpreter.ts";
import { DOCKER_PROFILE } from "../../support/docker-profile.ts";
import { random } from "../../support/random.ts";
import { toSeccomp } from "../../support/raw-seccomp.ts";
import { ARCH, evaluate, X32_BIT } from "../../support/seccomp-reference.ts";
import { allow, arg, EPERM, NONE, profile, upTo } from "../../support/seccomp-rules.ts";
import { equal, ok, test } from "../../support/unit.ts";

const EDGES = [0n, 1n, 2n, 38n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 63n, 2n ** 64n - 1n];
const NAMES = [
  ...new Set(
    [X86_64, I386]
      .join("|")
      .split("|")
      .flatMap((part) => part.split(" ").slice(1)),
  ),
];
const BEHIND = [
  "socket",
  "accept",
  "send",
  "shmat",
  "semop",
  "msgctl",
  "socketcall",
  "ipc",
  "personality",
  "read",
  "set_tls",
  "mseal",
];
const OPERATORS: readonly SeccompOperator[] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
const ACTIONS: readonly SeccompAction[] = [
  allow,
  EPERM,
  { kind: "errno", value: 38 },
  { kind: "trace", value: 7 },
  { kind: "trap" },
  { kind: "log" },
  { kind: "killProcess" },
  { kind: "killThread" },
];
const ARCHES: readonly (readonly SeccompArch[])[] = [
  [],
  ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  ["SCMP_ARCH_X86"],
  ["SCMP_ARCH_X32", "SCMP_ARCH_ARM"],
  ["SCMP_ARCH_MIPS", "SCMP_ARCH_S390X"],
];
const ODD_NUMBERS = [
  1000,
  983041,
  983045,
  983047,
  X32_BIT - 1,
  X32_BIT,
  0x80000000,
  0xbfffffff,
  0xc0000000,
  0xfffffffe,
  0xffffffff,
];

/** Compares filter and oracle for the calls; returns how many there were. */
function compare(seccomp: Seccomp, machine: Machine, calls: Iterable<SeccompData>): number {
  const program = decode(compileSeccomp(seccomp, machine));
  let count = 0;
  for (const call of calls) {
    const { answer } = run(program, call);
    const wanted = evaluate(seccomp, machine, call);
    if (answer !== wanted)
      equal(
        answer.toString(16),
        wanted.toString(16),
        `arch ${call.arch.toString(16)} nr ${call.nr} args ${call.args.join()}`,
      );
    count++;
  }
  return count;
}

function* everyCall(
  numbers: Iterable<number>,
  argumentsOf: (nr: number) => Iterable<readonly bigint[]>,
): Generator<SeccompData> {
  for (const nr of numbers) {
    for (const arch of [...Object.values(ARCH), 0xc00000f3]) {
      for (const args of argumentsOf(nr)) yield { arch, nr, args };
    }
  }
}

test("Docker's profile decides every number as the rules say", () => {
  const seccomp = toSeccomp(DOCKER_PROFILE);
  const numbers = [...upTo(0, 601), ...upTo(X32_BIT, X32_BIT + 601), ...ODD_NUMBERS];
  ok(
    compare(
      seccomp,
      "x86_64",
      everyCall(numbers, () => [NONE]),
    ) > 6000,
  );
  const arm: readonly SeccompArch[] = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"];
  ok(
    compare(
      { ...seccomp, architectures: arm },
      "aarch64",
      everyCall(numbers, () => [NONE]),
    ) > 6000,
  );
});

test("Docker's profile decides arguments as the rules say", () => {
  const seccomp = toSeccomp(DOCKER_PROFILE);
  // personality, clone, socket, clone3 and read on each ABI.
  const numbers = [
    0,
    3,
    41,
    56,
    92,
    97,
    102,
    117,
    120,
    135,
    136,
    198,
    220,
    281,
    359,
    435,
    X32_BIT + 41,
    X32_BIT + 56,
    X32_BIT + 135,
  ];
  const values = [...EDGES, 5n, 8n, 37n, 39n, 40n, 41n, 0x20000n, 0x20008n, 0x10000000n, 0x7e020000n, 0x11n];
  ok(
    compare(
      seccomp,
      "x86_64",
      everyCall(numbers, () => values.map((value) => [value, ...NONE])),
    ) > 1500,
  );
});

test("random profiles decide as their rules say", () => {
  let cases = 0;
  for (let seed = 1; seed <= 60; seed++) cases += compareRandom(seed);
  ok(cases > 50_000, `${cases} cases`);
});

function compareRandom(seed: number): number {
  const { below, pick } = random(seed);
  const few = [...BEHIND, ...Array.from({ length: 12 }, () => pick(NAMES))];
  const value = () => (below(4) === 0 ? BigInt(below(50)) : pick(EDGES) ^ (below(3) === 0 ? BigInt(below(256)) : 0n));
  const rules = Array.from({ length: 1 + below(25) }, (): SeccompRule => ({
    names: Array.from({ length: 1 + below(below(6) === 0 ? 200 : 4) }, () => pick(below(2) === 0 ? few : NAMES)),
    action: pick(ACTIONS),
    args: Array.from({ length: below(4) }, () => arg(below(below(2) === 0 ? 2 : 6), pick(OPERATORS), value(), value())),
  }));
  const seccomp = profile(rules, { defaultAction: pick(ACTIONS), architectures: pick(ARCHES) });
  const wanted = rules.flatMap(({ args }) =>
    args.flatMap((one) => [one.value, one.value - 1n, one.value + 1n, one.valueTwo]),
  );
  const argument = () => BigInt.asUintN(64, below(2) === 0 ? pick([...wanted, 0n]) : pick(EDGES));
  const lists = Array.from({ length: 3 }, () => Array.from({ length: 6 }, argument));
  const numbers = [...upTo(0, 601)].filter((nr) => (nr + seed) % 6 === 0 || [102, 117, 135, 136, 41, 359].includes(nr));
  const machine = pick<Machine>(["x86_64", "aarch64"]);
  const calls = everyCall([...numbers, ...numbers.map((nr) => X32_BIT + nr), ...ODD_NUMBERS], () => lists);
  try {
    return compare(seccomp, machine, calls);
  } catch (error) {
    // The generator does not avoid contradictions; they have their own test.
    if (error instanceof Error && error.name === "SpecError") return 0;
    throw error;
  }
}
