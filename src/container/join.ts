/** Joining namespaces that exist: setns(2). */
import { CLONE_NEWPID, O_RDONLY } from "../sys/constants.ts";
import { attempt } from "../sys/failure.ts";
import { statOf } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { NAMESPACES } from "../mechanisms/namespaces.ts";
import { SpecError } from "../spec/error.ts";
import { changeOf } from "../spec/rules.ts";
import type { NamespaceType, Spec } from "../spec/spec.ts";

/** <linux/magic.h>: the one file system of the kernel that all namespaces are files of. */
const NSFS_MAGIC = 0x6e736673;

/** Namespaces to join, opened before anything is made. */
export class Joined implements Disposable {
  readonly open: ReadonlyMap<NamespaceType, Fd>;

  constructor(open: ReadonlyMap<NamespaceType, Fd>) {
    this.open = open;
  }

  [Symbol.dispose](): void {
    for (const fd of this.open.values()) fd[Symbol.dispose]();
  }
}

/** Opens those namespaces that have a path. Throws a Failure, or a SpecError where the host itself would change. */
export function openNamespaces(sys: Sys, spec: Spec): Joined {
  const open = new Map<NamespaceType, Fd>();
  for (const { type, path } of spec.namespaces) {
    if (path === undefined) continue;
    const namespace = attempt(`open the ${type} namespace ${path}`, () => sys.openat(null, path, O_RDONLY, 0));
    open.set(type, namespace);
    const change = changeOf(spec, type);
    if (change !== undefined && isOwn(sys, type, namespace)) {
      throw new SpecError(change, `is not allowed in the ${type} namespace of the host, which ${path} is`);
    }
  }
  return new Joined(open);
}

/** Whether it is the one that this process is in, whatever path led there: namespaces(7), the inodes of /proc/PID/ns. */
function isOwn(sys: Sys, type: NamespaceType, namespace: Fd): boolean {
  if (sys.fstatfs(namespace).type !== NSFS_MAGIC) return false;
  return statOf(sys, namespace).ino === sys.statx(null, `/proc/self/ns/${NAMESPACES[type].file}`, 0).ino;
}

/**
 * Makes a child in the pid namespace to join: a process is in the one that its parent chose for its children. The parent
 * goes back to its own. pid_namespaces(7).
 */
export function inPidNamespace<T extends { readonly pid: number }>(sys: Sys, joined: Joined, make: () => T): T {
  const target = joined.open.get("pid");
  if (target === undefined) return make();
  using own = sys.openat(null, "/proc/self/ns/pid", O_RDONLY, 0);
  attempt("join the pid namespace", () => sys.setns(target, CLONE_NEWPID));
  const made = make();
  if (made.pid !== 0) sys.setns(own, CLONE_NEWPID);
  return made;
}

/** A user namespace is joined before init is made, a pid namespace by its parent: see clone.ts. */
const BY_INIT = ["network", "ipc", "uts", "cgroup", "time", "mount"] as const satisfies NamespaceType[];

/** Joins what init joins itself. Throws a Failure. */
export function joinNamespaces(sys: Sys, { open }: Joined): void {
  for (const type of BY_INIT) {
    const fd = open.get(type);
    if (fd !== undefined) attempt(`join the ${type} namespace`, () => sys.setns(fd, NAMESPACES[type].flag));
  }
}
