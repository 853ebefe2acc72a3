/**
 * Layers that are an archive with an index, `tar` and `erofs`: mounted as files, without a loop device. Linux 6.12,
 * Documentation/filesystems/erofs.rst. The index is written by native/image/src/erofs.
 */
import { MOUNT_ATTR_RDONLY } from "../sys/constants.ts";
import { openPath } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";

const INDEX = "/erofs";
const ARCHIVE = "/tar";

/** Whether a layer, as an overlay names it, is an index and no directory. */
export function isIndex(layer: string): boolean {
  return layer.endsWith(INDEX);
}

/** Where the archive of an index is. */
export function archiveOf(index: string): string {
  return `${index.slice(0, -INDEX.length)}${ARCHIVE}`;
}

/**
 * The files of a layer: its directory, or its index mounted nowhere, so that nothing is left when this descriptor is closed and
 * no overlay has it. Throws a SysError.
 */
export function openLayer(sys: Sys, layer: string, attributes: number = MOUNT_ATTR_RDONLY): Fd {
  if (!isIndex(layer)) return openPath(sys, layer);
  using context = sys.fsopen("erofs");
  sys.fsconfigString(context, "source", layer);
  sys.fsconfigString(context, "device", archiveOf(layer));
  sys.fsconfigCreate(context);
  return sys.fsmount(context, attributes);
}
