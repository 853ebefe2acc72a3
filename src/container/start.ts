/** A created container begins. */
import { O_NONBLOCK, O_RDONLY, O_WRONLY, POLLERR } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { parseSpec } from "../spec/parse.ts";
import { parseProcessFile } from "../spec/parse-process.ts";
import type { Process, Spec } from "../spec/spec.ts";
import { runHooks } from "./hooks.ts";
import { CONFIG_FILE, EXEC_FIFO } from "./paths.ts";
import { failureIn } from "./protocol.ts";
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
  using fifo = openFifo(sys, held);
  sys.writeText(fifo, "0");
  sys.unlinkIfAny(held.directory, EXEC_FIFO, 0);
  waitForBegin(sys, fifo);
  if (held.state.hooks.poststart) runHooks(sys, specOf(sys, held).hooks.poststart, held.state, "running");
}

/** Init reads from it as long as it waits; without a reader it has ended. */
function openFifo(sys: Sys, { directory }: Held): Fd {
  try {
    return sys.openat(directory, EXEC_FIFO, O_WRONLY | O_NONBLOCK, 0);
  } catch (error) {
    if (isErrno(error, "ENXIO")) throw new Failure("cannot start a container that has stopped");
    throw new Failure("cannot open exec.fifo", error);
  }
}

/**
 * The last reader of the fifo goes with init's execve, or with its end; what it failed at (a startContainer hook, execve) is
 * in the fifo then, which lives as long as this end is open. fifo(7), pipe(7).
 */
function waitForBegin(sys: Sys, fifo: Fd): void {
  for (let events = 0; (events & POLLERR) === 0;) [events = 0] = sys.poll([fifo], [0], -1);
  using left = sys.openat(null, `/proc/self/fd/${fifo.number}`, O_RDONLY | O_NONBLOCK, 0);
  try {
    const text = failureIn(sys.readText(left, 8192));
    if (text !== undefined) throw new Failure(text);
  } catch (error) {
    if (!isErrno(error, "EAGAIN")) throw error; // Nothing was written.
  }
}

/** The container's config.json, as it was when it was created. */
export function specOf(sys: Sys, { directory, state }: Held): Spec {
  return parseSpec(readFile(sys, directory, CONFIG_FILE, 64 << 20), state.bundle);
}

/** Its process alone: exec needs no more, and the rest was found right when the container was created. */
export function processOf(sys: Sys, { directory, state }: Held): Process {
  const text = readFile(sys, directory, CONFIG_FILE, 64 << 20);
  const process = sys.findInJson(text, ["process"]);
  return process === undefined ? parseSpec(text, state.bundle).process : parseProcessFile(process);
}
