/** Processes by descriptor, so that what is signalled or waited for is the process that was looked at: pidfd_open(2). */
import { POLLIN } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { isAlive, type State } from "./state.ts";

/** A descriptor of a process, undefined where there is none of this number. Throws a Failure. */
export function openProcess(sys: Sys, pid: number): Fd | undefined {
  if (pid === 0) return undefined;
  try {
    return sys.pidfdOpen(pid);
  } catch (error) {
    // Gone; or the number has become a thread's: EINVAL, and ENOENT in newer kernels (6.18 says so).
    if (isErrno(error, "ESRCH", "EINVAL", "ENOENT")) return undefined;
    throw new Failure(`cannot open process ${pid}`, error);
  }
}

/** A descriptor of a container's init, undefined where it has ended. Throws a Failure. */
export function openInit(sys: Sys, state: State): Fd | undefined {
  const pidfd = openProcess(sys, state.pid);
  if (pidfd === undefined || isAlive(sys, state)) return pidfd;
  pidfd[Symbol.dispose]();
  return undefined;
}

/** Sends a signal; gives whether the process was still there. Throws a Failure. */
export function signalProcess(sys: Sys, pidfd: Fd, number: number): boolean {
  try {
    sys.pidfdSendSignal(pidfd, number);
    return true;
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    throw new Failure(`cannot send signal ${number} to the container's process`, error);
  }
}

/** Waits, `patience` milliseconds at most, until a process has ended, though its parent may not have reaped it; gives whether it has. */
export function waitForEnd(sys: Sys, pidfd: Fd, patience: number): boolean {
  const deadline = sys.clockMonotonic() + patience * 1000;
  for (;;) {
    const left = Math.ceil((deadline - sys.clockMonotonic()) / 1000);
    // An interruption counts as nothing happened, too.
    const [events = 0] = sys.poll([pidfd], [POLLIN], Math.max(left, 0));
    if (events !== 0) return true;
    if (left <= 0) return false;
  }
}
