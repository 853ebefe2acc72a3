/**
 * Ids that are other ones outside: the maps of a user namespace, and mounts that show their files through such maps,
 * user_namespaces(7), mount_setattr(2). Nothing on the disk changes its owner.
 */
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  CLONE_NEWUSER,
  O_RDONLY,
  O_WRONLY,
  OPEN_TREE_CLONE,
  SIGKILL,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { openPath } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import type { IdMapping, IdMaps, MountIdmap, Spec } from "../spec/spec.ts";

/** Writes the maps of a new user namespace: user_namespaces(7). Throws a Failure. */
export function writeIdMaps(sys: Sys, pid: number, { uidMappings, gidMappings }: IdMaps): void {
  const write = (file: string, text: string): void => {
    attempt(`write ${text.trim()} to the ${file} of process ${pid}`, () => {
      using opened = sys.openat(null, `/proc/${pid}/${file}`, O_WRONLY, 0);
      sys.writeOnce(opened, text);
    });
  };
  // Its maker is root, or has all privileges in a user namespace of its own: where setgroups(2) is denied there, it is here too.
  write("gid_map", linesOf(gidMappings));
  write("uid_map", linesOf(uidMappings));
}

function linesOf(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}

/**
 * A user namespace with these maps and nobody in it: what a mount is idmapped with must be one, and the container's own is not
 * there yet. Throws a Failure.
 */
function openMaps(sys: Sys, maps: IdMaps): Fd {
  const [listen, tell] = sys.pipe();
  using listening = listen;
  using telling = tell;
  const holder = attempt("make a user namespace", () => sys.clone3(CLONE_NEWUSER, []));
  if (holder.pid === 0) {
    // It lives as long as its maker, at most: then the pipe ends.
    telling[Symbol.dispose]();
    sys.readSome(listening, 1);
    sys.exit(0);
  }
  try {
    writeIdMaps(sys, holder.pid, maps);
    return sys.openat(null, `/proc/${holder.pid}/ns/user`, O_RDONLY, 0);
  } finally {
    for (const pidfd of holder.pidfd) {
      sys.pidfdSendSignal(pidfd, SIGKILL);
      pidfd[Symbol.dispose]();
    }
    sys.wait(holder.pid, true);
  }
}

/** What an id inside is to the host; itself where it is not mapped at all. */
export function hostIdOf(mappings: readonly IdMapping[], id: number): number {
  const mapping = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return mapping === undefined ? id : mapping.hostID + id - mapping.containerID;
}

/** The namespaces that mounts of one container are idmapped with, each made once. */
export class MapsInUse implements Disposable {
  readonly #sys: Sys;
  readonly #open = new Map<string, Fd>();

  constructor(sys: Sys) {
    this.#sys = sys;
  }

  /** The one that a mount of this container is to have. Throws a Failure. */
  of(idmap: Pick<MountIdmap, "maps">, { userNamespace, namespaces }: Pick<Spec, "userNamespace" | "namespaces">): Fd {
    const maps = idmap.maps ?? userNamespace;
    const path = namespaces.find(({ type }) => type === "user")?.path ?? "";
    const key = maps === undefined ? path : JSON.stringify(maps);
    const open =
      this.#open.get(key) ?? (maps === undefined ? openNamespace(this.#sys, path) : openMaps(this.#sys, maps));
    this.#open.set(key, open);
    return open;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) fd[Symbol.dispose]();
  }
}

function openNamespace(sys: Sys, path: string): Fd {
  return attempt(`open the user namespace ${path}`, () => sys.openat(null, path, O_RDONLY, 0));
}

/** Maps the ids of a detached tree. Throws a Failure that says why a file system has no such mounts. */
export function mapIds(sys: Sys, tree: Fd, recursive: boolean, namespace: Fd): void {
  try {
    sys.mountIdmap(tree, recursive ? AT_RECURSIVE : 0, namespace);
  } catch (cause) {
    const hint = isErrno(cause, "EINVAL")
      ? "its file system, or one below it, has no idmapped mounts on this kernel: mount_setattr(2)"
      : undefined;
    throw new Failure("map the ids of its files", cause, hint);
  }
}

/** Covers a directory by itself, idmapped: in a mount namespace of one's own. Throws a SysError or a Failure. */
export function coverMapped(sys: Sys, path: string, namespace: Fd): void {
  using place = openPath(sys, path);
  using tree = sys.openTree(place, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  mapIds(sys, tree, false, namespace);
  sys.moveMount(tree, place);
}
