/** What a mount, a device node or a link will be like, in words: from the parsed form, which is what is done. */
import type { DeviceOrder } from "../mechanisms/devices.ts";
import { isIndex } from "../mechanisms/erofs.ts";
import type { MountOrder } from "../mechanisms/mounts.ts";
import type { DevSymlink } from "../spec/defaults.ts";
import type { IdMapping, Mount, MountIdmap, Propagation, Root } from "../spec/spec.ts";
import { countOf } from "../spec/text.ts";
import { bytesOf, octal, wholeNumber } from "./words.ts";

/** What a file system of the kernel shows: filesystems(5), Documentation/filesystems. */
const FILE_SYSTEMS: Readonly<Record<string, string>> = {
  proc: "shows the processes of the pid namespace and the parameters of the kernel, proc(5)",
  sysfs: "shows the kernel's devices, and the interfaces of the network namespace, sysfs(5)",
  tmpfs: "keeps files in memory, and is gone with the container, tmpfs(5)",
  devpts: "has the container's own terminals, and none of the host's, pts(4)",
  mqueue: "shows the POSIX message queues of the ipc namespace, mq_overview(7)",
  cgroup: "shows the container's own cgroup, what it uses and what it may use, cgroups(7)",
};

/** MOUNT_ATTR_* of mount_setattr(2): bit, words where it is set, words where it is cleared. */
const ATTRIBUTES: readonly (readonly [bit: number, set: string, cleared: string])[] = [
  [0x1, "read-only", "writable"],
  [0x2, "set-user-ID is without effect (nosuid)", "set-user-ID works (suid)"],
  [0x8, "no program can be started from it (noexec)", "programs can be started from it (exec)"],
  [0x4, "device nodes do not work (nodev)", "device nodes work (dev)"],
  [0x80, "reading a directory leaves its access time (nodiratime)", "directories have access times (diratime)"],
  [0x200000, "symbolic links are not followed (nosymfollow)", "symbolic links are followed (symfollow)"],
];

/** What is said of a new mount in any case: the first four, and of files in memory their times. */
const USUAL = 0xf;

/** One number in a field of its own, not bits. */
const ACCESS_TIMES: Readonly<Record<number, string>> = {
  0x00: "access times are written once a day or after a change (relatime)",
  0x10: "access times are never written (noatime)",
  0x20: "access times are written at each access (strictatime)",
};
const ACCESS_TIME_FIELD = 0x70;

/** What reaches what, for a mount with this propagation: mount_namespaces(7). */
const PROPAGATION: Readonly<Record<Propagation, string>> = {
  private: "what is mounted below it outside does not appear inside, nor the other way round",
  slave: "what is mounted below it outside appears inside, but not the other way round",
  shared: "what is mounted below it appears in every copy of it",
  unbindable: "it is private, and cannot be bound elsewhere",
};

/** The lines of a `mount` step. */
export function describeMount({ mount, source, cutOff, propagation }: MountOrder): string[] {
  const lines = [source === undefined ? describeFileSystem(mount) : describeBind(mount, source)];
  lines.push(`flags: ${describeAttributes(mount, source === undefined)}`);
  const { recursiveSet, recursiveClear } = mount.attr;
  if (recursiveSet !== 0 || recursiveClear !== 0) {
    lines.push(`and for all mounts below it too: ${wordsOf(recursiveSet, recursiveClear).join("; ")}`);
  }
  const data = describeData(mount);
  if (data.length > 0) lines.push(`${data.length === 1 ? "option" : "options"} of the file system: ${data.join("; ")}`);
  if (isReadOnlyLater(mount)) lines.push("read-only (ro) it becomes later, when everything below it is in place");
  if (mount.idmap !== undefined) lines.push(...describeIdmap(mount.idmap));
  if (mount.tmpcopyup) lines.push("it begins with a copy of what lies in the directory that it covers (tmpcopyup)");
  if (cutOff !== undefined) lines.push(`first, cut off from the host's: ${describePropagation(cutOff)}`);
  if (propagation !== undefined) lines.push(describePropagation(propagation));
  return lines;
}

/** The plan makes a tmpfs writable first, whatever its options say: planSeals of mechanisms/mounts.ts. */
function isReadOnlyLater({ type, bind, options, attr }: Mount): boolean {
  return type === "tmpfs" && bind === "no" && options.includes("ro") && attr.set % 2 === 0;
}

function describeFileSystem({ type }: Mount): string {
  const shows = FILE_SYSTEMS[type];
  return shows === undefined ? `a new mount of the file system ${type}` : `a new ${type}, which ${shows}`;
}

function describeBind(mount: Mount, source: string): string {
  if (mount.bind === "no") return `a bind of ${source}, which ${FILE_SYSTEMS["cgroup"] ?? ""}`;
  const below = mount.bind === "recursive" ? "with all that is mounted below it" : "without what is mounted below it";
  return `a bind of the host's ${source}, the same files under another name, ${below}`;
}

function describeAttributes({ type, attr, flags }: Mount, isNew: boolean): string {
  // What no bit speaks of is, with a new mount, what the kernel does by itself.
  const usual = type === "tmpfs" ? USUAL | ACCESS_TIME_FIELD : USUAL;
  const clear = isNew ? attr.clear | (usual & ~attr.set) : attr.clear;
  const words = wordsOf(attr.set, clear);
  for (const flag of flags) if (flag !== "ro") words.push(flag);
  if (words.length === 0) return "those of the mount that it is a copy of";
  return isNew ? words.join("; ") : `${words.join("; ")}; the others of the mount that it is a copy of`;
}

function wordsOf(set: number, clear: number): string[] {
  const words: string[] = [];
  for (const [bit, whenSet, whenCleared] of ATTRIBUTES) {
    if ((set & bit) !== 0) words.push(whenSet);
    else if ((clear & bit) !== 0) words.push(whenCleared);
  }
  if (((set | clear) & ACCESS_TIME_FIELD) !== 0) words.push(ACCESS_TIMES[set & ACCESS_TIME_FIELD] ?? "");
  return words;
}

function describeData({ type, data }: Mount): string[] {
  // As newFileSystem of mechanisms/mounts.ts.
  const asCovered = type === "tmpfs" && !data.some(([key]) => key === "mode");
  const words = data.map(([key, value]) => describeParameter(type, key, value));
  return asCovered ? [...words, "mode: that of the directory that it covers"] : words;
}

const PARAMETERS: Readonly<Record<string, string>> = {
  mode: "the permissions of its root directory",
  gid: "the group that its root directory belongs to",
  uid: "the user that its root directory belongs to",
  "devpts mode": "the permissions of a new terminal",
  "devpts gid": "the group that a new terminal belongs to",
  "devpts uid": "the user that a new terminal belongs to",
  "proc gid": "the group that hidepid does not concern",
  hidepid: "which processes of others are hidden",
  subset: "what it shows of all",
  ptmxmode: "the permissions of ptmx, from which terminals come",
  newinstance: "terminals of its own, as every devpts has since Linux 4.7",
  nr_inodes: "how many files it may have",
  max: "how many terminals it may have",
};

function describeParameter(type: string, key: string, value: string | undefined): string {
  const text = value === undefined ? key : `${key}=${value}`;
  const meaning =
    key === "size" && value !== undefined ? sizeOf(value) : (PARAMETERS[`${type} ${key}`] ?? PARAMETERS[key]);
  return meaning === undefined ? text : `${text} (${meaning})`;
}

const SHIFTS: Readonly<Record<string, bigint>> = { k: 10n, m: 20n, g: 30n, t: 40n };

/** memparse of the kernel: a number, and a letter that multiplies it. */
function sizeOf(value: string): string | undefined {
  const shift = SHIFTS[value.slice(-1).toLowerCase()];
  const number = wholeNumber(shift === undefined ? value : value.slice(0, -1));
  return number === undefined ? undefined : `at most ${bytesOf(number << (shift ?? 0n))}`;
}

/** What becomes of mounts made later, here or outside. */
export function describePropagation({ type, recursive }: NonNullable<MountOrder["propagation"]>): string {
  return `propagation: ${recursive ? "r" : ""}${type}, ${PROPAGATION[type]}`;
}

/** Whose files are seen through an idmapped mount: mount_setattr(2). */
function describeIdmap({ maps, recursive }: MountIdmap): string[] {
  const below = recursive ? ", and those of the mounts below it too" : "";
  if (maps === undefined)
    return [`its files have the owners that the user namespace makes of those on the disk${below} (idmap)`];
  return [`idmapped${below}: uid ${describeMaps(maps.uidMappings)}; gid ${describeMaps(maps.gidMappings)}`];
}

function describeMaps(mappings: readonly IdMapping[]): string {
  return mappings
    .map(({ containerID, hostID, size }) =>
      size === 1
        ? `${containerID} on the disk is ${hostID} of the host`
        : `${containerID} to ${containerID + size - 1} on the disk are ${hostID} to ${hostID + size - 1} of the host`,
    )
    .join(", ");
}

export function describeRoot({ path, readonly, overlay }: Root): string[] {
  const lines: string[] = [];
  if (overlay !== undefined) {
    lines.push(`the ${countOf(overlay.lower.length, "layer")} from the top: ${overlay.lower.join(", ")}`);
    if (overlay.lower.some(isIndex))
      lines.push(
        "erofs: an index of the archive beside it, whose files lie there; mounted from both files, without a loop device",
      );
    lines.push(
      "a file is that of the topmost layer that has it; one that is deleted is hidden by a whiteout in a layer above",
    );
    lines.push(`what the container writes goes to ${overlay.upper}, beside ${overlay.work}, where overlayfs works`);
    if (overlay.isVolatile)
      lines.push(
        "volatile: nothing of that is synced to the disk, since it is deleted when the process ends; else its whole file system would be then",
      );
    if (overlay.idmap !== undefined)
      lines.push(
        ...describeIdmap({ maps: overlay.idmap, recursive: false }),
        "so nothing of the image changes its owner",
      );
  } else {
    lines.push(`${path} becomes the root of a mount, with all that is mounted below it`);
  }
  lines.push(readonly ? "it becomes read-only later, when nothing has to be made in it any more" : "it stays writable");
  return lines;
}

export function describeDevice({ device, how }: DeviceOrder): string[] {
  if (how === "bind")
    return ["in a user namespace mknod(2) is refused, so the host's node is mounted on an empty file"];
  const { uid, gid } = device;
  return uid === 0 && gid === 0 ? [] : [`it belongs to uid ${uid} and gid ${gid}`];
}

export function describeLinks(links: readonly DevSymlink[]): string[] {
  return links.map(({ path, target, needs }) => {
    if (path === "/dev/ptmx")
      return `${path} → ${target}, in place of whatever lies there: the node of an image would give the host's terminals`;
    return needs === undefined ? `${path} → ${target}` : `${path} → ${target}, if there is a ${needs}`;
  });
}

/** A mode of files that a umask takes bits from. */
export function describeUmask(umask: number): string[] {
  return [
    `a file made with 0666 gets ${octal(0o666 & ~umask)}, a directory made with 0777 gets ${octal(0o777 & ~umask)}`,
  ];
}

export function describeSysctl(values: readonly (readonly [key: string, value: string])[]): string[] {
  return values.map(([key, value]) => `${key} = ${value}`);
}

export function describeMasks(paths: readonly string[]): string[] {
  const count = paths.length === 1 ? "it is" : `each of the ${paths.length} is`;
  return [
    `${count} covered, a directory by an empty read-only file system, a file by the host's /dev/null (reading it gives nothing)`,
    "what does not exist is passed over",
  ];
}
