/** Another process in a container that runs: both sides, top to bottom. */
import {
  AT_EMPTY_PATH,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLONE,
  CLONE_NEWNS,
  CLONE_NEWPID,
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
import { execute } from "../plan/execute.ts";
import { planExec } from "../plan/plan.ts";
import type { Process, Seccomp } from "../spec/spec.ts";
import { becomeTerminal, openMaster, openPeer } from "../mechanisms/terminal.ts";
import { endInFailure } from "./init.ts";
import { Parent, adopt } from "./parent.ts";
import { becomeProcess, findProgram, withHome } from "./program.ts";
import { tell, waitForParent } from "./protocol.ts";
import { statusOf, type Held, type State, type Status } from "./state.ts";

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
  const pidFlag = Math.floor(state.namespaces / CLONE_NEWPID) % 2 === 1 ? CLONE_NEWPID : 0;
  if (pidFlag !== 0) attempt("join the container's pid namespace", () => sys.setns(target, pidFlag));
  sys.phase("clone3");
  const { made, cgroup } = cloneInto(sys, state, request.cgroup);
  sys.phase(made.pid === 0 ? "join the namespaces" : "limits");
  if (made.pid === 0) {
    channel[Symbol.dispose]();
    cgroup[Symbol.dispose]();
    const keyring = state.newKeyring ? state.id : undefined;
    runInside(sys, { ...request, target, namespaces: state.namespaces - pidFlag, channel: their, keyring });
  }
  their[Symbol.dispose]();
  const pidfd = made.pidfd[0] as Fd;
  try {
    // As long as it is root: prlimit(2) on another user's process needs CAP_SYS_RESOURCE.
    adopt(sys, made.pid, request.process);
    const parent = new Parent(sys, channel, request.process.terminal ? ["terminal", "ready"] : ["ready"]);
    parent.goOn();
    // The end of a detached mount takes the kernel long, so it comes with this end of the two, which the child does not wait for.
    cgroup[Symbol.dispose]();
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

/**
 * A pidfd of the container's init, which is the very process that the state names: it is asked for the status after it was
 * opened. Throws a Failure, with runc's words, where no process can be added.
 */
export function openInit(sys: Sys, held: Held, ignorePaused: boolean): Fd {
  const { pid } = held.state;
  let init: Fd | undefined;
  try {
    init = pid === 0 ? undefined : sys.pidfdOpen(pid);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw new Failure(`cannot open process ${pid}`, error);
  }
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
  readonly cgroup: Fd;
}

/** In the container's cgroup from the first moment; where it has distributed itself to children, in that of its init. */
function cloneInto(sys: Sys, state: State, below: string): Cloned {
  const place: CgroupPlace = {
    mount: state.cgroup.mount,
    path: below === "/" ? state.cgroup.path : `${state.cgroup.path}${below}`,
  };
  try {
    const cgroup = attempt(`open cgroup ${place.path}`, () => detachedCgroup(sys, place));
    return { made: sys.clone3(0, [cgroup]), cgroup };
  } catch (error) {
    if (!isErrno(error, "EBUSY", "EOPNOTSUPP") || below !== "/") throw error;
    const line = readFile(sys, null, `/proc/${state.pid}/cgroup`)
      .split("\n")
      .find((text) => text.startsWith("0::"));
    const cgroup = detachedCgroup(sys, { mount: state.cgroup.mount, path: line?.slice(3) ?? "/" });
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
  if (namespaces % 0x20000000 >= 0x10000000) {
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
  const steps = planExec(process, seccomp, keyring);
  const { early, late } = steps;
  waitForParent(sys, channel);
  const nothing = { place: undefined, root: undefined, proc: undefined, network: undefined, sources: new Map() };
  execute(early, { sys, ...nothing, filter, converse });
  if (process.terminal) takeTerminal(sys, process, handOver);
  execute(late, { sys, ...nothing, filter, converse });
  sys.phase("find the program");
  const env = withHome(sys, process);
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
