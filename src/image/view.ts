/** An image's files as its containers will see them, before there is a container: for what must be looked up in them. */
import {
  AT_EMPTY_PATH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  O_NONBLOCK,
  O_RDONLY,
  OPEN_TREE_CLONE,
  S_IFMT,
  S_IFREG,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { openPath, statOf } from "../sys/files.ts";
import { openIn } from "../sys/root.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { isIndex, openLayer } from "../mechanisms/erofs.ts";
import { mountOverlay } from "../mechanisms/overlay.ts";

/** Opening a device does things: none can be opened through the view. */
const ATTRIBUTES = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/** More of a passwd or group file is not read: it is the image's (CVE-2026-47262). */
const FILE_LIMIT = 1 << 20;

/**
 * The stacked layers, read-only, mounted nowhere: only this descriptor leads to them, and nothing is left when it is closed. So
 * whiteouts and opaque directories mean what they mean to the kernel. Throws a Failure.
 */
export function openView(sys: Sys, lower: readonly string[]): Fd {
  return attempt("look into the image", () => {
    const [only] = lower;
    if (only !== undefined && lower.length === 1) {
      // overlayfs wants two directories where there is no upper one.
      if (isIndex(only)) return openLayer(sys, only, ATTRIBUTES);
      using place = openPath(sys, only);
      const tree = sys.openTree(place, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
      sys.mountSetattr(tree, 0, ATTRIBUTES, 0, 0);
      return tree;
    }
    return mountOverlay(sys, { lower }, { attributes: ATTRIBUTES });
  });
}

/**
 * The text of a file of the image; undefined where there is none. Links are followed inside the image only; what is no regular
 * file is not waited for, and what is too long not read. Throws a Failure.
 */
export function readImageFile(sys: Sys, view: Fd, path: string): string | undefined {
  try {
    using file = openIn(sys, view, path, O_RDONLY | O_NONBLOCK);
    const { mode, size } = statOf(sys, file);
    if ((mode & S_IFMT) !== S_IFREG) throw new Failure(`${path} of the image is not a regular file`);
    if (size > FILE_LIMIT) throw new Failure(`${path} of the image has ${size} bytes: at most ${FILE_LIMIT} are read`);
    return sys.readText(file, FILE_LIMIT);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    if (error instanceof Failure) throw error;
    throw new Failure(`cannot read ${path} of the image`, error);
  }
}
