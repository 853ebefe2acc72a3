/** `run`: create and start in one, and in the foreground wait for the end. */
import { PR_SET_CHILD_SUBREAPER, SIGKILL } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { createContainer, type Created, type CreateRequest } from "../container/create.ts";
import { deleteContainer } from "../container/delete.ts";
import { waitForProcess } from "../container/foreground.ts";
import { runHooks } from "../container/hooks.ts";
import { goOn, receive } from "../container/protocol.ts";
import { isSet, type Context, type Parsed } from "./context.ts";
import { handOver } from "./create.ts";
import { prepare } from "./prepare.ts";

export function run(context: Context, parsed: Parsed): number {
  return runRequest(context, parsed, prepare(context, parsed, "parent"));
}

/** Creates, starts, and unless detached waits. Gives the process's exit code, or 0. */
export function runRequest({ sys }: Context, parsed: Parsed, request: CreateRequest): number {
  const detach = isSet(parsed, "detach");
  if (!detach && !isSet(parsed, "no-subreaper")) sys.prctl(PR_SET_CHILD_SUBREAPER, 1, 0);
  using signals = sys.signalFd();
  const created = createContainer(sys, request);
  handOver(sys, created, parsed, request);
  try {
    begin(sys, created, request);
  } catch (error) {
    sys.pidfdSendSignal(created.pidfd, SIGKILL);
    sys.wait(created.state.pid, true);
    deleteContainer(sys, request.root, request.id, true);
    throw error;
  }
  if (detach) return 0;
  const code = waitForProcess(sys, {
    pid: created.state.pid,
    pidfd: created.pidfd,
    signals,
    terminal: created.terminal,
  });
  if (!isSet(parsed, "keep")) deleteContainer(sys, request.root, request.id, true);
  return code;
}

/** Lets init become the container's process; what it fails at comes back, until the channel closes by execve. */
function begin(sys: Sys, created: Created, { spec }: CreateRequest): void {
  goOn(sys, created.channel);
  const failure = receive(sys, created.channel);
  if (failure !== undefined) throw new Failure(failure.text);
  if (spec.hooks.poststart.length > 0) runHooks(sys, spec.hooks.poststart, created.state, "running");
}
