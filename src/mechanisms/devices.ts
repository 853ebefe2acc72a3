/** Device nodes, and the links of /dev that the OCI spec prescribes. */
import {
  AT_SYMLINK_NOFOLLOW,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  OPEN_TREE_CLONE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { findIn, makeDirectoryIn, makeFileIn, splitPath } from "../sys/root.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { rootOf, step, type Plan, type Scene } from "../plan/step.ts";
import { DEFAULT_DEVICES, DEV_SYMLINKS } from "../spec/defaults.ts";
import type { Device, Spec } from "../spec/spec.ts";

const FILE_TYPE = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO } as const satisfies Record<Device["type"], number>;

/** A device, and how it comes into the container: a user namespace may not make nodes, so the host's is bound. */
export interface DeviceOrder {
  readonly device: Device;
  readonly how: "make" | "bind";
}

export function* planDevices(spec: Spec): Plan {
  // A /dev that is bound from the host is taken as it is, as in runc.
  if (spec.mounts.some((mount) => mount.destination === "/dev" && mount.bind !== "no")) return;
  const how = spec.namespaces.some((namespace) => namespace.type === "user") ? "bind" : "make";
  const defaults = DEFAULT_DEVICES.filter((device) => !spec.devices.some((own) => own.path === device.path));
  for (const device of spec.devices) yield step("makeDevice", { device, how }, "config-linux#configLinuxDevices");
  for (const device of defaults) yield step("makeDevice", { device, how }, "config-linux#configLinuxDefaultDevices");
  yield step("linkDevices", DEV_SYMLINKS, "runtime-linux#runtimeLinuxDevSymbolicLinks");
}

/** Makes a node, or binds the host's. One that is there already is taken as it is, if it is that device. */
export function makeDevice(scene: Scene, { device, how }: DeviceOrder): void {
  const { sys } = scene;
  const root = rootOf(scene);
  if (how === "bind") return bindDevice(sys, root, device.path);
  const [directory, name] = splitPath(device.path);
  using parent = makeDirectoryIn(sys, root, directory);
  try {
    sys.mknodat(parent, name, FILE_TYPE[device.type] + device.fileMode, device.major, device.minor);
  } catch (error) {
    if (isErrno(error, "EEXIST")) return requireSame(sys, parent, name, device);
    if (!isErrno(error, "EPERM")) throw error;
    return bindDevice(sys, root, device.path); // The caller itself is in a user namespace.
  }
  if (device.uid !== 0 || device.gid !== 0) sys.fchownat(parent, name, device.uid, device.gid, AT_SYMLINK_NOFOLLOW);
}

/** config-linux#configLinuxDevices: a file that is there and is something else MUST be an error. */
function requireSame(sys: Sys, parent: Fd, name: string, device: Device): void {
  const { mode, rdevMajor, rdevMinor } = sys.statx(parent, name, AT_SYMLINK_NOFOLLOW);
  const same = (mode & S_IFMT) === FILE_TYPE[device.type];
  if (same && (device.type === "p" || (rdevMajor === device.major && rdevMinor === device.minor))) return;
  throw new Error("something else is there already");
}

function bindDevice(sys: Sys, root: Fd, path: string): void {
  using node = sys.openTree(null, path, OPEN_TREE_CLONE);
  using target = makeFileIn(sys, root, path);
  sys.moveMount(node, target);
}

/** Links of /dev, made below its descriptor; a /dev that is a link itself is refused (CVE-2026-41579). */
export function linkDevices(scene: Scene, links: typeof DEV_SYMLINKS): void {
  const { sys } = scene;
  const root = rootOf(scene);
  using dev = openDev(sys, root);
  for (const { path, target, needs } of links) {
    const [, name] = splitPath(path);
    if (needs !== undefined && !exists(sys, root, needs)) continue;
    if (name === "ptmx") sys.unlinkIfAny(dev, name, 0); // The node of an image would be the host's terminals.
    else if (sys.statxIfAny(dev, name, AT_SYMLINK_NOFOLLOW) !== undefined) continue;
    sys.symlinkat(target, dev, name);
  }
}

function exists(sys: Sys, root: Fd, path: string): boolean {
  using found = findIn(sys, root, path);
  return found !== undefined;
}

/** The container's /dev, which must be a directory. Throws a SysError. */
export function openDev(sys: Sys, root: Fd): Fd {
  return sys.openat2(root, "/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}
