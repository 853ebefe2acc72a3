/** Devices of the host that a container gets: found by their paths, read only. */
import { AT_SYMLINK_NOFOLLOW, S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT } from "../sys/constants.ts";
import { attempt } from "../sys/failure.ts";
import { openDirectory } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import type { CdiNode } from "./cdi-edits.ts";
import { deviceError, type DeviceWish, type RawDevice, type RawRule } from "./flags/devices.ts";

/** What becomes of wishes: nodes, and what the cgroup's filter lets be done with them. */
export interface Devices {
  readonly nodes: readonly RawDevice[];
  readonly rules: readonly RawRule[];
}

/** A directory stands for all devices below it, as in docker. Throws a Failure. */
export function findDevices(sys: Sys, wishes: readonly DeviceWish[]): Devices {
  const found = wishes.flatMap((wish) => nodesOf(sys, wish).map((node) => ({ node, access: wish.access })));
  // Of two that would be at the same place the last one counts.
  const nodes = new Map(found.map(({ node }) => [node.path, node]));
  return { nodes: [...nodes.values()], rules: found.map(({ node, access }) => ruleFor(node, access)) };
}

function ruleFor({ type, major, minor }: Pick<RawDevice, "type" | "major" | "minor">, access: string): RawRule {
  return { allow: true, type, major, minor, access };
}

function nodesOf(sys: Sys, { source, destination }: DeviceWish): RawDevice[] {
  const own = attempt(`look at the device ${source}`, () => sys.statx(null, source, 0));
  if ((own.mode & S_IFMT) === S_IFDIR) return devicesBelow(sys, source, destination);
  const device = deviceOf(own, destination);
  if (device === undefined) throw deviceError(source, "it is no device");
  return [device];
}

const PLAIN = { type: "c", major: 0, minor: 0, fileMode: 0o666, uid: 0, gid: 0 } as const;

/** The nodes that devices of the Container Device Interface need: what their specification leaves open is as on the host. */
export function findNodes(sys: Sys, nodes: readonly CdiNode[]): Devices {
  const found = nodes.map(({ hostPath, path, access, given, isWhole }) => {
    const host = isWhole ? PLAIN : (nodesOf(sys, { source: hostPath, destination: path, access })[0] ?? PLAIN);
    const node: RawDevice = { ...host, ...given, path };
    return { node, rule: ruleFor(node, access) };
  });
  return { nodes: found.map(({ node }) => node), rules: found.map(({ rule }) => rule) };
}

/** What of /dev is no device of the host's, or is made anew for each container: as docker and podman leave it out. */
const NOT_PASSED = ["pts", "shm", "fd", "mqueue", "console", "ptmx", ".udev"];

/** All devices below a directory of the host's; links are not followed. */
export function devicesBelow(sys: Sys, source: string, destination: string): RawDevice[] {
  return attempt(`list ${source}`, () => {
    using directory = openDirectory(sys, null, source);
    return sys.readDirectory(directory).flatMap((name) => {
      if (NOT_PASSED.includes(name)) return [];
      const stat = sys.statxIfAny(directory, name, AT_SYMLINK_NOFOLLOW);
      if (stat === undefined) return [];
      if ((stat.mode & S_IFMT) === S_IFDIR) return devicesBelow(sys, `${source}/${name}`, `${destination}/${name}`);
      return deviceOf(stat, `${destination}/${name}`) ?? [];
    });
  });
}

function deviceOf(stat: ReturnType<Sys["statx"]>, path: string): RawDevice | undefined {
  const kind = stat.mode & S_IFMT;
  if (kind !== S_IFCHR && kind !== S_IFBLK) return undefined;
  const { mode, rdevMajor, rdevMinor, uid, gid } = stat;
  return {
    path,
    type: kind === S_IFCHR ? "c" : "b",
    major: rdevMajor,
    minor: rdevMinor,
    fileMode: mode & 0o7777,
    uid,
    gid,
  };
}
