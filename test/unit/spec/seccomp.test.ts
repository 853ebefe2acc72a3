import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";
import { parseSpec } from "../../../src/spec/parse.ts";
import type { Seccomp } from "../../../src/spec/spec.ts";
import { config, parseWith, refuses } from "./example.ts";
import type { Json } from "./example.ts";

const S = "linux.seccomp";

function seccomp(raw: Json): Seccomp {
  const parsed = parseWith(S, raw).seccomp;
  if (parsed === undefined) throw new Error("there is a profile");
  return parsed;
}

test("an action of ERRNO or TRACE gives EPERM where the profile names no number", () => {
  deepEqual(seccomp({ defaultAction: "SCMP_ACT_ERRNO" }).defaultAction, { kind: "errno", value: 1 });
  deepEqual(seccomp({ defaultAction: "SCMP_ACT_TRACE" }).defaultAction, { kind: "trace", value: 1 });
  deepEqual(seccomp({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38 }).defaultAction, {
    kind: "errno",
    value: 38,
  });
});

test("KILL is KILL_THREAD, as in libseccomp", () => {
  deepEqual(seccomp({ defaultAction: "SCMP_ACT_KILL" }).defaultAction, { kind: "killThread" });
  deepEqual(seccomp({ defaultAction: "SCMP_ACT_KILL_PROCESS" }).defaultAction, { kind: "killProcess" });
  deepEqual(seccomp({ defaultAction: "SCMP_ACT_LOG" }).defaultAction, { kind: "log" });
});

test("a number for an action that has no use for it is refused: the specification wants so", () => {
  refuses(
    S,
    { defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 1 },
    `${S}.defaultErrnoRet has no meaning for SCMP_ACT_ALLOW`,
  );
  refuses(
    S,
    { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 4096 },
    `${S}.defaultErrnoRet must be an integer from 0 to 4095`,
  );
});

test("flags become bits, and no list means SPEC_ALLOW as for runc", () => {
  const flags = (raw: Json): number => seccomp({ defaultAction: "SCMP_ACT_ALLOW", flags: raw }).flags;
  equal(seccomp({ defaultAction: "SCMP_ACT_ALLOW" }).flags, 4);
  equal(flags(null), 4);
  equal(flags([]), 0);
  equal(flags(["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]), 7);
  refuses(S, { defaultAction: "SCMP_ACT_ALLOW", flags: ["X"] }, `${S}.flags[0] must be a flag`);
});

test("WAIT_KILLABLE_RECV without a listener is left out with a warning: the kernel would refuse it", () => {
  const spec = parseWith(S, { defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] });
  equal(spec.seccomp?.flags, 0);
  ok(spec.warnings?.[0]?.includes("has no effect without SCMP_ACT_NOTIFY") === true);
});

test("notifications are not done, and said so", () => {
  refuses(S, { defaultAction: "SCMP_ACT_NOTIFY" }, `${S}.defaultAction "SCMP_ACT_NOTIFY" is not supported yet`);
  refuses(
    S,
    { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["a"], action: "SCMP_ACT_NOTIFY" }] },
    `${S}.syscalls[0].action "SCMP_ACT_NOTIFY"`,
  );
  refuses(S, { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/s" }, `${S}.listenerPath is not supported yet`);
});

test("rules keep their names and arguments", () => {
  deepEqual(
    seccomp({
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_X86_64"],
      syscalls: [
        {
          names: ["clone"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 38,
          args: [{ index: 0, value: 2114060288, valueTwo: 7, op: "SCMP_CMP_MASKED_EQ" }],
        },
      ],
    }),
    {
      defaultAction: { kind: "allow" },
      architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
      flags: 4,
      rules: [
        {
          names: ["clone"],
          action: { kind: "errno", value: 38 },
          args: [{ index: 0, op: "MASKED_EQ", value: 2114060288n, valueTwo: 7n }],
        },
      ],
    },
  );
});

test("arguments are exact to 64 bits", () => {
  const whole = config(S, {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["a"], action: "SCMP_ACT_LOG", args: [{ index: 1, value: 4711, op: "SCMP_CMP_EQ" }] }],
  });
  const text = JSON.stringify(whole).replace("4711", "18446744073709551615");
  equal(parseSpec(text, "/b").seccomp?.rules[0]?.args[0]?.value, 18446744073709551615n);
  throws(
    () => parseSpec(text.replace("1615", "1616"), "/b"),
    `${S}.syscalls[0].args[0].value must be an integer from 0`,
  );
});

test("a rule is whole", () => {
  const rule = (raw: Json, message: string): void =>
    refuses(S, { defaultAction: "SCMP_ACT_ALLOW", syscalls: [raw] }, `${S}.syscalls[0]${message}`);
  rule({ action: "SCMP_ACT_LOG" }, ".names must have at least one system call");
  rule({ names: ["a"] }, ".action is required");
  rule({ names: ["a"], action: "allow" }, ".action must be an action such as SCMP_ACT_ERRNO");
  rule(
    { names: ["a"], action: "SCMP_ACT_LOG", args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] },
    ".args[0].index must be an integer from 0 to 5",
  );
  rule({ names: ["a"], action: "SCMP_ACT_LOG", args: [{ index: 0, op: "SCMP_CMP_EQ" }] }, ".args[0].value is required");
  rule(
    { names: ["a"], action: "SCMP_ACT_LOG", args: [{ index: 0, value: 0, op: "EQ" }] },
    ".args[0].op must be an operator",
  );
  refuses(S, { syscalls: [{ names: ["a"], action: "SCMP_ACT_LOG" }] }, `${S}.defaultAction is required`);
  refuses(
    S,
    { defaultAction: "SCMP_ACT_ALLOW", architectures: ["x86"] },
    `${S}.architectures[0] must be an architecture`,
  );
});

test("an empty profile is none, as for runc", () => {
  equal(parseWith(S, {}).seccomp, undefined);
  equal(parseWith(S, null).seccomp, undefined);
});
