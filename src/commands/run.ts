/** `run`: create and start in one, and in the foreground wait for the end. */
import { O_RDWR, POLLIN, PR_SET_CHILD_SUBREAPER, SIGKILL } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { createContainer, type Created, type CreateRequest } from "../container/create.ts";
import { deleteContainer } from "../container/delete.ts";
import { copySize, waitForProcess } from "../container/foreground.ts";
import { runHooks } from "../container/hooks.ts";
import { Parent } from "../container/parent.ts";
import { goOn, needsPause, receive } from "../container/protocol.ts";
import { isSet, option, type Context, type Parsed } from "./context.ts";
import { TELLING } from "./announce.ts";
import { handOver, printId } from "./create.ts";
import { prepare } from "./prepare.ts";

export function run(context: Context, parsed: Parsed): number {
  const request = prepare(context, parsed, "parent");
  const listeners = TELLING.map((name) => option(parsed, name));
  return runRequest(context, parsed, needsPause(request.spec, listeners) ? request : { ...request, start: "nobody" });
}

/** Creates, starts, and unless detached waits. Gives the process's exit code, or 0. */
function runRequest({ sys }: Context, parsed: Parsed, request: CreateRequest): number {
  const detach = isSet(parsed, "detach");
  if (!detach && !isSet(parsed, "no-subreaper")) sys.prctl(PR_SET_CHILD_SUBREAPER, 1, 0);
  using signals = sys.signalFd();
  const created = createContainer(sys, request);
  sys.phase("hand over");
  handOver(sys, created, parsed, request);
  const code = attend(sys, created, request, () => {
    if (!detach && created.terminal !== undefined) copySize(sys, created.terminal);
    begin(sys, created, request);
    if (detach) return 0;
    sys.phase("wait for the end");
    const input = option(parsed, "image") === undefined || isSet(parsed, "interactive");
    return waitForProcess(sys, { ...created, pid: created.state.pid, signals, input });
  });
  if (detach) {
    printId(sys, parsed, request.id);
    if (isSet(parsed, "rm")) deleteWhenEnded(sys, created, request);
    return 0;
  }
  sys.phase("delete");
  if (!isSet(parsed, "keep")) deleteContainer(sys, request.root, request.id, { force: true });
  return code;
}

/** Does `act`; where that fails, the container is killed and deleted: nobody would look after it. */
function attend(sys: Sys, created: Created, { root, id }: CreateRequest, act: () => number): number {
  try {
    return act();
  } catch (error) {
    endQuietly(sys, created);
    deleteContainer(sys, root, id, { force: true });
    throw error;
  }
}

/** Kills and collects the process, unless that was done before. */
function endQuietly(sys: Sys, { pidfd, state }: Created): void {
  try {
    sys.pidfdSendSignal(pidfd, SIGKILL);
    sys.wait(state.pid, true);
  } catch (error) {
    if (!isErrno(error, "ESRCH", "ECHILD")) throw error;
  }
}

/** Lets init become the container's process; what it fails at comes back, until the channel closes by execve. */
function begin(sys: Sys, created: Created, { spec, start }: CreateRequest): void {
  sys.phase("start: wait for execve");
  if (start === "parent") goOn(sys, created.channel);
  else new Parent(sys, created.channel, ["ready"]).expect("ready");
  const failure = receive(sys, created.channel);
  if (failure !== undefined) throw new Failure(failure.text);
  if (spec.hooks.poststart.length > 0) runHooks(sys, spec.hooks.poststart, created.state, "running");
}

/** `-d --rm`: a process of its own session waits for the end, which a pidfd tells to anybody: pidfd_open(2). */
function deleteWhenEnded(sys: Sys, { pidfd, state }: Created, { root, id }: CreateRequest): void {
  if (sys.clone3(0, []).pid !== 0) return;
  try {
    sys.setsid();
    using nothing = sys.openat(null, "/dev/null", O_RDWR, 0);
    for (const number of [0, 1, 2]) sys.duplicateTo(nothing, number);
    sys.poll([pidfd], [POLLIN], -1);
    deleteContainer(sys, root, id, { force: true, only: state });
  } finally {
    sys.exit(0);
  }
}
