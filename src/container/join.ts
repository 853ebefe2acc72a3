/** Joining namespaces that exist: setns(2). */
import { CLONE_NEWPID, O_RDONLY } from "../sys/constants.ts";
import { attempt } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { NAMESPACES } from "../mechanisms/namespaces.ts";
import type { Namespace, NamespaceType } from "../spec/spec.ts";

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

/** Opens those of `namespaces` that have a path. Throws a Failure. */
export function openNamespaces(sys: Sys, namespaces: readonly Namespace[]): Joined {
  const open = new Map<NamespaceType, Fd>();
  for (const { type, path } of namespaces) {
    if (path === undefined) continue;
    open.set(type, attempt(`open the ${type} namespace ${path}`, () => sys.openat(null, path, O_RDONLY, 0)));
  }
  return new Joined(open);
}

/**
 * A process is in the pid namespace that its parent chose for its children: the parent joins, and what this gives puts
 * it back. pid_namespaces(7).
 */
export function joinPidNamespace(sys: Sys, joined: Joined): Disposable {
  const target = joined.open.get("pid");
  if (target === undefined) return { [Symbol.dispose]: () => undefined };
  const own = sys.openat(null, "/proc/self/ns/pid", O_RDONLY, 0);
  attempt("join the pid namespace", () => sys.setns(target, CLONE_NEWPID));
  return {
    [Symbol.dispose]: () => {
      using back = own;
      sys.setns(back, CLONE_NEWPID);
    },
  };
}

/** The order of joining: the user namespace last, for the rights that the caller still has in the others' owners. */
const ORDER = ["network", "ipc", "uts", "cgroup", "time", "mount", "user"] as const satisfies NamespaceType[];

/** Joins all but the pid namespace. Throws a Failure. */
export function joinNamespaces(sys: Sys, { open }: Joined): void {
  for (const type of ORDER) {
    const fd = open.get(type);
    if (fd !== undefined) attempt(`join the ${type} namespace`, () => sys.setns(fd, NAMESPACES[type].flag));
  }
}
