/** The nearest commands to each step of the plan. Lines that begin with "#" say what no command can do. */
import { archiveOf, isIndex } from "../mechanisms/erofs.ts";
import type { MountOrder } from "../mechanisms/mounts.ts";
import { pathOf } from "../mechanisms/sysctl.ts";
import type { Verb, With } from "../plan/step.ts";
import { CAPABILITIES } from "../spec/parse-process.ts";
import { basename, dirname } from "../spec/paths.ts";
import type { Device, Mount, Root, User } from "../spec/spec.ts";
import { quote } from "./words.ts";

type Lines = readonly string[];

/** A path of the container, below the variable rootfs. */
function inRoot(path: string): string {
  const escaped = path.split("").map((character) => ('"$`\\'.includes(character) ? `\\${character}` : character));
  return `"$rootfs${escaped.join("")}"`;
}

/** Commands for each verb; `uid` is whom the process becomes. */
export const SHELL: { readonly [V in Verb]: (options: With<V>) => Lines } = {
  makeCgroup: () => ['mkdir -p "$cgroup"'],
  enableControllers: ({ mount, path, controllers }) => {
    const words = controllers.map((name) => `+${name}`).join(" ");
    const above = path
      .split("/")
      .filter((part) => part !== "")
      .slice(0, -1);
    const places = [mount, ...above.map((_, index) => `${mount}/${above.slice(0, index + 1).join("/")}`)];
    return controllers.length === 0
      ? []
      : [
          `for place in ${places.map(quote).join(" ")}; do`,
          `  for word in ${words}; do echo $word > "$place/cgroup.subtree_control" || true; done`,
          "done 2> /dev/null",
        ];
  },
  writeCgroup: ({ setting: { file, value } }) => [`echo ${quote(value)} > "$cgroup"/${quote(file)}`],
  filterDevices: () => [
    "# No command loads an eBPF program for devices (bpftool can attach one that somebody compiled). Without it every device works.",
  ],
  joinKeyring: (name) => [
    `# keyctl session ${quote(name)} COMMAND, of the package keyutils, runs a command with a keyring of its own.`,
  ],
  startSession: () => ["# Done by setsid, above."],
  bringUpLoopback: (name) => [`ip link set ${quote(name)} up`],
  enterNamespace: (type) => [
    `# Done by unshare, above${type === "cgroup" ? ": a shell moves into its cgroup before it makes the namespaces, and so all can be made at once" : ""}.`,
  ],
  setPropagation: ({ type, recursive }) => [`mount --make-${recursive ? "r" : ""}${type} /`],
  mountRoot,
  mount: shellMount,
  sealMount: (path) => [`mount -o remount,bind,ro ${inRoot(path)}`],
  makeDevice: ({ device, how }) => (how === "bind" ? bindFile(quote(device.path), device.path) : makeNode(device)),
  linkDevices: (links) =>
    links.flatMap(({ path, target, needs }) => {
      if (path === "/dev/ptmx") return [`ln -sfT ${quote(target)} ${inRoot(path)}`];
      const condition = needs === undefined ? "" : `[ ! -e ${inRoot(needs)} ] || `;
      return [`${condition}[ -e ${inRoot(path)} ] || [ -L ${inRoot(path)} ] || ln -s ${quote(target)} ${inRoot(path)}`];
    }),
  awaitParent: () => ["# A shell does one thing after the other: it has nobody to wait for."],
  runHooks: () => ["# A shell has nobody to talk to: it goes on."],
  makeTerminal: () => [
    "# script(1) makes a terminal: call this script by script -qec. The process has the terminal of whoever calls it.",
  ],
  setHostname: (name) => [`hostname ${quote(name)}`],
  setDomainname: (name) => [`echo ${quote(name)} > /proc/sys/kernel/domainname`],
  writeSysctl: (values) => values.map(([key, value]) => `echo ${quote(value)} > ${quote(`/proc/sys/${pathOf(key)}`)}`),
  maskPath: (paths) => [
    `for path in ${paths.map(quote).join(" ")}; do`,
    '  if [ -d "$rootfs$path" ]; then mount -t tmpfs -o ro,size=4k tmpfs "$rootfs$path"',
    '  elif [ -e "$rootfs$path" ]; then mount --bind /dev/null "$rootfs$path"; fi',
    "done",
  ],
  makeReadonly: (path) => [
    `[ ! -e ${inRoot(path)} ] || { mount --rbind ${inRoot(path)} ${inRoot(path)}; mount -o remount,bind,ro ${inRoot(path)}; }`,
  ],
  makeDirectory: (path) => (path === "/" ? [] : [`mkdir -p ${inRoot(path)}`]),
  makeRootReadonly: () => ['mount -o remount,bind,ro "$rootfs"'],
  // The rest of it stands in shell.ts: the shell has to change its own tools here.
  pivotRoot: (how) => [
    ...(how === "pivot"
      ? []
      : ["# Where that is not possible, on an initial ramfs: mount --move . / and chroot . at the end."]),
    "pivot_root . .",
    "umount -l .",
    "cd /",
  ],
  setUmask: (umask) => [`umask ${umask.toString(8).padStart(4, "0")}`],
  forbidNewPrivileges: () => ["# Done by setpriv --nnp, below: from here on the shell needs its privileges still."],
  loadSeccomp: () => ["# No command loads a seccomp filter for another program. Without it every system call works."],
  dropBoundingSet: () => ["# Done by setpriv, above."],
  setIds: ({ user, cwd }) => [`cd ${quote(cwd)}`, ...becomeUser(user)],
  setCapabilities: () => [
    "# Done by the last setpriv, below, which clears the inheritable set: execve then gives to root what the bounding set has.",
  ],
};

function mountRoot({ overlay }: Root): Lines {
  if (overlay === undefined) return ['mount --rbind "$rootfs" "$rootfs"'];
  const placeOf = (layer: string): string => `${dirname(overlay.upper)}/lower/${basename(dirname(layer))}`;
  const mounted = overlay.lower.map((layer) => (isIndex(layer) ? placeOf(layer) : layer));
  const synced = overlay.isVolatile ? ",volatile" : "";
  const options = `lowerdir=${mounted.join(":")},upperdir=${overlay.upper},workdir=${overlay.work}${synced}`;
  const mapped =
    overlay.idmap === undefined
      ? []
      : [
          "# Each of these directories would be idmapped first, outside: mount --bind -o X-mount.idmap=... of util-linux 2.39.",
        ];
  return [
    ...mapped,
    ...overlay.lower.filter(isIndex).flatMap((layer) => shellIndex(layer, placeOf(layer))),
    `mount -t overlay -o ${quote(options)} overlay "$rootfs"`,
  ];
}

/** A shell has no mounts without a place; this one is in the container's mount namespace, and ends with it. */
function shellIndex(layer: string, place: string): Lines {
  return [
    `mkdir -p ${quote(place)}`,
    `mount -t erofs -o ${quote(`ro,device=${archiveOf(layer)}`)} ${quote(layer)} ${quote(place)}`,
  ];
}

const PROPAGATION = ["private", "shared", "slave", "unbindable"].flatMap((word) => [word, `r${word}`]);
/** Options that are not for the call that makes the mount. */
const OTHERS = ["bind", "rbind", "tmpcopyup", "idmap", "ridmap", ...PROPAGATION];

function shellMount({ mount, source, propagation }: MountOrder): Lines {
  const target = inRoot(mount.destination);
  const lines = source === undefined ? newMount(mount, target) : bindMount(mount, source, target);
  if (propagation === undefined) return lines;
  return [...lines, `mount --make-${propagation.recursive ? "r" : ""}${propagation.type} ${target}`];
}

function newMount(mount: Mount, target: string): Lines {
  const sealed = mount.type === "tmpfs" && mount.attr.set % 2 === 0;
  const options = mount.options.filter((option) => !OTHERS.includes(option) && !(sealed && option === "ro")).map(quote);
  if (mount.type === "tmpfs" && !mount.data.some(([key]) => key === "mode"))
    options.push(`mode=$(stat -c %a ${target})`);
  const flags = options.length === 0 ? "" : ` -o ${options.join(",")}`;
  const copies = mount.tmpcopyup
    ? ["# tmpcopyup: the files that it covers would be copied into it first (cp -a)."]
    : [];
  return [`mkdir -p ${target}`, ...copies, `mount -t ${quote(mount.type)}${flags} ${quote(mount.source)} ${target}`];
}

function bindMount(mount: Mount, source: string, target: string): Lines {
  const from = quote(source);
  const options = mount.options.filter((option) => !OTHERS.includes(option)).map(quote);
  return [
    `if [ -d ${from} ]; then mkdir -p ${target}; else mkdir -p "$(dirname ${target})"; [ -e ${target} ] || : > ${target}; fi`,
    `mount --${mount.bind === "recursive" ? "rbind" : "bind"} ${from} ${target}`,
    ...(options.length === 0 ? [] : [`mount -o remount,bind,${options.join(",")} ${target}`]),
  ];
}

function bindFile(source: string, path: string): Lines {
  const target = inRoot(path);
  return [`mkdir -p "$(dirname ${target})"; [ -e ${target} ] || : > ${target}`, `mount --bind ${source} ${target}`];
}

function makeNode({ path, type, major, minor, fileMode, uid, gid }: Device): Lines {
  const target = inRoot(path);
  const numbers = type === "p" ? "p" : `${type} ${major} ${minor}`;
  return [
    `mkdir -p "$(dirname ${target})"; [ -e ${target} ] || mknod -m ${fileMode.toString(8)} ${target} ${numbers}`,
    ...(uid === 0 && gid === 0 ? [] : [`chown ${uid}:${gid} ${target}`]),
  ];
}

/** The groups of root are set where the host's setpriv is in reach. */
function becomeUser({ uid, gid, additionalGids }: User): Lines {
  if (uid === 0 && gid === 0) return ["# The groups were set by setpriv, above."];
  const groups = additionalGids.length === 0 ? "--clear-groups" : `--groups ${additionalGids.join(",")}`;
  return [
    "# busybox has no command for it: this needs util-linux inside the container.",
    `become='/usr/bin/setpriv --reuid ${uid} --regid ${gid} ${groups}'`,
  ];
}

/** `setpriv --bounding-set` for what is kept. */
export function boundingSet(keep: readonly string[]): string {
  const known = keep.filter((name) => CAPABILITIES.some((each) => each === name));
  return ["-all", ...known.map((name) => `+${name.slice("CAP_".length).toLowerCase()}`)].join(",");
}
