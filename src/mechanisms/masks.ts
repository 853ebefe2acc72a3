/** What of a container's file system is hidden or made read-only. */
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLONE,
  O_PATH,
  O_NOFOLLOW,
  S_IFCHR,
  S_IFMT,
} from "../sys/constants.ts";
import { statOf } from "../sys/files.ts";
import { findIn, isDirectory } from "../sys/root.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { rootOf, step, type Plan, type Scene } from "../plan/step.ts";
import type { Spec } from "../spec/spec.ts";

export function* planMasks(spec: Spec): Plan {
  for (const path of spec.readonlyPaths) yield step("makeReadonly", path, "config-linux#configLinuxReadonlyPaths");
  if (spec.maskedPaths.length > 0) yield step("maskPath", spec.maskedPaths, "config-linux#configLinuxMaskedPaths");
}

/** A read-only copy of the mount over itself. A path that is not there is passed over. */
export function makeReadonly(scene: Scene, path: string): void {
  const { sys } = scene;
  using target = findIn(sys, rootOf(scene), path);
  if (target === undefined) return;
  using copy = sys.openTree(target, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
  sys.mountSetattr(copy, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0);
  sys.moveMount(copy, target);
}

/**
 * Directories are covered by one shared, empty, read-only file system, files by the host's /dev/null, which is checked to
 * be that (CVE-2025-31133). Each target is resolved once. A path that is not there is passed over.
 */
export function maskPath(scene: Scene, paths: readonly string[]): void {
  const { sys } = scene;
  let empty: Fd | undefined;
  using nothing = hostNull(sys);
  for (const path of paths) {
    using target = findIn(sys, rootOf(scene), path);
    if (target === undefined) continue;
    if (!isDirectory(sys, target)) {
      using cover = sys.openTree(nothing, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
      sys.moveMount(cover, target);
    } else if (empty === undefined) {
      // The first one is attached itself; the others are copies of it, all of one superblock.
      empty = emptyDirectory(sys);
      sys.moveMount(empty, target);
    } else {
      using cover = sys.openTree(empty, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
      sys.moveMount(cover, target);
    }
  }
  empty?.[Symbol.dispose]();
}

function hostNull(sys: Sys): Fd {
  const device = sys.openat(null, "/dev/null", O_PATH | O_NOFOLLOW, 0);
  const { mode, rdevMajor, rdevMinor } = statOf(sys, device);
  if ((mode & S_IFMT) !== S_IFCHR || rdevMajor !== 1 || rdevMinor !== 3) {
    throw new Error("the host's /dev/null is not the null device");
  }
  return device;
}

function emptyDirectory(sys: Sys): Fd {
  using context = sys.fsopen("tmpfs");
  sys.fsconfigString(context, "size", "0");
  sys.fsconfigFlag(context, "ro");
  sys.fsconfigCreate(context);
  return sys.fsmount(context, MOUNT_ATTR_RDONLY);
}
