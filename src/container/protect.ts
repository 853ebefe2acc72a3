/**
 * The program's own file, out of a container's reach (CVE-2019-5736). A process that is seen from inside, as init is before
 * its execve, shows its executable at /proc/PID/exe, where it could be opened for writing once nobody runs it. So the
 * program runs itself again from a detached, read-only copy of the mount that its file is on: opening that fails with
 * EROFS, now and later, and no path leads to the mount.
 */
import { MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE, ST_RDONLY } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";

/** Says that the copy runs, and where the original is. */
const MARK = "_TSRUN_ORIGINAL=";

/** Returns in the protected process only: the unprotected one becomes it. Throws a Failure. */
export function protectOwnFile(sys: Sys, args: readonly string[], env: readonly string[]): void {
  if (isProtected(sys)) return;
  if (env.some((entry) => entry.startsWith(MARK))) {
    throw new Failure(
      `cannot protect the program's own file: the copy is not read-only (unset ${MARK.slice(0, -1)} if you set it)`,
    );
  }
  attempt("run from a read-only copy of the program's own file", () => {
    using copy = sys.openTree(null, "/proc/self/exe", OPEN_TREE_CLONE);
    sys.mountSetattr(copy, 0, MOUNT_ATTR_RDONLY, 0, 0);
    sys.execFile(copy, args, [...env, `${MARK}${originalPath(sys, [])}`]);
  });
}

/** The path of the program's file, from before it protected itself. */
export function originalPath(sys: Sys, env: readonly string[]): string {
  return env.find((entry) => entry.startsWith(MARK))?.slice(MARK.length) ?? sys.readlinkat(null, "/proc/self/exe");
}

/** Whether the executable is the root of a read-only mount that is attached nowhere: its path is "/" then. */
function isProtected(sys: Sys): boolean {
  if (sys.readlinkat(null, "/proc/self/exe") !== "/") return false;
  using executable = sys.openTree(null, "/proc/self/exe", 0);
  return Math.floor(sys.fstatfs(executable).flags / ST_RDONLY) % 2 === 1;
}
