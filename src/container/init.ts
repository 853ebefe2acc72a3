/** A container's init: the child's side, top to bottom. It ends in execve. */
import { PR_SET_DUMPABLE, PR_SET_PDEATHSIG, SIGKILL } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import { reasonOf } from "../sys/errno.ts";
import { openPath } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { setLimits } from "../mechanisms/rlimits.ts";
import { execute } from "../plan/execute.ts";
import { planCredentials } from "../plan/plan.ts";
import type { Conversation, Step } from "../plan/step.ts";
import type { Spec } from "../spec/spec.ts";
import { runHooks, type HookState } from "./hooks.ts";
import { joinNamespaces, type Joined } from "./join.ts";
import { becomeProcess, findProgram, withHome } from "./program.ts";
import { failure, tell, waitForParent } from "./protocol.ts";

/** Who says that the process may begin. */
export type Start = { readonly by: "nobody" } | { readonly by: "parent" } | { readonly by: "fifo"; readonly fifo: Fd };

export interface Init {
  readonly spec: Spec;
  readonly steps: readonly Step[];
  readonly sources: ReadonlyMap<Step, Fd>;
  readonly network: Fd | undefined;
  readonly joined: Joined;
  readonly filter: Uint8Array;
  readonly channel: Fd;
  readonly start: Start;
  readonly preserveFds: number;
  /** Whether its maker needs to write to its files in /proc without being root. */
  readonly exposed: boolean;
  /** Whether a user without privileges may want to join it while it waits. */
  readonly joinable: boolean;
  readonly hookState: Omit<HookState, "pid">;
}

/** Never returns: becomes the container's process, or tells the parent why not and ends. */
export function runInit(sys: Sys, init: Init): never {
  try {
    live(sys, init);
  } catch (error) {
    endInFailure(sys, init.channel, error);
  }
}

/** Tells whoever waits what went wrong, in one line, and ends. `report` is a channel or exec.fifo. */
export function endInFailure(sys: Sys, report: Fd, error: unknown): never {
  try {
    sys.writeText(report, failure(reasonOf(error)));
  } finally {
    sys.exit(1);
  }
  throw error;
}

function live(sys: Sys, init: Init): never {
  const { spec, channel, filter, preserveFds, sources, network } = init;
  // Until the state names this process nobody could find it: it dies with its parent.
  sys.prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
  // What they do is the default since the parent's first moment.
  sys.unblockSignals();
  joinNamespaces(sys, init.joined);
  init.joined[Symbol.dispose]();
  const inUserNamespace = spec.namespaces.some((namespace) => namespace.type === "user");
  const place = inUserNamespace ? openIfReachable(sys, spec.root.path) : undefined;
  if (inUserNamespace) becomeRoot(sys, init);
  // Modes below are exact; the container's own umask comes with its identity.
  sys.umask(0);
  const scene = {
    sys,
    place,
    root: undefined,
    proc: undefined,
    sources,
    network,
    filter,
    converse: conversation(sys, init),
  };
  execute(init.steps, scene);
  // The last file that is opened: from here on the limits may be any.
  const env = withHome(sys, spec.process);
  setLimits(sys, spec.process.rlimits);
  execute(planCredentials(spec.process, spec.seccomp), scene);
  sys.phase("find the program");
  const program = findProgram(sys, spec.process, env);
  sys.phase("wait for start");
  waitForStart(sys, init);
  sys.phase("execve");
  const report = init.start.by === "fifo" ? init.start.fifo : channel;
  try {
    const { startContainer } = spec.hooks;
    if (startContainer.length > 0) runHooks(sys, startContainer, { ...init.hookState, pid: sys.getpid() }, "created");
  } catch (error) {
    endInFailure(sys, report, error);
  }
  return becomeProcess(sys, {
    process: spec.process,
    program,
    env,
    filter,
    flags: spec.seccomp?.flags ?? 0,
    report,
    preserveFds,
  });
}

/** Directories on the way may be for the caller alone, whom the container's root is not. */
function openIfReachable(sys: Sys, path: string): Fd | undefined {
  try {
    return openPath(sys, path);
  } catch {
    return undefined; // Said when it is to be mounted on.
  }
}

function becomeRoot(sys: Sys, { spec, channel, exposed }: Init): void {
  if (spec.userNamespace !== undefined) {
    // The files of a process that is not dumpable are root's: proc(5). A maker without privileges could not write to them.
    if (exposed) sys.prctl(PR_SET_DUMPABLE, 1, 0);
    tell(sys, channel, "idMaps");
    waitForParent(sys, channel);
    if (exposed) sys.prctl(PR_SET_DUMPABLE, 0, 0);
  }
  sys.setresgid(0);
  sys.setresuid(0);
}

function conversation(sys: Sys, { spec, channel, hookState }: Init): Conversation {
  return {
    awaitParent(): void {
      waitForParent(sys, channel);
      // The state is written: whoever deletes the container finds this process.
      sys.prctl(PR_SET_PDEATHSIG, 0, 0);
    },
    runHooks(): void {
      tell(sys, channel, "hooks");
      waitForParent(sys, channel);
      if (spec.hooks.createContainer.length > 0)
        runHooks(sys, spec.hooks.createContainer, { ...hookState, pid: sys.getpid() }, "creating");
    },
    handOver(master: Fd): void {
      tell(sys, channel, "terminal", [master]);
      waitForParent(sys, channel);
    },
  };
}

function waitForStart(sys: Sys, { start, channel, joinable }: Init): void {
  // To join its namespaces asks for the right to look into it, which privileges give, or a process that is dumpable: setns(2), ptrace(2).
  if (joinable) sys.prctl(PR_SET_DUMPABLE, 1, 0);
  tell(sys, channel, "ready");
  if (start.by === "nobody") return;
  if (start.by !== "fifo") return waitForParent(sys, channel);
  sys.poll([start.fifo], [1], -1);
  if (joinable) sys.prctl(PR_SET_DUMPABLE, 0, 0);
  if (sys.readSome(start.fifo, 1).length !== 1) throw new Failure("nothing came through exec.fifo");
}
