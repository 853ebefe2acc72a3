/** THE order. Mechanisms know what; only this file knows when. */
import { planCapabilities, planBoundingSet } from "../mechanisms/capabilities.ts";
import { planCgroup, planDeviceFilter, planLimits } from "../mechanisms/cgroup2.ts";
import { planIds, planNoNewPrivileges } from "../mechanisms/credentials.ts";
import { planDevices } from "../mechanisms/devices.ts";
import { planMasks } from "../mechanisms/masks.ts";
import { planMounts, planSeals } from "../mechanisms/mounts.ts";
import { planNames, planNamespaces, planSession } from "../mechanisms/namespaces.ts";
import { planPivot, planReadonlyRoot, planRoot, planWorkingDirectory } from "../mechanisms/rootfs.ts";
import { planSeccomp } from "../mechanisms/seccomp.ts";
import { planSysctl } from "../mechanisms/sysctl.ts";
import { planTerminal } from "../mechanisms/terminal.ts";
import type { Facts } from "../facts/facts.ts";
import type { Process, Seccomp, Spec } from "../spec/spec.ts";
import { step, type Plan } from "./step.ts";

/** What the host does before there is a process. */
export function* planHost(spec: Spec, facts: Facts, cgroup: string): Plan {
  yield* planCgroup(spec, facts, cgroup);
  yield* planLimits(spec, facts, cgroup);
}

/** What it does while init begins, which waits for it before it makes a device. */
export function* planBeside(spec: Spec, facts: Facts, cgroup: string): Plan {
  yield* planDeviceFilter(spec, facts, cgroup);
}

/** What init does, from its first moment in its namespaces until it sees nothing but the container's files. */
export function* planInit(spec: Spec, facts: Facts, options: InitOptions): Plan {
  yield* planNamespaces(spec, options);
  yield* planRoot(spec);
  yield* planMounts(spec, facts, options);
  yield step("awaitParent", undefined, "runtime#runtimeLifecycle");
  yield* planDevices(spec);
  const stages = hookStages(spec);
  if (stages.length > 0) yield step("runHooks", stages, "config#configHooks");
  yield* planTerminal(spec.process);
  yield* planNames(spec);
  yield* planSysctl(spec);
  yield* planMasks(spec);
  yield* planWorkingDirectory(spec);
  yield* planSeals(spec);
  yield* planReadonlyRoot(spec);
  yield* planPivot(spec, options);
}

/** What the command line says about init beyond config.json. */
export interface InitOptions {
  readonly id: string;
  readonly newKeyring: boolean;
  readonly pivot: boolean;
  /** The container's cgroup, below the mount of the unified hierarchy. */
  readonly cgroup: string;
}

/** From root to the process's own identity, for which its limits are set already; `exec` does the same. */
export function* planCredentials(process: Process, seccomp: Seccomp | undefined): Plan {
  yield* planNoNewPrivileges(process);
  // Without no_new_privs, loading a filter needs CAP_SYS_ADMIN, so it comes before the drop; with it, it comes as
  // late as it can: with the call that becomes the process. See seccomp(2).
  if (!process.noNewPrivileges) yield* planSeccomp(seccomp);
  yield* planBoundingSet(process);
  yield* planIds(process);
  yield* planCapabilities(process);
}

/** The stages that have hooks, of those between the mounts and pivot_root. */
export function hookStages(spec: Spec): readonly string[] {
  return (["prestart", "createRuntime", "createContainer"] as const).filter((stage) => spec.hooks[stage].length > 0);
}

/** What a process of exec does before it takes its terminal. */
export function planExec(id: string | undefined): Plan {
  return planSession(id);
}
