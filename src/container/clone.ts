/** Making a container's init: clone3(2). */
import { CLONE_PARENT, CLONE_NEWUSER, POLLIN } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { openCgroup, type CgroupPlace } from "../mechanisms/cgroup2.ts";
import { cloneFlags } from "../mechanisms/namespaces.ts";
import type { Spec } from "../spec/spec.ts";
import { endInFailure } from "./init.ts";
import { inPidNamespace, type Joined } from "./join.ts";
import { goOn, receive, tell, waitForParent, type Received } from "./protocol.ts";

export interface CloneRequest {
  readonly spec: Spec;
  readonly joined: Joined;
  /** Undefined: the caller's own. */
  readonly cgroup: CgroupPlace | undefined;
  readonly channel: Fd;
  /** The child's end of the channel. */
  readonly theirs: Fd;
}

/** The pid of the child, and a descriptor of it; 0 in the child itself. */
export interface Child {
  readonly pid: number;
  readonly pidfd: Fd;
}

/**
 * Both sides return. The child begins its life in its cgroup and its new namespaces. A write to cgroup.procs instead would
 * wait for a grace period of RCU, some 10 ms, and leave a moment in which it is nowhere. Throws a Failure.
 */
export function cloneInit(sys: Sys, request: CloneRequest): Child {
  const { spec, joined } = request;
  using opened = request.cgroup && openCgroup(sys, request.cgroup);
  const cgroup = opened === undefined ? [] : [opened];
  const user = joined.open.get("user");
  const made = inPidNamespace(sys, joined, () => {
    if (user === undefined) return clone(sys, cloneFlags(spec), cgroup);
    return cloneSibling(sys, request, user, cgroup);
  });
  return { pid: made.pid, pidfd: made.pidfd[0] as Fd }; // The child has none and never looks.
}

type Made = ReturnType<Sys["clone3"]>;

function clone(sys: Sys, flags: number, cgroup: readonly Fd[]): Made {
  return attempt("make the container's init", () => {
    try {
      return sys.clone3(flags, cgroup);
    } catch (error) {
      if (isErrno(error, "ENOSYS")) throw new Failure("clone3(2) is missing: Linux 5.7 or newer is needed", error);
      throw error;
    }
  });
}

/**
 * New namespaces belong to the user namespace that their maker is in: user_namespaces(7). To join one, a helper goes there
 * first and makes init as its own sibling, so that this process is init's parent.
 */
function cloneSibling(sys: Sys, { spec, channel, theirs }: CloneRequest, user: Fd, cgroup: readonly Fd[]): Made {
  const helper = clone(sys, 0, cgroup);
  if (helper.pid === 0) return joinAndClone(sys, spec, theirs, user);
  const told = receiveFrom(sys, channel, helper.pidfd);
  const { code } = sys.wait(helper.pid, true);
  helper.pidfd[0]?.[Symbol.dispose]();
  if (told?.fd === undefined || told.request === "failed") {
    throw new Failure(told?.text ?? `the helper that joins the user namespace ended with ${code}`);
  }
  const pid = pidOf(sys, told.fd);
  goOn(sys, channel);
  return { pid, pidfd: [told.fd] };
}

/** What the helper says; undefined where it ends without a word: the channel's other end is open here too. */
function receiveFrom(sys: Sys, channel: Fd, helper: readonly Fd[]): Received | undefined {
  sys.poll([channel, ...helper], [POLLIN, POLLIN], -1);
  const [said = 0] = sys.poll([channel], [POLLIN], 0);
  return said === 0 ? undefined : receive(sys, channel);
}

/** The pid as this process sees it: the helper may be in another pid namespace. proc(5), fdinfo of a pidfd. */
function pidOf(sys: Sys, pidfd: Fd): number {
  const lines = readFile(sys, null, `/proc/self/fdinfo/${pidfd.number}`).split("\n");
  const pid = Number(lines.find((line) => line.startsWith("Pid:"))?.slice(4) ?? "0");
  if (pid > 0) return pid;
  throw new Failure("the container's init ended before it was known");
}

/** The helper's side; the sibling returns. */
function joinAndClone(sys: Sys, spec: Spec, theirs: Fd, user: Fd): Made {
  try {
    attempt("join the user namespace", () => sys.setns(user, CLONE_NEWUSER));
    const sibling = clone(sys, cloneFlags(spec) + CLONE_PARENT, []);
    if (sibling.pid === 0) {
      // Both write to the same channel: the helper has the first word.
      waitForParent(sys, theirs);
      return sibling;
    }
    tell(sys, theirs, "sibling", sibling.pidfd);
  } catch (error) {
    endInFailure(sys, theirs, error);
  }
  sys.exit(0);
  throw new Failure("unreachable");
}
