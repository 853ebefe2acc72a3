/** A container's root as a descriptor, for what looks into it from outside: of a running one what its process sees. */
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_RDONLY,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLONE,
} from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { openPath } from "../sys/files.ts";
import { findIn } from "../sys/root.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { specOf } from "../container/start.ts";
import { isAlive, type Held } from "../container/state.ts";
import { hostIdOf, mapIds, MapsInUse } from "../mechanisms/idmap.ts";
import { enterPrivateMounts, mountMappedOverlay, mountOverlay, trustVolatile } from "../mechanisms/overlay.ts";
import type { IdMapping, Mount, MountIdmap, Overlay, Spec } from "../spec/spec.ts";
import { originOf } from "./containers.ts";
import type { TransferOrder } from "./orders.ts";
import { becomeRootInside } from "./rootless.ts";

/** The root of the container; this process may be in a mount namespace of its own afterwards. Throws a Failure. */
export function openContainerRoot(sys: Sys, held: Held): Fd {
  const { state } = held;
  if (state.pid === 0) throw new Failure(`container ${state.id} is still being created`);
  if (!isAlive(sys, state)) return attempt(`open the files of container ${state.id}`, () => mountStopped(sys, held));
  return attempt(`open the root of process ${state.pid}`, () => {
    // The link of procfs: what is looked up from there on is looked up below it, never by this path again.
    const root = sys.openat(null, `/proc/${state.pid}/root`, O_PATH | O_DIRECTORY, 0);
    if (isAlive(sys, state)) return root;
    root[Symbol.dispose]();
    throw new Failure(`container ${state.id} ended just now: try again`);
  });
}

/** Its overlay and its binds once more, in a mount namespace that ends with this process. */
function mountStopped(sys: Sys, held: Held): Fd {
  const spec = specOf(sys, held);
  const origin = originOf(sys, held.state.owned);
  becomeRootInside(sys);
  enterPrivateMounts(sys);
  using maps = new MapsInUse(sys);
  using place = openPath(sys, held.state.rootfs);
  const root =
    origin === undefined
      ? sys.openTree(place, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE)
      : mountLayers(sys, origin.overlay, spec, maps);
  sys.moveMount(root, place);
  for (const mount of spec.mounts)
    if (mount.bind !== "no") mountAgain(sys, root, mount, (idmap) => maps.of(idmap, spec));
  if (spec.root.readonly) sys.mountSetattr(root, 0, MOUNT_ATTR_RDONLY, 0, 0);
  return root;
}

function mountLayers(sys: Sys, overlay: Overlay, spec: Spec, maps: MapsInUse): Fd {
  trustVolatile(sys, overlay);
  if (overlay.idmap === undefined) return mountOverlay(sys, overlay);
  return mountMappedOverlay(sys, overlay, maps.of({ maps: overlay.idmap }, spec));
}

/** What is gone on either side is left out. */
function mountAgain(sys: Sys, root: Fd, mount: Mount, namespaceOf: (idmap: MountIdmap) => Fd): void {
  const { source, destination, attr, idmap } = mount;
  using target = findIn(sys, root, destination);
  if (target === undefined || sys.statxIfAny(null, source, 0) === undefined) return;
  using tree = sys.openTree(null, source, OPEN_TREE_CLONE | AT_RECURSIVE);
  if (idmap !== undefined) mapIds(sys, tree, idmap.recursive, namespaceOf(idmap));
  if (((attr.set | attr.recursiveSet) & MOUNT_ATTR_RDONLY) !== 0)
    sys.mountSetattr(tree, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0);
  sys.moveMount(tree, target);
}

/** Whom the root of a container is to the host: itself, but in a user namespace. */
export function ownerInside({ userNamespace }: Spec): readonly [uid: number, gid: number] {
  if (userNamespace === undefined) return [0, 0];
  return [hostIdOf(userNamespace.uidMappings, 0), hostIdOf(userNamespace.gidMappings, 0)];
}

/** Places of what the kernel shows, and not of files: a copy does not enter them, as docker's has them not mounted. */
export function apartIn({ mounts }: Spec): readonly string[] {
  return mounts.filter(({ bind }) => bind === "no").map(({ destination }) => destination);
}

/** The ids of a container and those of the host, where they differ. */
export function ownersIn({ userNamespace }: Spec): TransferOrder["owners"] {
  if (userNamespace === undefined) return undefined;
  return { uids: rangesOf(userNamespace.uidMappings), gids: rangesOf(userNamespace.gidMappings) };
}

function rangesOf(mappings: readonly IdMapping[]): (readonly [inside: number, outside: number, count: number])[] {
  return mappings.map(({ containerID, hostID, size }) => [containerID, hostID, size]);
}
