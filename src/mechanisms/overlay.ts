/** The layers of an image stacked: overlayfs, Documentation/filesystems/overlayfs.rst. */
import type { Overlay } from "../spec/spec.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { isErrno } from "../sys/errno.ts";
import { readFile } from "../sys/files.ts";

/** A detached overlay. Throws a SysError. */
export function mountOverlay(sys: Sys, overlay: Overlay): Fd {
  using context = sys.fsopen("overlay");
  setLower(sys, context, overlay.lower);
  sys.fsconfigString(context, "upperdir", overlay.upper);
  sys.fsconfigString(context, "workdir", overlay.work);
  sys.fsconfigCreate(context);
  return sys.fsmount(context, 0);
}

/**
 * One `lowerdir+` for each layer, since Linux 6.5: paths need no escape and may be many. Before it the layers are one
 * option, topmost first, in which ":" and "\" are escaped.
 */
export function setLower(sys: Sys, context: Fd, lower: readonly string[]): void {
  // The marks of a layer that was unpacked in a user namespace are in user.overlay.*: xattr(7).
  if (!hasAllIds(sys)) sys.fsconfigFlag(context, "userxattr");
  let done = 0;
  try {
    for (const layer of lower) {
      sys.fsconfigString(context, "lowerdir+", layer);
      done++;
    }
  } catch (error) {
    if (done > 0 || !isErrno(error, "EINVAL")) throw error;
    const escaped = lower.map((layer) => layer.replaceAll("\\", "\\\\").replaceAll(":", "\\:"));
    sys.fsconfigString(context, "lowerdir", escaped.join(":"));
  }
}

/** Whether this is the initial user namespace, or one that has all of its ids. */
export function hasAllIds(sys: Sys): boolean {
  return readFile(sys, null, "/proc/self/uid_map").trim().endsWith(" 4294967295");
}
