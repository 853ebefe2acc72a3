/** Mounts of config.json: made detached, attached to a descriptor that was resolved once inside the root. */
import {
  AT_RECURSIVE,
  MOUNT_ATTR_RDONLY,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  PROC_SUPER_MAGIC,
  RESOLVE_NO_MAGICLINKS,
} from "../sys/constants.ts";
import { statOf } from "../sys/files.ts";
import { findIn, isDirectory, isSymlink, makeDirectoryIn, makeFileIn, openIn, splitPath } from "../sys/root.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { rootOf, step, type Plan, type Scene, type Step } from "../plan/step.ts";
import type { Facts } from "../facts/facts.ts";
import type { InitOptions } from "../plan/plan.ts";
import type { Mount, Propagation, Spec } from "../spec/spec.ts";
import { copyTree } from "./copy-up.ts";
import { hasNew } from "./namespaces.ts";
import { PROPAGATION } from "./rootfs.ts";

/** A mount, and what the rest of config.json makes of it. */
export interface MountOrder {
  readonly mount: Mount;
  /** Where a bind takes its files from; undefined where a new file system is made. */
  readonly source: string | undefined;
  /** What is set before `propagation`, where that alone would leave the mount a peer of the host's. */
  readonly cutOff?: PropagationOrder | undefined;
  readonly propagation: PropagationOrder | undefined;
}

interface PropagationOrder {
  readonly type: Propagation;
  readonly recursive: boolean;
}

export function* planMounts(spec: Spec, facts: Facts, options: InitOptions): Plan {
  for (const mount of spec.mounts) {
    const source = sourceOf(mount, spec, facts, options);
    // Without a wish of its own a bind follows the root's propagation, as a mount made inside would.
    const propagation = mount.propagation ?? (source === undefined ? undefined : spec.rootfsPropagation);
    const cutOff =
      source === undefined || propagation === undefined
        ? undefined
        : cutOffOf(mount, propagation, spec.rootfsPropagation.type);
    yield step(
      "mount",
      { mount: isSealedLater(mount) ? writable(mount) : mount, source, ...(cutOff && { cutOff }), propagation },
      "config#configMounts",
    );
  }
}

/**
 * A bind is a peer of its source: where its propagation leaves it, or a mount below it, one, what the container mounts there
 * would appear on the host. As with runc only a root that is shared lets it; else the bind is first what the root is, and what
 * is "shared" is so among the container's own from then on. mount_namespaces(7), slave-and-shared mounts.
 */
function cutOffOf({ bind }: Mount, wanted: PropagationOrder, root: Propagation): PropagationOrder | undefined {
  const recursive = bind === "recursive";
  if (root === "shared" || (wanted.type !== "shared" && (wanted.recursive || !recursive))) return undefined;
  return { type: root === "private" ? "private" : "slave", recursive };
}

/** A read-only tmpfs is made so when everything below it is in place: as runc does, for /dev above all. */
export function* planSeals(spec: Spec): Plan {
  for (const mount of spec.mounts) {
    if (isSealedLater(mount)) yield step("sealMount", mount.destination, "config#configMounts");
  }
}

function isSealedLater({ type, bind, attr }: Mount): boolean {
  return type === "tmpfs" && bind === "no" && ((attr.set | attr.recursiveSet) & MOUNT_ATTR_RDONLY) !== 0;
}

function writable(mount: Mount): Mount {
  const { set, clear, recursiveSet, recursiveClear } = mount.attr;
  return {
    ...mount,
    attr: { set: set & ~MOUNT_ATTR_RDONLY, clear, recursiveSet: recursiveSet & ~MOUNT_ATTR_RDONLY, recursiveClear },
    flags: mount.flags.filter((flag) => flag !== "ro"),
  };
}

/** Makes the mount that `path` is the root of read-only. */
export function sealMount(scene: Scene, path: string): void {
  using target = openIn(scene.sys, rootOf(scene), path, O_PATH | O_DIRECTORY);
  scene.sys.mountSetattr(target, 0, MOUNT_ATTR_RDONLY, 0, 0);
}

/**
 * A cgroup mount is a copy of the host's, of the container's own part where it has a cgroup namespace: a fresh one made
 * from the initial cgroup namespace waits for a grace period of RCU, some 10 ms.
 */
function sourceOf(mount: Mount, spec: Spec, facts: Facts, options: InitOptions): string | undefined {
  if (mount.bind !== "no") return mount.source;
  if (mount.type !== "cgroup") return undefined;
  return hasNew(spec, "cgroup") ? `${facts.cgroupMount}${options.cgroup}` : facts.cgroupMount;
}

/** Mounts one: source or new file system, flags, place, attach. */
export function makeMount(scene: Scene, order: MountOrder, planned: Step): void {
  const { sys, sources } = scene;
  const { mount, propagation } = order;
  const opened = sources.get(planned);
  const isNew = isMissing(scene, mount);
  using target = targetOf(scene, mount, opened);
  using tree = opened?.take() ?? newFileSystem(sys, mount, { target, isNew });
  if (opened === undefined) {
    setAttributes(sys, tree, mount);
    if (propagation !== undefined) setPropagationOf(sys, tree, propagation);
  }
  sys.moveMount(tree, target);
  if (isPlainProc(mount)) scene.proc ??= tree.take();
}

/** Whether a tmpfs has no directory to look like, and its place is only made for it. */
function isMissing(scene: Scene, { type, destination, data }: Mount): boolean {
  if (type !== "tmpfs" || data.some(([key]) => key === "mode")) return false;
  using found = findIn(scene.sys, rootOf(scene), destination);
  return found === undefined;
}

function isPlainProc({ type, bind, attr, flags, data }: Mount): boolean {
  const readonly = ((attr.set | attr.recursiveSet) & MOUNT_ATTR_RDONLY) !== 0;
  return type === "proc" && bind === "no" && !readonly && flags.length === 0 && data.length === 0;
}

/** The flags of a mount on a tree that is still detached. */
export function setAttributes(sys: Sys, tree: Fd, { attr }: Mount): void {
  if (attr.set !== 0 || attr.clear !== 0) sys.mountSetattr(tree, 0, attr.set, attr.clear, 0);
  if (attr.recursiveSet !== 0 || attr.recursiveClear !== 0) {
    sys.mountSetattr(tree, AT_RECURSIVE, attr.recursiveSet, attr.recursiveClear, 0);
  }
}

/** The propagation of a tree that is still detached. */
export function setPropagationOf(sys: Sys, tree: Fd, { type, recursive }: PropagationOrder): void {
  sys.mountSetattr(tree, recursive ? AT_RECURSIVE : 0, 0, 0, PROPAGATION[type]);
}

/** The place, made where it is missing: a file for a file, else a directory. */
function targetOf(scene: Scene, mount: Mount, source: Fd | undefined): Fd {
  const { sys } = scene;
  const root = rootOf(scene);
  if (mount.type === "proc" || mount.type === "sysfs") return ordinaryDirectory(sys, root, mount.destination);
  const directory = source === undefined || isDirectory(sys, source);
  const target = directory ? makeDirectoryIn(sys, root, mount.destination) : makeFileIn(sys, root, mount.destination);
  refuseProc(sys, target, source, mount);
  return target;
}

/** proc and sysfs only on a directory of the root, never through a link (CVE-2019-19921, CVE-2025-54867). */
function ordinaryDirectory(sys: Sys, root: Fd, path: string): Fd {
  const [parentPath, name] = splitPath(path);
  using parent = makeDirectoryIn(sys, root, parentPath);
  {
    using found = findIn(sys, parent, name);
    if (found === undefined) sys.mkdirat(parent, name, 0o755);
  }
  const place = sys.openat2(parent, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_MAGICLINKS);
  if (isSymlink(sys, place) || !isDirectory(sys, place)) {
    throw new Error("the place must be an ordinary directory");
  }
  return place;
}

/**
 * Nothing but procfs may lie over /proc, whatever path leads there: a fake one would take the writes of labels
 * (CVE-2019-16884). Single files below it are config.json's rules' business, but a link must not lead to them.
 */
function refuseProc(sys: Sys, target: Fd, source: Fd | undefined, { destination }: Mount): void {
  if (destination === "/proc") {
    const proc = source !== undefined && sys.fstatfs(source).type === PROC_SUPER_MAGIC && statOf(sys, source).ino === 1;
    if (!proc) throw new Error("only procfs may be mounted there");
  } else if (!destination.startsWith("/proc/") && sys.fstatfs(target).type === PROC_SUPER_MAGIC) {
    throw new Error("the path leads into /proc through a link");
  }
}

/** A file system of the kernel, configured and detached. */
function newFileSystem(
  sys: Sys,
  mount: Mount,
  { target, isNew }: { readonly target: Fd; readonly isNew: boolean },
): Fd {
  using context = sys.fsopen(mount.type);
  if (mount.source !== "") sys.fsconfigString(context, "source", mount.source);
  for (const flag of mount.flags) sys.fsconfigFlag(context, flag);
  for (const [key, value] of mount.data) {
    if (value === undefined) sys.fsconfigFlag(context, key);
    else sys.fsconfigString(context, key, value);
  }
  if (mount.type === "tmpfs" && !isNew) {
    for (const [key, value] of looksOf(sys, target, mount)) sys.fsconfigString(context, key, value);
  }
  sys.fsconfigCreate(context);
  const tree = sys.fsmount(context, 0);
  if (mount.tmpcopyup) {
    using from = sys.openat2(target, ".", O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS);
    copyTree(sys, from, tree);
  }
  return tree;
}

/** As runc: a tmpfs looks like the directory that it covers, as far as its options leave that open; else it is for everybody. One that is a copy of it
 * has its owner too. */
function looksOf(sys: Sys, covered: Fd, { data, tmpcopyup }: Mount): [key: string, value: string][] {
  const { mode, uid, gid } = statOf(sys, covered);
  const looks: [string, string][] = [["mode", (mode & 0o7777).toString(8)]];
  if (tmpcopyup) looks.push(["uid", String(uid)], ["gid", String(gid)]);
  return looks.filter(([key]) => !data.some(([given]) => given === key));
}
