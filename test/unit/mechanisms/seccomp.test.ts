import { compileSeccomp, unknownNames } from "../../../src/mechanisms/seccomp-compile.ts";
import type { SeccompAction } from "../../../src/spec/spec.ts";
import { DOCKER_PROFILE } from "../../support/docker-profile.ts";
import { toSeccomp } from "../../support/raw-seccomp.ts";
import { type ARCH, X32_BIT } from "../../support/seccomp-reference.ts";
import { ALLOW, allow, arg, EPERM, filter, profile, rule, upTo } from "../../support/seccomp-rules.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

const KILL = 0;
const errno = (value: number) => 0x50000 + value;

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
  const answer = filter(
    profile([rule("mount", allow, arg(0, "EQ", 1n), arg(3, "GT", 2n ** 40n)), rule("mount", allow, arg(1, "EQ", 7n))]),
  );
  equal(answer("x86_64", 165, 1n, 0n, 0n, 2n ** 40n + 1n), ALLOW);
  equal(answer("x86_64", 165, 1n, 0n, 0n, 2n ** 40n), errno(1));
  equal(answer("x86_64", 165, 0n, 7n), ALLOW);
});

test("conditions on one argument are alternatives", () => {
  const answer = filter(profile([rule("personality", allow, arg(0, "EQ", 0n), arg(0, "EQ", 8n))]));
  deepEqual(
    [0n, 8n, 9n].map((value) => answer("x86_64", 135, value)),
    [ALLOW, ALLOW, errno(1)],
  );
});

test("the more particular of two conditions with different actions goes first", () => {
  const rules = [
    rule("personality", { kind: "errno", value: 2 }, arg(0, "LT", 5n)),
    rule("personality", allow, arg(0, "EQ", 1n)),
  ];
  for (const list of [rules, rules.toReversed()]) {
    const answer = filter(profile(list));
    deepEqual(
      [0n, 1n, 7n].map((value) => answer("x86_64", 135, value)),
      [errno(2), ALLOW, errno(1)],
    );
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
  const answer = filter(
    profile([
      rule("read", { kind: "trace", value: 4242 }),
      rule("write", { kind: "killProcess" }),
      rule("open", { kind: "trap" }),
    ]),
  );
  deepEqual(
    [0, 1, 2].map((nr) => answer("x86_64", nr)),
    [0x7ff00000 + 4242, 0x80000000, 0x30000],
  );
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
    deepEqual(
      [x86("x86_64", nr), x86("i386", nr), x86("x86_64", X32_BIT + nr), arm("aarch64", nr), arm("arm", nr)],
      Array(5).fill(ALLOW),
      String(nr),
    );
  }
});

test("the numbers are the kernel's", () => {
  const known = {
    x86_64: [0, 41, 135, 165, 250, 322],
    i386: [3, 359, 136, 21, 288, 358],
    aarch64: [63, 198, 92, 40, 219, 281],
    arm: [3, 281, 136, 21, 311, 387],
  };
  const seccomp = profile([rule("read socket personality mount keyctl execveat", allow)], {
    architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_ARM"],
  });
  for (const [arch, numbers] of Object.entries(known)) {
    const answer = filter(seccomp, arch.startsWith("a") ? "aarch64" : "x86_64");
    const allowed = [...upTo(0, 500)].filter((nr) => answer(arch as keyof typeof ARCH, nr, 100n) === ALLOW);
    deepEqual(
      allowed,
      numbers.toSorted((a, b) => a - b),
      arch,
    );
  }
});

test("Docker's filter stays below 350 instructions", () => {
  ok(compileSeccomp(toSeccomp(DOCKER_PROFILE), "x86_64").length / 8 < 350);
});

test("a filter that the kernel would not take is refused", () => {
  const args = Array.from({ length: 3000 }, (_, i) => arg(0, "EQ", BigInt(i) << 32n));
  throws(() => void compileSeccomp(profile([rule("read", allow, ...args)]), "x86_64"), "at most 4096 instructions");
});
