/** A container is deleted, whatever state it was left in. */
import { SIGKILL } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { removeCgroup, type CgroupPlace } from "../mechanisms/cgroup2.ts";
import { ownCgroup, unifiedMount } from "../facts/probe.ts";
import { runHooks } from "./hooks.ts";
import { signalInit } from "./kill.ts";
import { removeContainer, sweepLeaving } from "./remove.ts";
import { specOf } from "./start.ts";
import { isAlive, lock, lockContainer, openContainerDirectory, statusOf, type Held } from "./state.ts";

/**
 * Deletes a stopped container, one that was created and not started, or with `force` any. A missing one is fine with `force`.
 * Throws a Failure.
 */
export function deleteContainer(sys: Sys, root: string, id: string, force: boolean): void {
  let held: Held;
  try {
    held = lockContainer(sys, root, id);
  } catch (error) {
    if (force) return deleteDamaged(sys, root, id, error);
    throw error;
  }
  using container = held;
  const status = statusOf(sys, container);
  if (!force && (status === "running" || status === "paused" || status === "creating")) {
    throw new Failure(`cannot delete container ${id} that is not stopped: ${status}`);
  }
  const { state } = container;
  const hooks = state.hooks.poststop ? specOf(sys, container).hooks.poststop : [];
  if (signalInit(sys, state, SIGKILL)) waitForEnd(sys, container);
  removeCgroup(sys, state.cgroup, true);
  removeContainer(sys, root, id, { owned: state.owned });
  try {
    runHooks(sys, hooks, state, "stopped");
  } catch {
    // runtime#runtimeLifecycle: a failing poststop hook is at most a warning, the container is deleted all the same.
  }
}

/** A process that was killed is gone when its parent has reaped it, or is a zombie until then. */
function waitForEnd(sys: Sys, { state }: Held): void {
  for (let pause = 1, waited = 0; isAlive(sys, state); pause = Math.min(pause * 2, 100)) {
    if (waited > 10_000) throw new Failure(`process ${state.pid} does not end after SIGKILL (it waits in the kernel?)`);
    sys.sleep(pause);
    waited += pause;
  }
}

/**
 * No state, or a damaged one: nothing in it is believed. The cgroup that a container of this id has by default is emptied and
 * removed, then the directory.
 */
function deleteDamaged(sys: Sys, root: string, id: string, why: unknown): void {
  let directory: Fd;
  try {
    directory = openContainerDirectory(sys, root, id);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return sweepLeaving(sys, root, id);
  }
  using opened = directory;
  lock(sys, opened);
  if (!isMissing(why) && !(why instanceof Failure)) throw why;
  const own = ownCgroup(sys);
  const place: CgroupPlace = { mount: unifiedMount(sys), path: `${own.slice(0, own.lastIndexOf("/"))}/${id}` };
  removeCgroup(sys, place, true);
  removeContainer(sys, root, id, { owned: undefined });
}

function isMissing(error: unknown): boolean {
  return (error instanceof Failure && error.message === "container does not exist") || isErrno(error, "ENOENT");
}
