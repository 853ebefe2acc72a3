/**
 * Paths below a container's root. Every one is resolved once, to a descriptor, by openat2(2) RESOLVE_IN_ROOT: absolute
 * links and ".." stay inside, magic links are refused (CVE-2021-30465, CVE-2019-18837).
 */
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_WRONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
} from "./constants.ts";
import { isErrno } from "./errno.ts";
import { statOf } from "./files.ts";
import type { Fd, Sys } from "./sys.ts";

const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

/** Opens `path` below `root`, following links inside it. `flags` without O_CLOEXEC. Throws a SysError. */
export function openIn(sys: Sys, root: Fd, path: string, flags: number): Fd {
  return sys.openat2(root, path, flags, 0, IN_ROOT);
}

/** As openIn with O_PATH; undefined where there is nothing. */
export function findIn(sys: Sys, root: Fd, path: string): Fd | undefined {
  try {
    return openIn(sys, root, path, O_PATH);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** The directory that `path` is in, and the last component of the path. */
export function splitPath(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf("/");
  return [slash <= 0 ? "/" : path.slice(0, slash), path.slice(slash + 1)];
}

/**
 * The directory `path` below `root`, made with 0755 where it is missing. A dangling link on the way is not followed to make
 * its target (CVE-2024-45310): it is an error. Throws a SysError.
 */
export function makeDirectoryIn(sys: Sys, root: Fd, path: string): Fd {
  try {
    return openIn(sys, root, path, O_PATH | O_DIRECTORY);
  } catch (error) {
    if (!isErrno(error, "ENOENT") || path === "/") throw error;
  }
  const [directory, name] = splitPath(path);
  using parent = makeDirectoryIn(sys, root, directory);
  try {
    sys.mkdirat(parent, name, 0o755);
  } catch (error) {
    // Somebody else made it meanwhile, or a dangling link is in its place: the open below tells.
    if (!isErrno(error, "EEXIST")) throw error;
  }
  return sys.openat2(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_NO_MAGICLINKS);
}

/** A handle on the file `path` below `root`; an empty one is made where nothing is. Throws a SysError. */
export function makeFileIn(sys: Sys, root: Fd, path: string): Fd {
  const found = findIn(sys, root, path);
  if (found !== undefined) return found;
  const [directory, name] = splitPath(path);
  using parent = makeDirectoryIn(sys, root, directory);
  {
    using _made = sys.openat2(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o755, RESOLVE_NO_MAGICLINKS);
  }
  return sys.openat2(parent, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_MAGICLINKS);
}

export function isDirectory(sys: Sys, fd: Fd): boolean {
  return (statOf(sys, fd).mode & S_IFMT) === S_IFDIR;
}

export function isSymlink(sys: Sys, fd: Fd): boolean {
  return (statOf(sys, fd).mode & S_IFMT) === S_IFLNK;
}
