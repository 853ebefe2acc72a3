/** The layers of an image stacked: overlayfs, Documentation/filesystems/overlayfs.rst. */
import { AT_RECURSIVE, CLONE_NEWNS, MS_SLAVE, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import { isErrno, reasonOf } from "../sys/errno.ts";
import { openPath, readFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { dirname } from "../spec/paths.ts";
import type { IdMaps, Overlay } from "../spec/spec.ts";
import { coverMapped, hostIdOf } from "./idmap.ts";

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
    // Upper and work must be on one mount.
    for (const path of [...overlay.lower, dirname(overlay.upper)]) coverMapped(sys, path, namespace);
    if (overlay.idmap !== undefined) becomeMappedRoot(sys, overlay.idmap);
    using tree = mountOverlay(sys, overlay);
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
