/** Kernel parameters of the container's namespaces: proc(5), /proc/sys. */
import { privateProc, writeProc } from "../sys/proc.ts";
import { step, type Plan, type Scene } from "../plan/step.ts";
import type { Spec } from "../spec/spec.ts";

export function* planSysctl(spec: Spec): Plan {
  if (spec.sysctl.length > 0) yield step("writeSysctl", spec.sysctl, "config-linux#configLinuxSysctl");
}

/**
 * Writes them through a procfs that init has made itself, and never by a path, which may lead elsewhere by now
 * (CVE-2025-52881): the container's, else a private one, whose end takes the kernel longer than all of this.
 */
export function writeSysctl({ sys, proc: own }: Scene, values: Spec["sysctl"]): void {
  using proc = own?.take() ?? privateProc(sys, "all");
  for (const [key, value] of values) writeProc(sys, proc, `sys/${pathOf(key)}`, value);
}

/** Dots separate; where the key has slashes already, dots are part of a name: sysctl(8), "net/ipv4/conf/eth0.1". */
export function pathOf(key: string): string {
  return key.includes("/") ? key : key.replaceAll(".", "/");
}
