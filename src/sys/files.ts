/** Whole files, in one call each. */
import {
  AT_EMPTY_PATH,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from "./constants.ts";
import { isErrno } from "./errno.ts";
import type { Fd, Sys } from "./sys.ts";

/** The text of a file below `dir` (null: `path` is absolute), at most `limit` bytes of it. Throws a SysError. */
export function readFile(sys: Sys, dir: Fd | null, path: string, limit = 1 << 20): string {
  using file = sys.openat(dir, path, O_RDONLY, 0);
  return sys.readText(file, limit);
}

/** As readFile; undefined where there is no such file. */
export function readFileIfAny(sys: Sys, dir: Fd | null, path: string, limit = 1 << 20): string | undefined {
  const found = sys.openIfAny(dir, path, O_RDONLY);
  if (found === undefined) return undefined;
  using file = found;
  return sys.readText(file, limit);
}

/** A directory, as the base of other paths. Throws a SysError. */
export function openDirectory(sys: Sys, dir: Fd | null, path: string): Fd {
  return sys.openat(dir, path, O_RDONLY | O_DIRECTORY, 0);
}

/**
 * Writes `name` in `dir` so that a reader or a power cut sees the old file or the whole new one: a new file beside it,
 * fsync, rename, fsync of the directory. Throws a SysError.
 */
// oxlint-disable-next-line max-params -- as openat(2) and write(2) have them
export function replaceFile(sys: Sys, dir: Fd, name: string, content: string | Uint8Array, mode: number): void {
  // Of this process alone: another one may be replacing the same file.
  const temporary = `.${name}.${sys.getpid()}`;
  try {
    write(sys, sys.openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode), content);
    sys.renameat2(dir, temporary, dir, name, 0);
  } catch (error) {
    sys.unlinkIfAny(dir, temporary, 0); // On a full disk it would stay, and take from what there is.
    throw error;
  }
  sys.fsync(dir);
}

/** Writes a file `name` that is not there yet, and that nobody reads before this returns. Throws a SysError. */
// oxlint-disable-next-line max-params -- as openat(2) and write(2) have them
export function makeFile(sys: Sys, dir: Fd, name: string, content: string | Uint8Array, mode: number): void {
  write(sys, sys.openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode), content);
}

/** All of the file, down to the disk. */
function write(sys: Sys, opened: Fd, content: string | Uint8Array): void {
  using file = opened;
  if (typeof content === "string") sys.writeText(file, content);
  else sys.writeBytes(file, content);
  sys.fsync(file);
}

/** mkdir -p of an absolute host path; what is made gets `mode`. */
export function makeDirectories(sys: Sys, path: string, mode: number): void {
  try {
    sys.mkdirIfNone(null, path, mode);
  } catch (error) {
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (!isErrno(error, "ENOENT") || parent === "") throw error;
    makeDirectories(sys, parent, mode);
    // Once: procfs says ENOENT where nothing may be made, whatever lies above.
    sys.mkdirIfNone(null, path, mode);
  }
}

/** A new directory with this mode, whatever the umask is. */
export function makeDirectory(sys: Sys, parent: Fd | null, name: string, mode: number): Fd {
  sys.mkdirat(parent, name, mode);
  const made = openDirectory(sys, parent, name);
  sys.fchmod(made, mode);
  return made;
}

/** statx of an open descriptor. */
export function statOf(sys: Sys, fd: Fd): ReturnType<Sys["statx"]> {
  return sys.statx(fd, "", AT_EMPTY_PATH);
}

/** A handle on a directory that may be used as a base and as nothing else. */
export function openPath(sys: Sys, path: string): Fd {
  return sys.openat(null, path, O_PATH | O_DIRECTORY, 0);
}
