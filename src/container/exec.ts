/** Another process in a container that runs: both sides, top to bottom. */
import {
  AT_EMPTY_PATH,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLONE,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  O_DIRECTORY,
  O_PATH,
  PR_SET_DUMPABLE,
  PR_SET_PDEATHSIG,
  SIGKILL,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { openCgroup, type CgroupPlace } from "../mechanisms/cgroup2.ts";
import { setLimits } from "../mechanisms/rlimits.ts";
import { execute } from "../plan/execute.ts";
import { planCredentials, planExec } from "../plan/plan.ts";
import type { Process, Seccomp } from "../spec/spec.ts";
import { becomeTerminal, openMaster, openPeer } from "../mechanisms/terminal.ts";
import { endInFailure } from "./init.ts";
import { Parent, adopt } from "./parent.ts";
import { openProcess } from "./pidfd.ts";
import { becomeProcess, findProgram, withHome } from "./program.ts";
import { tell, waitForParent } from "./protocol.ts";
import { cgroupOf, statusOf, type Held, type State, type Status } from "./state.ts";

export interface ExecRequest {
  readonly process: Process;
  readonly seccomp: Seccomp | undefined;
  readonly filter: Uint8Array;
  readonly preserveFds: number;
  /** Whether it need not wait when it is ready: there is nobody to tell, and no terminal to take. */
  readonly atOnce: boolean;
  /** A cgroup below the container's, "/" for its own. */
  readonly cgroup: string;
}

export interface Executed {
  readonly pid: number;
  readonly pidfd: Fd;
  readonly channel: Fd;
  readonly terminal: Fd | undefined;
}

/**
 * Starts a process inside, ready to begin when the parent says so. The caller has no directory open: the child is in the
 * container's pid namespace at once, and a container with CAP_SYS_PTRACE could go through it to the host (CVE-2016-9962).
 * Throws a Failure.
 */
export function execIn(sys: Sys, state: State, target: Fd, request: ExecRequest): Executed {
  // The container may hold CAP_SYS_PTRACE: this process must not be looked into once it is inside (CVE-2016-9962).
  sys.prctl(PR_SET_DUMPABLE, 0, 0);
  const [ours, theirs] = sys.socketPair();
  using channel = ours;
  using their = theirs;
  const namespaces = joinAhead(sys, state, target);
  sys.phase("clone3");
  const { made, cgroup } = cloneInto(sys, state, request.cgroup);
  sys.phase(made.pid === 0 ? "join the namespaces" : "limits");
  if (made.pid === 0) {
    channel[Symbol.dispose]();
    cgroup?.[Symbol.dispose]();
    const keyring = state.newKeyring ? state.id : undefined;
    runInside(sys, { ...request, target, namespaces, channel: their, keyring });
  }
  their[Symbol.dispose]();
  const pidfd = made.pidfd[0] as Fd;
  try {
    adopt(sys, made.pid, request.process);
    const parent = new Parent(sys, channel, request.process.terminal ? ["terminal", "ready"] : ["ready"]);
    parent.goOn();
    // The end of a detached mount takes the kernel long, so it comes with this end of the two, which the child does not wait for.
    cgroup?.[Symbol.dispose]();
    if (request.atOnce) return { pid: made.pid, pidfd, channel: channel.take(), terminal: undefined };
    sys.phase("wait until it is ready");
    const terminal = request.process.terminal ? parent.expect("terminal") : undefined;
    if (terminal !== undefined) parent.goOn();
    parent.expect("ready");
    return { pid: made.pid, pidfd, channel: channel.take(), terminal };
  } catch (error) {
    sys.pidfdSendSignal(pidfd, SIGKILL);
    sys.wait(made.pid, true);
    throw error;
  }
}

/** Joins what the new process must be born in; gives the flags of the others. */
function joinAhead(sys: Sys, { namespaces }: State, target: Fd): number {
  let left = namespaces;
  if (sys.geteuid() !== 0) {
    becomeRootOf(sys, target);
    if (has(left, CLONE_NEWUSER)) left -= CLONE_NEWUSER;
  }
  if (!has(left, CLONE_NEWPID)) return left;
  attempt("join the container's pid namespace", () => sys.setns(target, CLONE_NEWPID));
  return left - CLONE_NEWPID;
}

function has(flags: number, flag: number): boolean {
  return Math.floor(flags / flag) % 2 === 1;
}

/**
 * A user without privileges has them in the user namespace that the container is in: the whole command goes there, with mounts of its
 * own, where its copy of the cgroup can be made. Before its execve init is not to be looked into: ptrace(2).
 */
function becomeRootOf(sys: Sys, target: Fd): void {
  try {
    sys.setns(target, CLONE_NEWUSER);
  } catch (error) {
    throw new Failure("cannot join the container's user namespace", error, "was it started?");
  }
  sys.setresgid(0);
  sys.setresuid(0);
  sys.unshare(CLONE_NEWNS);
}

/**
 * A pidfd of the container's init, which is the very process that the state names: it is asked for the status after it was
 * opened. Throws a Failure, with runc's words, where no process can be added.
 */
export function openRunning(sys: Sys, held: Held, ignorePaused: boolean): Fd {
  const { pid } = held.state;
  const init = openProcess(sys, pid);
  refuseStatus(init === undefined && pid !== 0 ? "stopped" : statusOf(sys, held), ignorePaused);
  if (init === undefined) throw new Failure("cannot exec in a stopped container");
  return init;
}

function refuseStatus(status: Status, ignorePaused: boolean): void {
  if (status === "stopped" || status === "creating") throw new Failure(`cannot exec in a ${status} container`);
  if (status === "paused" && !ignorePaused) {
    throw new Failure("cannot exec in a paused container (use --ignore-paused to override)");
  }
}

interface Cloned {
  readonly made: ReturnType<Sys["clone3"]>;
  /** Undefined where the container has none of its own. */
  readonly cgroup: Fd | undefined;
}

/** In the container's cgroup from the first moment; where it has distributed itself to children, in that of its init. */
function cloneInto(sys: Sys, state: State, below: string): Cloned {
  if (state.cgroup === undefined && below === "/") return { made: sys.clone3(0, []), cgroup: undefined };
  const { mount, path } = cgroupOf(state);
  const place: CgroupPlace = { mount, path: below === "/" ? path : `${path}${below}` };
  try {
    const cgroup = attempt(`open cgroup ${place.path}`, () => detachedCgroup(sys, place));
    return { made: sys.clone3(0, [cgroup]), cgroup };
  } catch (error) {
    if (!isErrno(error, "EBUSY", "EOPNOTSUPP") || below !== "/") throw error;
    const line = readFile(sys, null, `/proc/${state.pid}/cgroup`)
      .split("\n")
      .find((text) => text.startsWith("0::"));
    const cgroup = detachedCgroup(sys, { mount, path: line?.slice(3) ?? "/" });
    return { made: sys.clone3(0, [cgroup]), cgroup };
  }
}

/** A copy that is mounted nowhere and read-only: ".." leads to nothing. */
function detachedCgroup(sys: Sys, place: CgroupPlace): Fd {
  using opened = openCgroup(sys, place);
  const cgroup = sys.openTree(opened, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  sys.mountSetattr(cgroup, 0, MOUNT_ATTR_RDONLY, 0, 0);
  return cgroup;
}

interface Inside extends ExecRequest {
  readonly target: Fd;
  readonly namespaces: number;
  readonly channel: Fd;
  /** The container whose session keyring it joins. */
  readonly keyring: string | undefined;
}

function runInside(sys: Sys, inside: Inside): never {
  try {
    live(sys, inside);
  } catch (error) {
    endInFailure(sys, inside.channel, error);
  }
}

function live(
  sys: Sys,
  { process, seccomp, filter, channel, target, namespaces, keyring, preserveFds, atOnce }: Inside,
): never {
  sys.prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
  // What they do is the default since the parent's first moment.
  sys.unblockSignals();
  attempt("join the container's namespaces", () => sys.setns(target, namespaces | CLONE_NEWNS));
  if (has(namespaces, CLONE_NEWUSER)) {
    sys.setresgid(0);
    sys.setresuid(0);
  }
  sys.umask(0);
  const handOver = (master: Fd): void => {
    tell(sys, channel, "terminal", [master]);
    waitForParent(sys, channel);
  };
  const converse = { awaitParent: () => undefined, runHooks: () => undefined, handOver };
  sys.phase("wait for the limits");
  const early = planExec(keyring);
  waitForParent(sys, channel);
  const nothing = { place: undefined, root: undefined, proc: undefined, network: undefined, sources: new Map() };
  execute(early, { sys, ...nothing, filter, converse });
  if (process.terminal) takeTerminal(sys, process, handOver);
  const env = withHome(sys, process);
  setLimits(sys, process.rlimits);
  execute(planCredentials(process, seccomp), { sys, ...nothing, filter, converse });
  sys.phase("find the program");
  const program = findProgram(sys, process, env);
  tell(sys, channel, "ready");
  if (!atOnce) waitForParent(sys, channel);
  sys.phase("execve");
  sys.prctl(PR_SET_PDEATHSIG, 0, 0);
  return becomeProcess(sys, {
    process,
    program,
    env,
    filter,
    flags: seccomp?.flags ?? 0,
    report: channel,
    preserveFds,
  });
}

/** A terminal of the container's devpts. Its /dev/console stays that of init. */
function takeTerminal(sys: Sys, process: Process, handOver: (master: Fd) => void): void {
  using root = sys.openat(null, "/", O_PATH | O_DIRECTORY, 0);
  using master = openMaster(sys, root);
  using peer = openPeer(sys, master, { size: process.consoleSize, owner: process.user.uid });
  handOver(master);
  becomeTerminal(sys, peer);
}
