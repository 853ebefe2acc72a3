/** All that a story depends on: the container, the host, and what the command line says. */
import { needsPause } from "../container/protocol.ts";
import { cgroupPathFor } from "../mechanisms/cgroup2.ts";
import { planBeside, planCredentials, planHost, planInit, type InitOptions } from "../plan/plan.ts";
import type { Step } from "../plan/step.ts";
import type { Facts } from "../facts/facts.ts";
import type { Spec } from "../spec/spec.ts";

export interface Circumstances {
  readonly command: "create" | "run";
  /** Where the state of containers is. */
  readonly root: string;
  readonly id: string;
  readonly spec: Spec;
  /** Where config.json is read, for a bundle. */
  readonly configPath: string;
  /** What takes the place of a bundle, if anything does. */
  readonly image: ImageOrigin | undefined;
  readonly facts: Facts;
  /** The compiled seccomp filter; empty where there is none. */
  readonly filter: Uint8Array;
  readonly pivot: boolean;
  readonly newKeyring: boolean;
  readonly preserveFds: number;
  readonly detach: boolean;
  readonly keep: boolean;
  readonly subreaper: boolean;
  readonly consoleSocket: string | undefined;
  readonly pidfdSocket: string | undefined;
  readonly pidFile: string | undefined;
}

export interface ImageOrigin {
  readonly name: string;
  /** The container's own directory in the store. */
  readonly owned: string;
  /** Without --interactive and --tty there is nothing to read from standard input. */
  readonly emptyInput: boolean;
}

/** Whether init waits to be started when it is ready. */
export function waits({ command, spec, consoleSocket, pidfdSocket, pidFile }: Circumstances): boolean {
  return command === "create" || needsPause(spec, [consoleSocket, pidfdSocket, pidFile]);
}

/** The plans, as createContainer makes them. Throws a SpecError where the host lacks a controller. */
export function plansOf(all: Circumstances): {
  readonly cgroup: string;
  readonly host: readonly Step[];
  /** What the host does while init begins. */
  readonly beside: readonly Step[];
  readonly init: readonly Step[];
  readonly credentials: readonly Step[];
} {
  const { spec, facts, id } = all;
  const cgroup = cgroupPathFor(spec, facts, id);
  const options: InitOptions = { id, newKeyring: all.newKeyring, pivot: all.pivot, cgroup };
  return {
    cgroup,
    host: [...planHost(spec, facts, cgroup)],
    beside: [...planBeside(spec, facts, cgroup)],
    init: [...planInit(spec, facts, options)],
    credentials: [...planCredentials(spec.process, spec.seccomp)],
  };
}
