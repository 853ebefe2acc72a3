import { compileSeccomp, type Machine, unknownNames } from "../../../src/mechanisms/seccomp-compile.ts";
import { I386 } from "../../../src/mechanisms/syscalls/i386.ts";
import { X86_64 } from "../../../src/mechanisms/syscalls/x86_64.ts";
import type { Seccomp, SeccompAction, SeccompArg, SeccompArch, SeccompOperator, SeccompRule } from "../../../src/spec/spec.ts";
import { decode, run, type SeccompData } from "../../support/bpf-interpreter.ts";
import { DOCKER_PROFILE } from "../../support/docker-profile.ts";
import { random } from "../../support/random.ts";
import { toSeccomp } from "../../support/raw-seccomp.ts";
import { ARCH, evaluate, X32_BIT } from "../../support/seccomp-reference.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

const ALLOW = 0x7fff0000;
const KILL = 0;
const errno = (value: number) => 0x50000 + value;
const allow: SeccompAction = { kind: "allow" };
const EPERM: SeccompAction = { kind: "errno", value: 1 };
const EDGES = [0n, 1n, 2n, 38n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 63n, 2n ** 64n - 1n];
const NONE = [0n, 0n, 0n, 0n, 0n, 0n];
const NAMES = [...new Set([X86_64, I386].join("|").split("|").flatMap((part) => part.split(" ").slice(1)))];
const BEHIND = ["socket", "accept", "send", "shmat", "semop", "msgctl", "socketcall", "ipc", "personality", "read", "set_tls", "mseal"];
const OPERATORS: readonly SeccompOperator[] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
const ACTIONS: readonly SeccompAction[] = [
  allow, EPERM, { kind: "errno", value: 38 }, { kind: "trace", value: 7 }, { kind: "trap" }, { kind: "log" }, { kind: "killProcess" }, { kind: "killThread" },
];
const ARCHES: readonly (readonly SeccompArch[])[] = [
  [], ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], ["SCMP_ARCH_X86"], ["SCMP_ARCH_X32", "SCMP_ARCH_ARM"], ["SCMP_ARCH_MIPS", "SCMP_ARCH_S390X"],
];
const ODD_NUMBERS = [1000, 983041, 983045, 983047, X32_BIT - 1, X32_BIT, 0x80000000, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff];

function profile(rules: readonly SeccompRule[], more: Partial<Seccomp> = {}): Seccomp {
  return { defaultAction: EPERM, architectures: [], flags: 0, rules, ...more };
}

function rule(names: string, action: SeccompAction, ...args: readonly SeccompArg[]): SeccompRule {
  return { names: names.split(" "), action, args };
}

function arg(index: number, op: SeccompOperator, value: bigint, valueTwo = 0n): SeccompArg {
  return { index, op, value, valueTwo };
}

/** Compiles once; returns a function from a call to its answer. */
function filter(seccomp: Seccomp, machine: Machine = "x86_64"): (arch: keyof typeof ARCH, nr: number, ...args: bigint[]) => number {
  const program = decode(compileSeccomp(seccomp, machine));
  return (arch, nr, ...args) => run(program, { arch: ARCH[arch], nr, args: [...args, ...NONE] }).answer;
}

/** Compares filter and oracle for the calls; returns how many there were. */
function compare(seccomp: Seccomp, machine: Machine, calls: Iterable<SeccompData>): number {
  const program = decode(compileSeccomp(seccomp, machine));
  let count = 0;
  for (const call of calls) {
    const { answer } = run(program, call);
    const wanted = evaluate(seccomp, machine, call);
    if (answer !== wanted) equal(answer.toString(16), wanted.toString(16), `arch ${call.arch.toString(16)} nr ${call.nr} args ${call.args.join()}`);
    count++;
  }
  return count;
}

function* everyCall(numbers: Iterable<number>, argumentsOf: (nr: number) => Iterable<readonly bigint[]>): Generator<SeccompData> {
  for (const nr of numbers) {
    for (const arch of [...Object.values(ARCH), 0xc00000f3]) {
      for (const args of argumentsOf(nr)) yield { arch, nr, args };
    }
  }
}

function* count(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}

test("Docker's profile decides every number as the rules say", () => {
  const seccomp = toSeccomp(DOCKER_PROFILE);
  const numbers = [...count(0, 601), ...count(X32_BIT, X32_BIT + 601), ...ODD_NUMBERS];
  ok(compare(seccomp, "x86_64", everyCall(numbers, () => [NONE])) > 6000);
  const arm: readonly SeccompArch[] = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"];
  ok(compare({ ...seccomp, architectures: arm }, "aarch64", everyCall(numbers, () => [NONE])) > 6000);
});

test("Docker's profile decides arguments as the rules say", () => {
  const seccomp = toSeccomp(DOCKER_PROFILE);
  // personality, clone, socket, clone3 and read on each ABI.
  const numbers = [0, 3, 41, 56, 92, 97, 102, 117, 120, 135, 136, 198, 220, 281, 359, 435, X32_BIT + 41, X32_BIT + 56, X32_BIT + 135];
  const values = [...EDGES, 5n, 8n, 37n, 39n, 40n, 41n, 0x20000n, 0x20008n, 0x10000000n, 0x7e020000n, 0x11n];
  ok(compare(seccomp, "x86_64", everyCall(numbers, () => values.map((value) => [value, ...NONE]))) > 1500);
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
  const wanted = rules.flatMap(({ args }) => args.flatMap((one) => [one.value, one.value - 1n, one.value + 1n, one.valueTwo]));
  const argument = () => BigInt.asUintN(64, below(2) === 0 ? pick([...wanted, 0n]) : pick(EDGES));
  const lists = Array.from({ length: 3 }, () => Array.from({ length: 6 }, argument));
  const numbers = [...count(0, 601)].filter((nr) => (nr + seed) % 6 === 0 || [102, 117, 135, 136, 41, 359].includes(nr));
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

test("a call of an architecture that is not listed kills the thread", () => {
  const answer = filter(profile([rule("read", allow)]));
  equal(answer("x86_64", 0), ALLOW);
  equal(answer("i386", 3), KILL);
  equal(answer("aarch64", 63), KILL);
});

test("the machine's own architecture has its rules even where it is not listed", () => {
  const answer = filter(profile([rule("read", allow)], { architectures: ["SCMP_ARCH_X86"] }));
  equal(answer("x86_64", 0), ALLOW);
  equal(answer("i386", 3), ALLOW);
});

test("x32 is a stranger where it is not listed, and has its own numbers where it is", () => {
  const rules = [rule("rt_sigaction write", allow)];
  const without = filter(profile(rules));
  equal(without("x86_64", 13), ALLOW);
  equal(without("x86_64", X32_BIT + 1), KILL);
  equal(without("x86_64", 0xffffffff), errno(1), "a tracer skips a syscall with -1");
  const listed = filter(profile(rules, { architectures: ["SCMP_ARCH_X32"] }));
  equal(listed("x86_64", X32_BIT + 1), ALLOW);
  equal(listed("x86_64", X32_BIT + 13), errno(1));
  equal(listed("x86_64", X32_BIT + 512), ALLOW);
});

test("numbers above all that the profile names give ENOSYS", () => {
  const answer = filter(profile([rule("read mseal", allow), rule("statmount", EPERM)]));
  equal(answer("x86_64", 457), errno(1));
  equal(answer("x86_64", 462), ALLOW);
  equal(answer("x86_64", 463), errno(38));
  const skipped = filter(profile([rule("read", allow), rule("mseal", EPERM)]));
  equal(skipped("x86_64", 462), errno(1), "a rule that says nothing still names a number");
  equal(skipped("x86_64", 463), errno(38));
});

test("numbers above all get the default action where that lets syscalls through", () => {
  for (const action of [allow, { kind: "log" }, { kind: "trace", value: 1 }] as const) {
    const answer = filter(profile([rule("read", EPERM)], { defaultAction: action }));
    equal(answer("x86_64", 1000), answer("x86_64", 1));
  }
});

test("a profile without names has no highest number", () => {
  equal(filter(profile([]))("x86_64", 1000), errno(1));
  equal(filter(profile([rule("read", allow)]))("x86_64", 1000), errno(1), "runc takes 0 for none");
});

test("a rule with the default action says nothing", () => {
  const answer = filter(profile([rule("mount", EPERM), rule("mount", allow)]));
  equal(answer("x86_64", 165), ALLOW);
});

test("the first rule without conditions decides alone", () => {
  const two: SeccompAction = { kind: "errno", value: 2 };
  equal(filter(profile([rule("mount", two), rule("mount", allow)]))("x86_64", 165), errno(2));
  equal(filter(profile([rule("mount", two, arg(0, "EQ", 0n)), rule("mount", allow)]))("x86_64", 165), ALLOW);
  equal(filter(profile([rule("mount", allow), rule("mount", two, arg(0, "EQ", 0n))]))("x86_64", 165), ALLOW);
});

test("all conditions of a rule must hold, any of several rules is enough", () => {
  const answer = filter(profile([rule("mount", allow, arg(0, "EQ", 1n), arg(3, "GT", 2n ** 40n)), rule("mount", allow, arg(1, "EQ", 7n))]));
  equal(answer("x86_64", 165, 1n, 0n, 0n, 2n ** 40n + 1n), ALLOW);
  equal(answer("x86_64", 165, 1n, 0n, 0n, 2n ** 40n), errno(1));
  equal(answer("x86_64", 165, 0n, 7n), ALLOW);
});

test("conditions on one argument are alternatives", () => {
  const answer = filter(profile([rule("personality", allow, arg(0, "EQ", 0n), arg(0, "EQ", 8n))]));
  deepEqual([0n, 8n, 9n].map((value) => answer("x86_64", 135, value)), [ALLOW, ALLOW, errno(1)]);
});

test("the more particular of two conditions with different actions goes first", () => {
  const rules = [rule("personality", { kind: "errno", value: 2 }, arg(0, "LT", 5n)), rule("personality", allow, arg(0, "EQ", 1n))];
  for (const list of [rules, rules.toReversed()]) {
    const answer = filter(profile(list));
    deepEqual([0n, 1n, 7n].map((value) => answer("x86_64", 135, value)), [errno(2), ALLOW, errno(1)]);
  }
});

test("two actions under the same conditions are refused", () => {
  const contradiction = [rule("mount", allow, arg(0, "EQ", 1n)), rule("mount", { kind: "trap" }, arg(0, "EQ", 1n))];
  throws(() => void compileSeccomp(profile(contradiction), "x86_64"), 'two actions for "mount"');
});

test("on 32-bit ABIs only the lower words are compared", () => {
  const rules = [rule("personality", allow, arg(0, "EQ", 2n ** 64n - 1n))];
  const answer = filter(profile(rules, { architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] }));
  equal(answer("i386", 136, 0xffffffffn), ALLOW);
  equal(answer("x86_64", X32_BIT + 135, 0xffffffffn), ALLOW);
  equal(answer("x86_64", 135, 0xffffffffn), errno(1));
});

test("socketcall and ipc of i386 follow the calls behind them", () => {
  const answer = filter(profile([rule("accept semop", allow)], { architectures: ["SCMP_ARCH_X86"] }));
  equal(answer("i386", 102, 5n), ALLOW);
  equal(answer("i386", 102, 1n), errno(1));
  equal(answer("i386", 117, 0x10001n), ALLOW, "the upper half is a version");
  equal(answer("i386", 117, 2n), errno(1));
});

test("a condition on a call behind socketcall never lets it through there", () => {
  const architectures = ["SCMP_ARCH_X86"] as const;
  const unix = filter(profile([rule("socket", allow, arg(0, "EQ", 1n))], { architectures }));
  equal(unix("i386", 359, 1n), ALLOW);
  equal(unix("i386", 102, 1n), errno(1));
  const denied = filter(profile([rule("socket", EPERM, arg(0, "EQ", 38n))], { architectures, defaultAction: allow }));
  equal(denied("i386", 359, 2n), ALLOW);
  equal(denied("i386", 102, 1n), errno(1));
  equal(denied("i386", 102, 2n), ALLOW);
});

test("a profile that lists socketcall has it its own way", () => {
  const rules = [rule("socketcall", allow), rule("socket", { kind: "trap" })];
  equal(filter(profile(rules, { architectures: ["SCMP_ARCH_X86"] }))("i386", 102, 1n), ALLOW);
});

test("actions carry their value", () => {
  const answer = filter(profile([rule("read", { kind: "trace", value: 4242 }), rule("write", { kind: "killProcess" }), rule("open", { kind: "trap" })]));
  deepEqual([0, 1, 2].map((nr) => answer("x86_64", nr)), [0x7ff00000 + 4242, 0x80000000, 0x30000]);
});

test("names that are no system call have no effect and are listed", () => {
  const seccomp = profile([rule("read frobnicate 424 s390_sthyi", allow), rule("frobnicate", EPERM)]);
  deepEqual(unknownNames(seccomp), ["frobnicate", "424"]);
  equal(filter(seccomp)("x86_64", 423), errno(1));
});

test("new system calls are known on every ABI", () => {
  const names = "mseal statmount listmount lsm_list_modules setxattrat cachestat fchmodat2 map_shadow_stack futex_wake";
  const numbers = [462, 457, 458, 461, 463, 451, 452, 453, 454];
  const seccomp = profile([rule(names, allow)], { architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_ARM"] });
  const [x86, arm] = [filter(seccomp), filter(seccomp, "aarch64")];
  for (const nr of numbers) {
    deepEqual([x86("x86_64", nr), x86("i386", nr), x86("x86_64", X32_BIT + nr), arm("aarch64", nr), arm("arm", nr)], Array(5).fill(ALLOW), String(nr));
  }
});

test("the numbers are the kernel's", () => {
  const known = { x86_64: [0, 41, 135, 165, 250, 322], i386: [3, 359, 136, 21, 288, 358], aarch64: [63, 198, 92, 40, 219, 281], arm: [3, 281, 136, 21, 311, 387] };
  const seccomp = profile([rule("read socket personality mount keyctl execveat", allow)], { architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_ARM"] });
  for (const [arch, numbers] of Object.entries(known)) {
    const answer = filter(seccomp, arch.startsWith("a") ? "aarch64" : "x86_64");
    const allowed = [...count(0, 500)].filter((nr) => answer(arch as keyof typeof ARCH, nr, 100n) === ALLOW);
    deepEqual(allowed, numbers.toSorted((a, b) => a - b), arch);
  }
});

test("Docker's filter stays below 350 instructions", () => {
  ok(compileSeccomp(toSeccomp(DOCKER_PROFILE), "x86_64").length / 8 < 350);
});

test("a filter that the kernel would not take is refused", () => {
  const args = Array.from({ length: 3000 }, (_, i) => arg(0, "EQ", BigInt(i) << 32n));
  throws(() => void compileSeccomp(profile([rule("read", allow, ...args)]), "x86_64"), "at most 4096 instructions");
});
