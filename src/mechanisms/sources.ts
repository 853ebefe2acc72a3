/** What only the parent can open for init's mounts: paths of the host, which a user namespace may not reach. */
import { AT_RECURSIVE, OPEN_TREE_CLONE } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import type { Step } from "../plan/step.ts";
import type { Root, Spec } from "../spec/spec.ts";
import { mapIds, MapsInUse } from "./idmap.ts";
import { setAttributes, setPropagationOf, type MountOrder } from "./mounts.ts";
import { mountMappedOverlay } from "./overlay.ts";

/**
 * Opens the sources of all binds, and the root where its layers are idmapped. Flags are set here, so that the mount never
 * exists without them. Throws a Failure that names the mount.
 */
export function openSources(sys: Sys, steps: readonly Step[], spec: Spec): Map<Step, Fd> {
  const sources = new Map<Step, Fd>();
  using maps = new MapsInUse(sys);
  for (const planned of steps) {
    const source =
      planned.do === "mount"
        ? openBind(sys, planned.with, spec, maps)
        : planned.do === "mountRoot"
          ? openMappedRoot(sys, planned.with, spec, maps)
          : undefined;
    if (source !== undefined) sources.set(planned, source);
  }
  return sources;
}

function openBind(sys: Sys, order: MountOrder, spec: Spec, maps: MapsInUse): Fd | undefined {
  const { mount, source, cutOff, propagation } = order;
  if (source === undefined) return undefined;
  try {
    const recursive = mount.bind === "recursive" ? AT_RECURSIVE : 0;
    const tree = sys.openTree(null, source, OPEN_TREE_CLONE | recursive);
    if (mount.idmap !== undefined) mapIds(sys, tree, mount.idmap.recursive, maps.of(mount.idmap, spec));
    setAttributes(sys, tree, mount);
    if (cutOff !== undefined) setPropagationOf(sys, tree, cutOff);
    if (propagation !== undefined) setPropagationOf(sys, tree, propagation);
    return tree;
  } catch (cause) {
    throw new Failure(`cannot mount ${source} on ${mount.destination}: open the source`, cause);
  }
}

function openMappedRoot(sys: Sys, { overlay, path }: Root, spec: Spec, maps: MapsInUse): Fd | undefined {
  if (overlay?.idmap === undefined) return undefined;
  try {
    return mountMappedOverlay(sys, overlay, maps.of({ maps: overlay.idmap }, spec));
  } catch (cause) {
    throw new Failure(`cannot stack the idmapped layers for ${path}`, cause);
  }
}
