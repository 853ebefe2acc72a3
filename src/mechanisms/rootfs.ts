/** The container's root file system, and leaving the host's behind: pivot_root(2). */
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  OPEN_TREE_CLONE,
  O_DIRECTORY,
  O_PATH,
} from "../sys/constants.ts";
import { openPath } from "../sys/files.ts";
import { makeDirectoryIn } from "../sys/root.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { rootOf, step, type Plan, type Scene, type Step } from "../plan/step.ts";
import type { InitOptions } from "../plan/plan.ts";
import type { Propagation, Root, Spec } from "../spec/spec.ts";
import { mountOverlay } from "./overlay.ts";

/** MS_* of mount_setattr(2). */
export const PROPAGATION = {
  private: MS_PRIVATE,
  shared: MS_SHARED,
  slave: MS_SLAVE,
  unbindable: MS_UNBINDABLE,
} as const satisfies Record<Propagation, number>;

export function* planRoot(spec: Spec): Plan {
  // pivot_root(2) wants no shared mount around it, and nothing that is mounted from here on may reach the host: slaves
  // and private mounts do. A root that is to be shared becomes so at the end, see planPivot.
  const { type } = spec.rootfsPropagation;
  const first =
    type === "shared" || type === "unbindable" ? { type: "slave" as const, recursive: true } : spec.rootfsPropagation;
  yield step("setPropagation", { ...first, recursive: true }, "config-linux#configLinuxRootfsMountPropagation");
  yield step("mountRoot", spec.root, "config#configRoot");
}

export function* planWorkingDirectory(spec: Spec): Plan {
  yield step("makeDirectory", spec.process.cwd, "config#configProcess");
}

export function* planReadonlyRoot(spec: Spec): Plan {
  if (spec.root.readonly) yield step("makeRootReadonly", undefined, "config#configRoot");
}

export function* planPivot(spec: Spec, options: InitOptions): Plan {
  yield step("pivotRoot", options.pivot ? "pivot" : "chroot", "man:pivot_root(2)");
  if (spec.rootfsPropagation.type === "shared" || spec.rootfsPropagation.type === "unbindable") {
    yield step("setPropagation", spec.rootfsPropagation, "config-linux#configLinuxRootfsMountPropagation");
  }
}

/** What becomes of mounts that the host makes, or of those that the container makes: mount_namespaces(7). */
export function setPropagation({ sys }: Scene, { type, recursive }: Spec["rootfsPropagation"]): void {
  using root = openPath(sys, "/");
  sys.mountSetattr(root, recursive ? AT_RECURSIVE : 0, 0, 0, PROPAGATION[type]);
}

/**
 * Attaches the root file system to its own place: the directory itself, or the layers of an image. Hooks that enter the
 * mount namespace find it there. From here on the container's paths are resolved below its descriptor.
 */
export function mountRoot(scene: Scene, root: Root, planned: Step): void {
  const { sys, sources } = scene;
  using place = scene.place?.take() ?? openPath(sys, root.path);
  const tree = sources.get(planned)?.take() ?? newRoot(sys, root, place);
  sys.moveMount(tree, place);
  scene.root = tree;
}

function newRoot(sys: Sys, { overlay }: Root, place: Fd): Fd {
  if (overlay !== undefined) return mountOverlay(sys, overlay);
  return sys.openTree(place, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
}

/** The working directory, made inside the root (CVE-2026-55686), before the root can become read-only. */
export function makeDirectory(scene: Scene, path: string): void {
  using _made = makeDirectoryIn(scene.sys, rootOf(scene), path);
}

export function makeRootReadonly(scene: Scene, _nothing: undefined): void {
  scene.sys.mountSetattr(rootOf(scene), 0, MOUNT_ATTR_RDONLY, 0, 0);
}

/**
 * Swaps the roots and lets go of the host's. "chroot" (--no-pivot) is for a host whose root is the initial ramfs, which
 * cannot be moved: the container's root is stacked over it.
 */
export function pivotRoot(scene: Scene, how: "pivot" | "chroot"): void {
  const { sys } = scene;
  const root = rootOf(scene);
  if (how === "chroot") {
    using slash = sys.openat(null, "/", O_PATH | O_DIRECTORY, 0);
    sys.fchdir(root);
    sys.moveMount(root, slash);
    sys.chrootHere();
  } else {
    using old = openPath(sys, "/");
    sys.fchdir(root);
    sys.pivotRoot();
    // The old root lies over the new one now, as a shared or slave mount. rslave, not rprivate: until it is detached,
    // a private copy would keep a disk busy that the host unmounts meanwhile. mount_namespaces(7).
    sys.fchdir(old);
    sys.mountSetattr(old, AT_RECURSIVE, 0, 0, MS_SLAVE);
    sys.detachWorkingDirectory();
  }
  sys.chdir("/");
}
