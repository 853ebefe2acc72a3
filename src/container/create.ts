/** A container comes into being: the parent's side, top to bottom. init.ts is the other. */
import { S_IFIFO, O_NONBLOCK, O_RDWR, SIGKILL, PR_SET_DUMPABLE } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { makeFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { timestamp } from "../sys/time.ts";
import type { Facts } from "../facts/facts.ts";
import { hasAllIds } from "../mechanisms/overlay.ts";
import { removeCgroup } from "../mechanisms/cgroup-removal.ts";
import { cgroupPathFor, type CgroupPlace } from "../mechanisms/cgroup2.ts";
import { writeIdMaps } from "../mechanisms/idmap.ts";
import { openSources } from "../mechanisms/sources.ts";
import { hasNew, namespaceFlags } from "../mechanisms/namespaces.ts";
import { execute } from "../plan/execute.ts";
import { hookStages, planBeside, planHost, planInit } from "../plan/plan.ts";
import type { Scene, Step } from "../plan/step.ts";
import type { Hook, Spec } from "../spec/spec.ts";
import { runHooks } from "./hooks.ts";
import { runInit, type Start } from "./init.ts";
import { cloneInit, type Child } from "./clone.ts";
import { openNamespaces } from "./join.ts";
import { writeFilter } from "./filter.ts";
import { CONFIG_FILE, EXEC_FIFO } from "./paths.ts";
import { adopt, Parent } from "./parent.ts";
import type { Request } from "./protocol.ts";
import { removeContainer } from "./remove.ts";
import { bootId, makeContainerDirectory, processStat, writeState, type State } from "./state.ts";

export interface CreateRequest {
  readonly root: string;
  readonly id: string;
  readonly spec: Spec;
  /** config.json as it was read, kept for exec and the hooks after create. */
  readonly config: string;
  readonly filter: Uint8Array;
  readonly facts: Facts;
  /** Gives the network namespace that was begun, if one was. */
  readonly network: () => Fd | undefined;
  readonly pivot: boolean;
  readonly newKeyring: boolean;
  readonly preserveFds: number;
  /** Who starts it: another command through exec.fifo, this one, or nobody, because it need not wait at all. */
  readonly start: Start["by"];
  /** The directory of an image container's own files. */
  readonly owned: string | undefined;
  /** Makes those files: once the state names them. */
  readonly makeOwned: () => void;
}

/** A container whose init waits to be started. */
export interface Created {
  readonly state: State;
  readonly pidfd: Fd;
  readonly channel: Fd;
  /** The terminal's other side, where process.terminal asks for one. */
  readonly terminal: Fd | undefined;
}

/**
 * Creates the container: state before effects, so that `delete --force` cleans up whenever this process dies. On failure
 * nothing is left. Throws a Failure.
 */
export function createContainer(sys: Sys, request: CreateRequest): Created {
  const { spec, facts, id } = request;
  const cgroup: CgroupPlace = { mount: facts.cgroupMount, path: cgroupPathFor(spec, facts, id) };
  if (spec.seccomp !== undefined && request.filter.length === 0) throw new Failure("the seccomp filter is empty");
  sys.phase("plan");
  const host = [...planHost(spec, facts, cgroup.path)];
  const beside = [...planBeside(spec, facts, cgroup.path)];
  const init = planInitIn(request, cgroup.path);
  sys.phase("write the intent");
  const directory = makeContainerDirectory(sys, request.root, id);
  const intent = intentOf(sys, request, cgroup);
  let made = false;
  const told: Told = { hooks: undefined };
  try {
    writeState(sys, directory, intent);
    request.makeOwned();
    made = makeCgroup(sys, spec, host.slice(0, 1));
    if (!made) {
      const steps = planInitIn(request, facts.ownCgroup);
      return makeInit(sys, request, { directory, intent: { ...intent, cgroup: undefined }, beside: [], steps, told });
    }
    execute(host.slice(1), hostScene(sys));
    return makeInit(sys, request, { directory, intent, beside, steps: init, told });
  } catch (error) {
    // A cgroup that was refused is somebody else's: it stays.
    if (made) attemptQuietly(() => removeCgroup(sys, cgroup, true));
    const { hooks } = told;
    if (hooks !== undefined) attemptQuietly(() => runHooks(sys, spec.hooks.poststop, hooks, "stopped"));
    attemptQuietly(() => removeContainer(sys, request.root, id, { owned: request.owned }));
    throw error;
  } finally {
    directory[Symbol.dispose]();
  }
}

function planInitIn({ spec, facts, id, newKeyring, pivot }: CreateRequest, cgroup: string): Step[] {
  return [...planInit(spec, facts, { id, newKeyring, pivot, cgroup })];
}

/**
 * Whether there is a cgroup for the container. As runc: where none is delegated to a user without privileges, it stays in the
 * caller's, unless something is wanted of its own. cgroups(7), "Cgroups delegation". Throws a Failure.
 */
function makeCgroup(sys: Sys, { cgroup }: Spec, steps: readonly Step[]): boolean {
  try {
    execute(steps, hostScene(sys));
    return true;
  } catch (error) {
    const { cause } = error as Failure;
    if (!isErrno(cause, "EACCES", "EPERM", "EROFS") || hasAllIds(sys)) throw error;
    if (cgroup.path === undefined && cgroup.settings.length === 0) return false;
    throw new Failure(
      "cannot limit the container or place it in a cgroup",
      cause,
      "none is delegated to this user: cgroups(7)",
    );
  }
}

function attemptQuietly(act: () => void): void {
  try {
    act();
  } catch {
    // The first failure is the one to tell of; `delete --force` does the rest.
  }
}

function hostScene(sys: Sys): Scene {
  return {
    sys,
    place: undefined,
    root: undefined,
    proc: undefined,
    network: undefined,
    sources: new Map(),
    filter: new Uint8Array(),
    converse: { awaitParent: nobodyTalks, runHooks: nobodyTalks, handOver: nobodyTalks },
  };
}

function nobodyTalks(): never {
  throw new Error("the host's plan has no conversation");
}

function intentOf(sys: Sys, request: CreateRequest, cgroup: CgroupPlace): State {
  const { spec } = request;
  return {
    version: 1,
    id: request.id,
    bundle: spec.bundle,
    rootfs: spec.root.path,
    ociVersion: spec.ociVersion,
    created: timestamp(sys, true),
    annotations: spec.annotations,
    cgroup,
    boot: bootId(sys),
    pid: 0,
    startTime: "0",
    hooks: { poststart: spec.hooks.poststart.length > 0, poststop: spec.hooks.poststop.length > 0 },
    sharesPids: !spec.namespaces.some((namespace) => namespace.type === "pid" && namespace.path === undefined),
    namespaces: namespaceFlags(spec),
    newKeyring: request.newKeyring,
    owned: request.owned,
  };
}

/** Whether hooks were told of the container: then those of its end are told too. runtime#runtimeLifecycle. */
interface Told {
  hooks: State | undefined;
}

interface Prepared {
  readonly directory: Fd;
  readonly intent: State;
  /** Steps of the host while init begins, and those of init. */
  readonly beside: readonly Step[];
  readonly steps: readonly Step[];
  readonly told: Told;
}

function makeInit(sys: Sys, request: CreateRequest, prepared: Prepared): Created {
  const { spec } = request;
  // A neighbour in a joined namespace must not look into init, nor into its environment, which is the caller's
  // (CVE-2016-9962): only execve makes it dumpable again.
  sys.prctl(PR_SET_DUMPABLE, 0, 0);
  sys.phase("open sources");
  const sources = openSources(sys, prepared.steps, spec);
  using joined = openNamespaces(sys, spec);
  using fifo = request.start === "fifo" ? makeFifo(sys, prepared.directory) : undefined;
  const [ours, theirs] = sys.socketPair();
  using channel = ours;
  using their = theirs;
  using network = request.network();
  const joinable = isJoinable(sys, request);
  sys.phase("clone3");
  const child = cloneInit(sys, { spec, joined, cgroup: prepared.intent.cgroup, channel, theirs: their });
  sys.phase(child.pid === 0 ? "become init" : "know init");
  if (child.pid === 0) {
    channel[Symbol.dispose]();
    // The lock is the parent's: both sides of a fork share it, and init lives on.
    prepared.directory[Symbol.dispose]();
    const { filter, preserveFds } = request;
    const start: Start = request.start === "fifo" ? { by: "fifo", fifo: fifo as Fd } : { by: request.start };
    runInit(sys, {
      spec,
      steps: prepared.steps,
      sources,
      network,
      joined,
      filter,
      channel: their,
      start,
      preserveFds,
      exposed: request.facts.euid !== 0,
      joinable,
      hookState: prepared.intent,
    });
  }
  their[Symbol.dispose]();
  for (const source of sources.values()) source[Symbol.dispose]();
  try {
    return superviseInit(sys, request, { ...prepared, channel: channel.take(), child });
  } catch (error) {
    attemptQuietly(() => sys.pidfdSendSignal(child.pidfd, SIGKILL));
    attemptQuietly(() => sys.wait(child.pid, true));
    throw error;
  }
}

/** As with runc, a user without privileges may exec in what was created; but no neighbour in its pid namespace may look into init. */
function isJoinable(sys: Sys, { start, spec, facts, owned }: CreateRequest): boolean {
  if (start !== "fifo" || !hasNew(spec, "pid")) return false;
  return facts.euid !== 0 || (owned !== undefined && !hasAllIds(sys));
}

function makeFifo(sys: Sys, directory: Fd): Fd {
  sys.mknodat(directory, EXEC_FIFO, S_IFIFO + 0o622, 0, 0);
  // Read and write: opening does not wait, and a read waits for `start` and not for somebody to open it.
  return sys.openat(directory, EXEC_FIFO, O_RDWR | O_NONBLOCK, 0);
}

interface Supervised extends Prepared {
  readonly channel: Fd;
  readonly child: Child;
}

/** Answers init until it is ready. */
function superviseInit(sys: Sys, request: CreateRequest, supervised: Supervised): Created {
  const { directory, intent, channel, child, told } = supervised;
  const { spec } = request;
  const state: State = { ...intent, pid: child.pid, startTime: processStat(sys, child.pid)?.startTime ?? "0" };
  const parent = new Parent(sys, channel, expectedOf(spec));
  if (spec.userNamespace !== undefined) {
    parent.expect("idMaps");
    writeIdMaps(sys, child.pid, spec.userNamespace);
    parent.goOn();
  }
  sys.phase("keep config.json");
  keepFiles(sys, request, directory);
  execute(supervised.beside, hostScene(sys));
  sys.phase("write the state");
  writeState(sys, directory, state);
  adopt(sys, child.pid, spec.process);
  told.hooks = state;
  parent.goOn();
  if (request.start === "nobody") return { state, pidfd: child.pidfd, channel, terminal: undefined };
  if (hookStages(spec).length > 0) {
    parent.expect("hooks");
    runCreateHooks(sys, spec, state);
    parent.goOn();
  }
  sys.phase("wait until init is ready");
  const terminal = spec.process.terminal ? parent.expect("terminal") : undefined;
  if (terminal !== undefined) parent.goOn();
  parent.expect("ready");
  return { state, pidfd: child.pidfd, channel, terminal };
}

/** What start, exec and delete will read: what is changed in the bundle later does not affect the container. */
function keepFiles(sys: Sys, { spec, config, filter }: CreateRequest, directory: Fd): void {
  makeFile(sys, directory, CONFIG_FILE, config, 0o600);
  if (spec.seccomp !== undefined) writeFilter(sys, directory, { flags: spec.seccomp.flags, program: filter });
}

function expectedOf(spec: Spec): Request[] {
  const expected: Request[] = spec.userNamespace === undefined ? [] : ["idMaps"];
  if (hookStages(spec).length > 0) expected.push("hooks");
  if (spec.process.terminal) expected.push("terminal");
  return [...expected, "ready"];
}

function runCreateHooks(sys: Sys, spec: Spec, state: State): void {
  const hooks: readonly Hook[] = [...spec.hooks.prestart, ...spec.hooks.createRuntime];
  if (hooks.length > 0) runHooks(sys, hooks, state, "creating");
}
