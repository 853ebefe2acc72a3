/** The layers of an image stacked: overlayfs, Documentation/filesystems/overlayfs.rst. */
import type { Overlay } from "../spec/spec.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { isErrno } from "../sys/errno.ts";
import { readFile } from "../sys/files.ts";
import { isIndex, openLayer } from "./erofs.ts";

/** A detached overlay, read-only where there is no upper directory. Throws a SysError. */
export function mountOverlay(
  sys: Sys,
  { lower, upper, work }: Pick<Overlay, "lower"> & Partial<Overlay>,
  attributes = 0,
): Fd {
  using context = sys.fsopen("overlay");
  // Since Linux 6.15 a layer may be mounted nowhere; the overlay has a mount of its own of it once it is made, and not before.
  const mounted: Fd[] = [];
  try {
    setLower(sys, context, lower, mounted);
    if (upper !== undefined) sys.fsconfigString(context, "upperdir", upper);
    if (work !== undefined) sys.fsconfigString(context, "workdir", work);
    sys.fsconfigCreate(context);
    return sys.fsmount(context, attributes);
  } finally {
    for (const layer of mounted) layer[Symbol.dispose]();
  }
}

/**
 * One `lowerdir+` for each layer, since Linux 6.5: paths need no escape and may be many. Before it the layers are one
 * option, topmost first, in which ":" and "\" are escaped.
 */
function setLower(sys: Sys, context: Fd, lower: readonly string[], mounted: Fd[]): void {
  // The marks of a layer that was unpacked in a user namespace are in user.overlay.*: xattr(7).
  if (!hasAllIds(sys)) sys.fsconfigFlag(context, "userxattr");
  let done = 0;
  try {
    for (const layer of lower) {
      if (isIndex(layer)) {
        const tree = openLayer(sys, layer);
        mounted.push(tree);
        sys.fsconfigFd(context, "lowerdir+", tree);
      } else {
        sys.fsconfigString(context, "lowerdir+", layer);
      }
      done++;
    }
  } catch (error) {
    if (done > 0 || lower.some(isIndex) || !isErrno(error, "EINVAL")) throw error;
    const escaped = lower.map((layer) => layer.replaceAll("\\", "\\\\").replaceAll(":", "\\:"));
    sys.fsconfigString(context, "lowerdir", escaped.join(":"));
  }
}

/** Whether this is the initial user namespace, or one that has all of its ids. */
export function hasAllIds(sys: Sys): boolean {
  return readFile(sys, null, "/proc/self/uid_map").trim().endsWith(" 4294967295");
}
