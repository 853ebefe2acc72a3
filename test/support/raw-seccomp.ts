/** seccomp of config.json → Seccomp, without any checks: the tests of the compiler do not depend on the parser. */

import type { RawSeccomp } from "../../src/mechanisms/seccomp-default.ts";
import type { Seccomp, SeccompAction, SeccompArch, SeccompOperator } from "../../src/spec/spec.ts";

const ACTIONS = {
  SCMP_ACT_KILL: "killThread",
  SCMP_ACT_KILL_THREAD: "killThread",
  SCMP_ACT_KILL_PROCESS: "killProcess",
  SCMP_ACT_TRAP: "trap",
  SCMP_ACT_ERRNO: "errno",
  SCMP_ACT_TRACE: "trace",
  SCMP_ACT_LOG: "log",
  SCMP_ACT_ALLOW: "allow",
} as const;

export function toSeccomp(raw: RawSeccomp): Seccomp {
  return {
    defaultAction: toAction(raw.defaultAction, raw.defaultErrnoRet),
    architectures: (raw.architectures ?? []) as readonly SeccompArch[],
    flags: 0,
    rules: (raw.syscalls ?? []).map(({ names, action, errnoRet, args }) => ({
      names,
      action: toAction(action, errnoRet),
      args: (args ?? []).map(({ index, value, valueTwo, op }) => ({
        index,
        op: op.replace("SCMP_CMP_", "") as SeccompOperator,
        value: BigInt(value),
        valueTwo: BigInt(valueTwo ?? 0),
      })),
    })),
  };
}

function toAction(name: string, value: number | undefined): SeccompAction {
  const kind = ACTIONS[name as keyof typeof ACTIONS];
  return kind === "errno" || kind === "trace" ? { kind, value: value ?? 1 } : { kind };
}
