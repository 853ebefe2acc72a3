/** The layers of an image stacked: overlayfs, Documentation/filesystems/overlayfs.rst. */
import { AT_RECURSIVE, CLONE_NEWNS, MS_SLAVE, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import { isErrno, reasonOf } from "../sys/errno.ts";
import { openPath, readFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { dirname } from "../spec/paths.ts";
import type { IdMaps, Overlay } from "../spec/spec.ts";
import { isIndex, openLayer } from "./erofs.ts";
import { coverMapped, hostIdOf, mapIds } from "./idmap.ts";

/**
 * A detached overlay of layers that are idmapped with `namespace`: since Linux 5.19. overlayfs takes paths, so a helper covers
 * each directory by its mapped copy in a mount namespace of its own, which ends with it. Throws a Failure.
 */
export function mountMappedOverlay(sys: Sys, overlay: Overlay, namespace: Fd): Fd {
  const [ours, theirs] = sys.socketPair();
  using channel = ours;
  using their = theirs;
  const helper = sys.clone3(0, []);
  if (helper.pid === 0) sendMappedOverlay(sys, overlay, namespace, their);
  their[Symbol.dispose]();
  const { text, fds } = sys.receiveMessage(channel, LIMIT);
  sys.wait(helper.pid, true);
  helper.pidfd[0]?.[Symbol.dispose]();
  const [tree] = fds;
  if (tree === undefined) throw new Failure(text === "" ? "the helper that stacks the layers was killed" : text);
  return tree;
}

/** An error is one line. */
const LIMIT = 4096;

function sendMappedOverlay(sys: Sys, overlay: Overlay, namespace: Fd, channel: Fd): void {
  try {
    enterPrivateMounts(sys);
    // Upper and work must be on one mount. An index has no place to be covered: it is mapped when it is mounted.
    const directories = overlay.lower.filter((layer) => !isIndex(layer));
    for (const path of [...directories, dirname(overlay.upper)]) coverMapped(sys, path, namespace);
    if (overlay.idmap !== undefined) becomeMappedRoot(sys, overlay.idmap);
    using tree = mountOverlay(sys, overlay, { namespace });
    sys.sendMessage(channel, "overlay", [tree]);
  } catch (error) {
    sys.sendMessage(channel, reasonOf(error).slice(0, LIMIT), []);
  } finally {
    sys.exit(0);
  }
}

/**
 * What overlayfs makes by itself, it makes as whoever mounts it: through an idmapped upper directory that must be an id of the
 * map. With all capabilities still: capabilities(7), SECBIT_NO_SETUID_FIXUP.
 */
function becomeMappedRoot(sys: Sys, { uidMappings, gidMappings }: IdMaps): void {
  sys.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0);
  sys.setresgid(hostIdOf(gidMappings, 0));
  sys.setresuid(hostIdOf(uidMappings, 0));
}

/** A mount namespace of one's own, from which nothing comes back. */
export function enterPrivateMounts(sys: Sys): void {
  sys.unshare(CLONE_NEWNS);
  using slash = openPath(sys, "/");
  sys.mountSetattr(slash, AT_RECURSIVE, 0, 0, MS_SLAVE);
}

/** How an overlay is mounted: MOUNT_ATTR_*, and the user namespace that layers are idmapped with which have no place. */
interface Manner {
  readonly attributes?: number;
  readonly namespace?: Fd;
}

/** A detached overlay, read-only where there is no upper directory. Throws a SysError. */
export function mountOverlay(
  sys: Sys,
  { lower, upper, work, isVolatile }: Pick<Overlay, "lower"> & Partial<Overlay>,
  { attributes = 0, namespace }: Manner = {},
): Fd {
  using context = sys.fsopen("overlay");
  // Since Linux 6.15 a layer may be mounted nowhere; the overlay has a mount of its own of it once it is made, and not before.
  const mounted: Fd[] = [];
  try {
    setLower(sys, context, lower, (layer) => {
      const tree = openLayer(sys, layer);
      mounted.push(tree);
      if (namespace !== undefined) mapIds(sys, tree, false, namespace);
      return tree;
    });
    if (upper !== undefined) sys.fsconfigString(context, "upperdir", upper);
    if (work !== undefined) sys.fsconfigString(context, "workdir", work);
    // Else the file system of the upper directory, with all that anybody has written to it, is synced when the container ends.
    if (isVolatile === true) sys.fsconfigFlag(context, "volatile");
    sys.fsconfigCreate(context);
    return sys.fsmount(context, attributes);
  } finally {
    for (const layer of mounted) layer[Symbol.dispose]();
  }
}

/**
 * Takes away the mark by which overlayfs refuses a second mount of what was written without syncs. It is all there unless the machine
 * has lost power since; then nobody was promised anything: the container was to go with its process. Throws a SysError.
 */
export function trustVolatile(sys: Sys, { work }: Overlay): void {
  sys.removeTree(null, `${work}/work/incompat`);
}

/**
 * One `lowerdir+` for each layer, since Linux 6.5: paths need no escape and may be many. Before it the layers are one
 * option, topmost first, in which ":" and "\" are escaped.
 */
function setLower(sys: Sys, context: Fd, lower: readonly string[], mounted: (index: string) => Fd): void {
  // The marks of a layer that was unpacked in a user namespace are in user.overlay.*: xattr(7).
  if (!hasAllIds(sys)) sys.fsconfigFlag(context, "userxattr");
  let done = 0;
  try {
    for (const layer of lower) {
      if (isIndex(layer)) sys.fsconfigFd(context, "lowerdir+", mounted(layer));
      else sys.fsconfigString(context, "lowerdir+", layer);
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
