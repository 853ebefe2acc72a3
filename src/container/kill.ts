/** A signal for a container. */
import { SIGKILL } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { killCgroup, processesOf, signal as send } from "../mechanisms/cgroup-removal.ts";
import { openCgroup } from "../mechanisms/cgroup2.ts";
import { openInit, signalProcess } from "./pidfd.ts";
import { cgroupOf, openContainer, type State } from "./state.ts";

/** Sends `number` to init, or with `all` to every process of the container. Throws a Failure with runc's words. */
export function killContainer(
  sys: Sys,
  root: string,
  id: string,
  request: { readonly number: number; readonly all: boolean },
): void {
  using held = openContainer(sys, root, id);
  const { state } = held;
  // Without a cgroup they are not known; with init's end the kernel kills all of a pid namespace: pid_namespaces(7).
  const known = state.cgroup !== undefined || (request.all && state.sharesPids);
  if (known && (request.all || (request.number === SIGKILL && state.sharesPids))) {
    const any = signalAll(sys, state, request.number);
    if (!any && !request.all) throw new Failure("container not running");
    return;
  }
  if (!signalInit(sys, state, request.number) && !request.all) throw new Failure("container not running");
}

/** Whether there was an init to signal. */
function signalInit(sys: Sys, state: State, number: number): boolean {
  using pidfd = openInit(sys, state);
  return pidfd !== undefined && signalProcess(sys, pidfd, number);
}

function signalAll(sys: Sys, state: State, number: number): boolean {
  const place = cgroupOf(state);
  try {
    using cgroup = openCgroup(sys, place);
    const pids = processesOf(sys, cgroup);
    if (number === SIGKILL) killCgroup(sys, cgroup);
    else for (const pid of pids) send(sys, pid, number);
    return pids.length > 0;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw new Failure(`cannot signal the processes of cgroup ${place.path}`, error);
  }
}
