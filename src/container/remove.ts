/** A container leaves: what `delete` and a failed create do. */
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { openDirectory } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";

/** A name that no container can have. */
const LEAVING = "~deleted";

/**
 * Removes an image container's own files and `ROOT/ID`, which is renamed first: from then on the container does not exist, and
 * what a crash leaves is swept by the next one. Throws a Failure.
 */
export function removeContainer(
  sys: Sys,
  root: string,
  id: string,
  { owned }: { readonly owned: string | undefined },
): void {
  try {
    if (owned !== undefined) {
      // Of a user without privileges: they may be of ids that are lent to it.
      if (sys.geteuid() !== 0) sys.load("rootless").becomeRootInside(sys);
      removeOwned(sys, owned);
    }
    using directory = openDirectory(sys, null, root);
    const leaving = `${id}${LEAVING}`;
    renameOver(sys, directory, id, leaving);
    sys.removeTree(directory, leaving);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw new Failure(`cannot remove ${root}/${id}`, error);
  }
}

/** A read-only file system says that it is one of what is not there too: the container could not be made. */
function removeOwned(sys: Sys, owned: string): void {
  try {
    sys.removeTree(null, owned);
  } catch (error) {
    if (!isErrno(error, "EROFS") || sys.statxIfAny(null, owned, 0) !== undefined) throw error;
  }
}

/** What was left of an earlier container of this id makes room. */
function renameOver(sys: Sys, directory: Fd, id: string, leaving: string): void {
  try {
    sys.renameat2(directory, id, directory, leaving, 0);
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
    sys.removeTree(directory, leaving);
    sys.renameat2(directory, id, directory, leaving, 0);
  }
}

/** Sweeps what a `delete` that was killed has left of a container that no longer exists. */
export function sweepLeaving(sys: Sys, root: string, id: string): void {
  sys.removeTree(null, `${root}/${id}${LEAVING}`);
}
