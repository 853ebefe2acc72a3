/** The seccomp filter as a step: seccomp(2). The compiler is seccomp-compile.ts. */
import { step, type Plan, type Scene } from "../plan/step.ts";
import type { Seccomp } from "../spec/spec.ts";

export function* planSeccomp(seccomp: Seccomp | undefined): Plan {
  if (seccomp !== undefined) yield step("loadSeccomp", seccomp, "config-linux#configLinuxSeccomp");
}

/** Installs the filter, which was compiled before init was made. */
export function loadSeccomp({ sys, filter }: Scene, seccomp: Seccomp): void {
  sys.seccomp(seccomp.flags, filter);
}
