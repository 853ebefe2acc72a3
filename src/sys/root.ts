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
  RESOLVE_BENEATH,
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
/** For a single name: ".." is refused. */
const HERE = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;

/** Opens `path` below `root`, following links inside it. `flags` without O_CLOEXEC. Throws a SysError. */
export function openIn(sys: Sys, root: Fd, path: string, flags: number): Fd {
  return sys.openat2(root, path, flags, 0, IN_ROOT);
}

/** As openIn with O_PATH; undefined where there is nothing. */
export function findIn(sys: Sys, root: Fd, path: string): Fd | undefined {
  return sys.openat2IfAny(root, path, O_PATH, IN_ROOT);
}

/** The directory that `path` is in, and the last component of the path. */
export function splitPath(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf("/");
  return [slash <= 0 ? "/" : path.slice(0, slash), path.slice(slash + 1)];
}

/** More links on the way to one place are a loop: path_resolution(7). */
const LINKS = 40;

/**
 * The directory `path` below `root`, made with 0755 where it is missing. What is made is made by name in a directory that
 * is open, never through a link (CVE-2024-45310); a link whose target is missing is read, and its target made inside the
 * root. Throws a SysError.
 */
export function makeDirectoryIn(sys: Sys, root: Fd, path: string, links = LINKS): Fd {
  const found = sys.openat2IfAny(root, path, O_PATH, IN_ROOT);
  if (found !== undefined) return asDirectory(sys, found);
  const [directory, name] = splitPath(path);
  using parent = makeDirectoryIn(sys, root, directory, links);
  try {
    sys.mkdirat(parent, name, 0o755);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    const target = linkAt(sys, parent, name);
    if (target !== undefined) return makeDirectoryIn(sys, root, follow(directory, target, links), links - 1);
  }
  return sys.openat2(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, HERE);
}

function asDirectory(sys: Sys, found: Fd): Fd {
  if (isDirectory(sys, found)) return found;
  found[Symbol.dispose]();
  throw new Error("not a directory");
}

/** The path that a link in `directory` leads to, by its text: it begins at the root and has no "..". */
function follow(directory: string, target: string, links: number): string {
  if (links === 0) throw new Error("too many symbolic links");
  const parts: string[] = [];
  for (const part of (target.startsWith("/") ? target : `${directory}/${target}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** What the symbolic link `name` says; undefined where it is none. */
function linkAt(sys: Sys, directory: Fd, name: string): string | undefined {
  try {
    return sys.readlinkat(directory, name);
  } catch (error) {
    if (isErrno(error, "EINVAL", "ENOENT")) return undefined;
    throw error;
  }
}

/**
 * A handle on the file `path` below `root`; an empty one is made where nothing is, as makeDirectoryIn makes directories: where
 * a link's target is missing (/etc/resolv.conf of systemd's images), inside the root. Throws a SysError.
 */
export function makeFileIn(sys: Sys, root: Fd, path: string, links = LINKS): Fd {
  const found = findIn(sys, root, path);
  if (found !== undefined) return found;
  const [directory, name] = splitPath(path);
  using parent = makeDirectoryIn(sys, root, directory);
  try {
    using _made = sys.openat2(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o755, HERE);
  } catch (error) {
    const target = isErrno(error, "EEXIST") ? linkAt(sys, parent, name) : undefined;
    if (target === undefined) throw error;
    return makeFileIn(sys, root, follow(directory, target, links), links - 1);
  }
  return sys.openat2(parent, name, O_PATH | O_NOFOLLOW, 0, HERE);
}

export function isDirectory(sys: Sys, fd: Fd): boolean {
  return (statOf(sys, fd).mode & S_IFMT) === S_IFDIR;
}

export function isSymlink(sys: Sys, fd: Fd): boolean {
  return (statOf(sys, fd).mode & S_IFMT) === S_IFLNK;
}
