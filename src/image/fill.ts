/** A volume that is empty begins with what the image has in its place, as in docker: files, owners, modes, attributes, links. */
import { AT_EMPTY_PATH, LOCK_EX, O_DIRECTORY, O_RDONLY } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { openDirectory, statOf } from "../sys/files.ts";
import { openIn } from "../sys/root.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { basename, dirname } from "../spec/paths.ts";
import { writeFile } from "./containers.ts";
import type { UsedVolume } from "./mounts.ts";
import { passedPath, Worker } from "./worker.ts";

/** Beside the files of a volume as long as they are being filled in: whoever finds it and has the lock begins anew. */
const UNFINISHED = "filling";

/**
 * Fills the volume, if it is empty and is to be filled, from the image that `view` shows: whole or, where it was killed, anew.
 * Two containers that begin at once do not both. Throws a Failure.
 */
export function fillVolume(
  sys: Sys,
  env: readonly string[],
  view: Fd,
  { destination, source, copy }: UsedVolume,
): void {
  using folder = openDirectory(sys, null, dirname(source));
  using data = openDirectory(sys, null, source);
  sys.flock(data, LOCK_EX);
  const mark = `${basename(source)}.${UNFINISHED}`;
  if (sys.statxIfAny(folder, mark, 0) !== undefined) {
    for (const name of sys.readDirectory(data)) sys.removeTree(data, name);
    sys.unlinkat(folder, mark, 0);
  }
  using model = copy ? directoryIn(sys, view, destination) : undefined;
  if (model === undefined || sys.readDirectory(data).length > 0) return;
  if (sys.readDirectory(model).length === 0) return looksLike(sys, data, model);
  try {
    writeFile(sys, folder, mark, { text: "", mode: 0o600 });
    using worker = new Worker(sys, env, [model, data]);
    worker.ask("copy", { from: passedPath(0), to: passedPath(1) });
    sys.unlinkat(folder, mark, 0);
  } catch (cause) {
    const hint = `mount something there to go without, as in --tmpfs ${destination}`;
    throw new Failure(`cannot copy what the image has in its volume ${destination}`, cause, hint);
  }
}

function looksLike(sys: Sys, directory: Fd, model: Fd): void {
  const { mode, uid, gid } = statOf(sys, model);
  sys.fchownat(directory, "", uid, gid, AT_EMPTY_PATH);
  sys.fchmod(directory, mode & 0o7777);
}

/** Links of the image lead nowhere but into the image. */
function directoryIn(sys: Sys, view: Fd, path: string): Fd | undefined {
  try {
    return openIn(sys, view, path, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    if (isErrno(error, "ENOTDIR"))
      throw new Failure(`cannot mount a volume on ${path}: what the image has there is not a directory`);
    throw error;
  }
}
