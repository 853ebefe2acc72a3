/** A created container begins. */
import { O_NONBLOCK, O_WRONLY } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { readFile, removeFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { parseSpec } from "../spec/parse.ts";
import type { Spec } from "../spec/spec.ts";
import { runHooks } from "./hooks.ts";
import { CONFIG_FILE, EXEC_FIFO } from "./paths.ts";
import { lockContainer, statusOf, type Held, type Status } from "./state.ts";

/** Why a container that is not created cannot be started: runc's words. */
const REFUSALS: Partial<Record<Status, string>> = {
  stopped: "cannot start a container that has stopped",
  running: "cannot start an already running container",
  paused: "cannot start a container in the paused state",
  creating: "cannot start a container in the creating state",
};

/** Lets init go on. Throws a Failure. */
export function startContainer(sys: Sys, root: string, id: string): void {
  using held = lockContainer(sys, root, id);
  const refusal = REFUSALS[statusOf(sys, held)];
  if (refusal !== undefined) throw new Failure(refusal);
  try {
    using fifo = sys.openat(held.directory, EXEC_FIFO, O_WRONLY | O_NONBLOCK, 0);
    sys.writeText(fifo, "0");
  } catch (error) {
    if (isErrno(error, "ENXIO")) throw new Failure("cannot start a container that has stopped");
    throw new Failure("cannot write to exec.fifo", error);
  }
  removeFile(sys, held.directory, EXEC_FIFO);
  if (held.state.hooks.poststart) runHooks(sys, specOf(sys, held).hooks.poststart, held.state, "running");
}

/** The container's config.json, as it was when it was created. */
export function specOf(sys: Sys, { directory, state }: Held): Spec {
  return parseSpec(readFile(sys, directory, CONFIG_FILE, 64 << 20), state.bundle);
}
