/** A container is deleted, whatever state it was left in. */
import { SIGKILL } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { removeCgroup } from "../mechanisms/cgroup-removal.ts";
import { openCgroup, readCgroup, type CgroupPlace } from "../mechanisms/cgroup2.ts";
import { ownCgroup, unifiedMount } from "../facts/probe.ts";
import { runHooks } from "./hooks.ts";
import { openInit, signalProcess, waitForEnd } from "./pidfd.ts";
import { removeContainer, sweepLeaving } from "./remove.ts";
import { specOf } from "./start.ts";
import { lockDirectory, readState, statusOf, type Held, type State } from "./state.ts";

/**
 * Deletes a stopped container, one that was created and not started, or with `force` any. A missing one is fine with `force`.
 * With `only` another container that has got the same id meanwhile is left alone. Throws a Failure.
 */
export function deleteContainer(sys: Sys, root: string, id: string, { force, only }: Deletion): void {
  const locked = lockIfAny(sys, root, id, force);
  if (locked === undefined) return sweepLeaving(sys, root, id);
  using directory = locked;
  const state = stateIfSound(sys, directory, id, force);
  if (state === undefined) return deleteWithoutState(sys, root, id);
  if (only !== undefined && (state.pid !== only.pid || state.created !== only.created)) return;
  const held: Held = { directory, path: `${root}/${id}`, state, [Symbol.dispose]: () => undefined };
  if (!force) refuseLiving(sys, held);
  // Where there was no init yet, no hook was told of it either, and config.json may not be there.
  const hooks = state.hooks.poststop && state.pid !== 0 ? specOf(sys, held).hooks.poststop : [];
  endContainer(sys, held);
  removeContainer(sys, root, id, { owned: state.owned });
  try {
    runHooks(sys, hooks, state, "stopped");
  } catch {
    // runtime#runtimeLifecycle: a failing poststop hook is at most a warning, the container is deleted all the same.
  }
}

function refuseLiving(sys: Sys, held: Held): void {
  const status = statusOf(sys, held);
  if (status === "stopped" || status === "created") return;
  throw new Failure(`cannot delete container ${held.state.id} that is not stopped: ${status}`);
}

function endContainer(sys: Sys, held: Held): void {
  const { state } = held;
  endInit(sys, state);
  if (state.cgroup === undefined) return;
  if (state.pid === 0) leaveCgroup(sys, state.cgroup);
  else removeCgroup(sys, state.cgroup, true);
}

export interface Deletion {
  readonly force: boolean;
  readonly only?: Pick<State, "pid" | "created">;
}

function lockIfAny(sys: Sys, root: string, id: string, force: boolean): Fd | undefined {
  try {
    return lockDirectory(sys, root, id);
  } catch (error) {
    if (force && isMissing(error)) return undefined;
    throw error;
  }
}

/** Undefined where it is missing or damaged and that is to be mended. */
function stateIfSound(sys: Sys, directory: Fd, id: string, force: boolean): State | undefined {
  try {
    return readState(sys, directory, id);
  } catch (error) {
    if (force && error instanceof Failure) return undefined;
    throw error;
  }
}

/**
 * A create that died before it had written init's pid may not have got as far as its cgroup, which may be another
 * container's: nothing in it is killed. An init of its own died with its parent.
 */
function leaveCgroup(sys: Sys, place: CgroupPlace): void {
  for (let waited = 0; waited < 1000 && isPopulated(sys, place); waited += 20) sys.sleep(20);
  if (!isPopulated(sys, place)) removeCgroup(sys, place, false);
}

function isPopulated(sys: Sys, place: CgroupPlace): boolean {
  try {
    using cgroup = openCgroup(sys, place);
    return readCgroup(sys, cgroup, "cgroup.events").includes("populated 1");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENAMETOOLONG")) return false;
    throw error;
  }
}

/** How long a process that was killed may take to end, in milliseconds: it writes its memory to a core file, say. */
const PATIENCE = 10_000;

function endInit(sys: Sys, state: State): void {
  using pidfd = openInit(sys, state);
  if (pidfd === undefined || !signalProcess(sys, pidfd, SIGKILL) || waitForEnd(sys, pidfd, PATIENCE)) return;
  throw new Failure(`process ${state.pid} does not end after SIGKILL (it waits in the kernel?)`);
}

/**
 * No state, or a damaged one: nothing in it is believed. The cgroup that a container of this id has by default is emptied and
 * removed, then the directory.
 */
function deleteWithoutState(sys: Sys, root: string, id: string): void {
  const own = ownCgroup(sys);
  const place: CgroupPlace = { mount: unifiedMount(sys), path: `${own.slice(0, own.lastIndexOf("/"))}/${id}` };
  removeCgroup(sys, place, true);
  removeContainer(sys, root, id, { owned: undefined });
}

function isMissing(error: unknown): boolean {
  return (error instanceof Failure && error.message === "container does not exist") || isErrno(error, "ENOENT");
}
