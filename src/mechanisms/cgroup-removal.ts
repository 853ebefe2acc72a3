/** What is in a cgroup and below it, and its end: cgroups(7), Documentation/admin-guide/cgroup-v2.rst. */
import { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, O_DIRECTORY, O_RDONLY, S_IFDIR, S_IFMT } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { readFileIfAny } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { openCgroup, readCgroup, STRICT, writeCgroupFile, type CgroupPlace } from "./cgroup2.ts";

/** What is done on a walk through a cgroup and those below it. */
interface Visitor {
  /** In each cgroup, before its children. */
  readonly enter?: (cgroup: Fd) => void;
  /** After the child `name` and all below it. */
  readonly leave?: (cgroup: Fd, name: string) => void;
}

interface Walker {
  at: Fd;
}

/** A cgroup on the way down, and those of its children that have not been visited. */
interface Level {
  readonly name: string;
  readonly children: string[];
}

/**
 * One descriptor is open at a time, and paths have one component: a container that may write to its cgroups can nest them
 * deeper than descriptors, stack or PATH_MAX suffice. The way back is "..", which is safe: cgroup2 cannot rename.
 */
function walk(sys: Sys, top: Fd, visitor: Visitor): void {
  const walker: Walker = { at: sys.openat2(top, ".", O_RDONLY | O_DIRECTORY, 0, STRICT) };
  try {
    wander(sys, walker, visitor);
  } finally {
    walker.at[Symbol.dispose]();
  }
}

function wander(sys: Sys, walker: Walker, { enter, leave }: Visitor): void {
  enter?.(walker.at);
  const way: Level[] = [{ name: "", children: childrenOf(sys, walker.at) }];
  for (let level = way.at(-1); level !== undefined; level = way.at(-1)) {
    const name = level.children.pop();
    if (name === undefined) {
      way.pop();
      if (way.length === 0) return;
      goTo(walker, sys.openat(walker.at, "..", O_RDONLY | O_DIRECTORY, 0));
      leave?.(walker.at, level.name);
      continue;
    }
    const child = sys.openat2IfAny(walker.at, name, O_RDONLY | O_DIRECTORY, STRICT);
    if (child === undefined) continue;
    goTo(walker, child);
    enter?.(child);
    way.push({ name, children: childrenOf(sys, child) });
  }
}

function goTo(walker: Walker, next: Fd): void {
  walker.at[Symbol.dispose]();
  walker.at = next;
}

function childrenOf(sys: Sys, cgroup: Fd): string[] {
  return namesIn(sys, cgroup).filter((name) => {
    const found = sys.statxIfAny(cgroup, name, AT_SYMLINK_NOFOLLOW);
    return found !== undefined && (found.mode & S_IFMT) === S_IFDIR;
  });
}

/** None where it has been removed meanwhile. */
function namesIn(sys: Sys, cgroup: Fd): string[] {
  try {
    return sys.readDirectory(cgroup);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV")) return [];
    throw error;
  }
}

/** The processes in a cgroup and below it. */
export function processesOf(sys: Sys, cgroup: Fd): number[] {
  const pids = new Set<number>();
  walk(sys, cgroup, {
    enter: (each) => {
      for (const pid of processesIn(sys, each)) pids.add(pid);
    },
  });
  return [...pids];
}

function processesIn(sys: Sys, cgroup: Fd): number[] {
  try {
    return numbersIn(readCgroup(sys, cgroup, "cgroup.procs"));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV")) return []; // It has been removed meanwhile.
    if (!isErrno(error, "EOPNOTSUPP")) throw error;
  }
  // A threaded one does not tell its processes: cgroups(7), "Cgroups v2 thread mode".
  return numbersIn(readCgroup(sys, cgroup, "cgroup.threads")).flatMap((thread) => processOf(sys, thread));
}

function numbersIn(text: string): number[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

/** None where the thread has ended: proc(5), status. */
function processOf(sys: Sys, thread: number): number[] {
  const status = readFileIfAny(sys, null, `/proc/${thread}/status`) ?? "";
  const line = status.split("\n").find((each) => each.startsWith("Tgid:"));
  return line === undefined ? [] : [Number(line.slice("Tgid:".length))];
}

/**
 * Kills what is in the cgroup, waits until it is empty (10 s at most) and removes it, children first. One that is not there
 * is fine. Throws a Failure.
 */
export function removeCgroup(sys: Sys, place: CgroupPlace, kill: boolean): void {
  // As a rule everything in it has ended already.
  if (tryRemove(sys, place)) return;
  let cgroup: Fd;
  try {
    cgroup = openCgroup(sys, place);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENAMETOOLONG")) return;
    throw new Failure(`cannot open cgroup ${place.path}`, error);
  }
  using opened = cgroup;
  if (kill) killCgroup(sys, opened);
  const deadline = sys.clockMonotonic() + 10_000_000;
  for (let pause = 1; !tryRemove(sys, place); pause = Math.min(pause * 2, 50)) {
    if (sys.clockMonotonic() > deadline)
      throw new Failure(`cannot remove cgroup ${place.path}: processes are left in it`);
    removeChildren(sys, opened);
    sys.sleep(pause);
    // Again: an exec, or a process of the host's, may have put another one in since.
    if (kill) killCgroup(sys, opened);
  }
}

/** cgroup.kill, since Linux 5.14; it thaws what is frozen. */
export function killCgroup(sys: Sys, cgroup: Fd): void {
  try {
    writeCgroupFile(sys, cgroup, "cgroup.kill", "1");
  } catch (error) {
    if (isErrno(error, "ENODEV")) return; // It has been removed meanwhile.
    // Older, or a threaded one, whose processes its domain would kill.
    if (!isErrno(error, "ENOENT", "EOPNOTSUPP")) throw error;
    for (const pid of processesOf(sys, cgroup)) signal(sys, pid, 9);
  }
}

/** kill(2); a process that has gone is fine. */
export function signal(sys: Sys, pid: number, number: number): void {
  try {
    sys.kill(pid, number);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

function tryRemove(sys: Sys, { mount, path }: CgroupPlace): boolean {
  if (path === "/") return true;
  try {
    sys.unlinkat(null, `${mount}${path}`, AT_REMOVEDIR);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENAMETOOLONG")) return true;
    if (isErrno(error, "EBUSY", "ENOTEMPTY")) return false;
    throw new Failure(`cannot remove cgroup ${path}`, error);
  }
}

function removeChildren(sys: Sys, cgroup: Fd): void {
  walk(sys, cgroup, {
    leave: (parent, name) => {
      try {
        sys.unlinkat(parent, name, AT_REMOVEDIR);
      } catch (error) {
        if (!isErrno(error, "EBUSY", "ENOENT")) throw error;
      }
    },
  });
}
