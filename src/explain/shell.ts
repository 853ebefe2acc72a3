/**
 * The story as a script: the nearest commands that a person could type. It runs, as root, on a root file system that one trusts:
 * a shell looks paths up by name, again and again, which tsrun does not. Each step stands above its commands with its number.
 */
import { cgroupPathFor } from "../mechanisms/cgroup2.ts";
import type { Process, Spec } from "../spec/spec.ts";
import type { Act, Told } from "./acts.ts";
import type { Circumstances } from "./circumstances.ts";
import { boundingSet, SHELL } from "./shell-steps.ts";
import { hooksOf } from "./story-inside.ts";
import { quote, wrap } from "./words.ts";

const WIDTH = 100;

/** Ends in a newline. */
export function toShell(title: string, notes: readonly string[], all: Circumstances, story: Iterable<Told>): string {
  const lines = [...introduction(title, notes), ...variables(all)];
  let number = 0;
  for (const told of story) {
    number++;
    if (told.verb === "pivotRoot") lines.push("", ...changeTools(all));
    lines.push("", comment(`${number}. ${told.who}: ${told.says}`), ...commandsOf(told, all).map(wrapComment));
    if (told.verb === "exchangeProgram") lines.push("LAST", "INIT");
  }
  return `${lines.join("\n")}\n`;
}

function introduction(title: string, notes: readonly string[]): string[] {
  return [
    "#!/bin/sh",
    comment(`${title}, in the commands that come nearest. Where none exists a comment says so.`),
    comment(
      "Run it as root, and only on a root file system that you trust: a shell follows links out of it, which tsrun does not.",
    ),
    comment(
      "A number with nothing below it has no command: it is the runtime's own business. It needs the Debian packages util-linux, iproute2, hostname and busybox-static.",
    ),
    ...notes.map((note) => comment(`Note: ${note}`)),
    "set -eu",
  ];
}

function variables({ spec, facts, id }: Circumstances): string[] {
  return [
    `rootfs=${quote(spec.root.path)}`,
    `cgroup=${quote(facts.cgroupMount + cgroupPathFor(spec, facts, id))}`,
    "busybox=$(command -v busybox)",
    "export rootfs cgroup busybox",
  ];
}

function comment(text: string): string {
  return `# ${wrap(text.replaceAll("\n", " "), 2, WIDTH)}`.replaceAll("\n  ", "\n# ");
}

function wrapComment(line: string): string {
  return line.startsWith("# ") ? comment(line.slice(2)) : line;
}

function commandsOf(told: Told, all: Circumstances): readonly string[] {
  if (told.verb in SHELL) {
    const commands = SHELL[told.verb as keyof typeof SHELL] as (options: unknown) => readonly string[]; // a step's own options
    return commands(told.with);
  }
  return ACTS[told.verb as Act]?.(all) ?? [];
}

/** Acts that have commands, or something to say instead. */
const ACTS: { readonly [A in Act]?: (all: Circumstances) => readonly string[] } = {
  makeInit: ({ spec }) => callUnshare(spec),
  makeOwnFiles: ({ image }) =>
    ["rootfs", "upper", "work"].map((name) => `mkdir -p ${quote(`${image?.owned ?? ""}/${name}`)}`),
  makeHelper: () => ["# Done by nsenter, below."],
  joinNamespaces: () => ["# Done by nsenter, above."],
  joinPidNamespace: () => ["# Done by nsenter, below."],
  becomeRoot: () => ["# Done by unshare --setuid 0 --setgid 0, above."],
  clearUmask: () => ["umask 0"],
  writeIdMaps: () => [
    "# Done by unshare --map-users and --map-groups, above. They take one range each, by newuidmap and newgidmap of the " +
      "package uidmap, which want to find it in /etc/subuid and /etc/subgid, also for root.",
  ],
  setOomScore: ({ spec }) => [`echo ${spec.process.oomScoreAdj ?? 0} > /proc/self/oom_score_adj`],
  setRlimits: () => ["# Done by prlimit, above: busybox has no command for all of them."],
  runOutside: () => ["# These programs would run outside; this shell is inside already."],
  runInside: ({ spec, id }) => hookCommands(spec, "createContainer", id, "creating"),
  runStartHooks: ({ spec, id }) => hookCommands(spec, "startContainer", id, "created"),
  findHome: ({ spec }) => [
    `home=$(awk -F : '$3 == ${spec.process.user.uid} { print $6; exit }' /etc/passwd 2> /dev/null || true)`,
  ],
  findProgram: ({ spec }) => findProgram(spec.process),
  waitForFifo: () => ["# A shell goes on. To wait here: mkfifo on the host, and read from it."],
  closeAll: () => ["exec 3<&- 4<&-"],
  execve: ({ spec }) => lastCommand(spec),
  removeCgroup: () => ['rmdir "$cgroup"'],
  removeState: ({ image }) => (image === undefined ? [] : [`rm -rf ${quote(image.owned)}`]),
  giveExitCode: () => ['exit "$status"'],
};

/** Limits of the shell, which all that it starts has too. */
function setLimits({ rlimits }: Process): string[] {
  return rlimits.map(
    ({ type, soft, hard }) =>
      `prlimit --pid $$ --${type.slice("RLIMIT_".length).toLowerCase()}=${limitOf(soft)}:${limitOf(hard)}`,
  );
}

function limitOf(limit: bigint): string {
  return limit === 2n ** 64n - 1n ? "unlimited" : String(limit);
}

/** Options of unshare(1) and nsenter(1). */
const UNSHARE = {
  mount: "--mount",
  pid: "--pid",
  network: "--net",
  uts: "--uts",
  ipc: "--ipc",
  cgroup: "--cgroup",
  user: "--user",
  time: "--time",
} as const;
/** CLONE_INTO_CGROUP has no command: the shell moves, and what it starts is there too. */
function callUnshare(spec: Spec): string[] {
  const made = spec.namespaces.filter(({ path }) => path === undefined).map(({ type }) => UNSHARE[type]);
  const joined = spec.namespaces.filter(({ path }) => path !== undefined);
  const enter =
    joined.length === 0 ? "" : `nsenter ${joined.map(({ type, path }) => `${UNSHARE[type]}=${path ?? ""}`).join(" ")} `;
  const unshare = ["unshare", "--fork", "--kill-child", "--propagation unchanged", ...made, ...mappings(spec)].join(
    " ",
  );
  return [
    "# No command makes a process in a cgroup. A shell moves there, and what it starts is born there. What stands from here to INIT is " +
      "done inside; the shell that does it is the host's, and so are its commands, up to LAST.",
    "status=0",
    `sh -c ${quote(`echo $$ > "$cgroup/cgroup.procs"; exec ${enter}${unshare} setsid sh -eu /dev/fd/3`)} 3<<'INIT' || status=$?`,
  ];
}

function mappings({ userNamespace }: Spec): string[] {
  if (userNamespace === undefined) return [];
  const {
    uidMappings: [uids],
    gidMappings: [gids],
  } = userNamespace;
  const range = (map: typeof uids): string => `${map?.hostID ?? 0},${map?.containerID ?? 0},${map?.size ?? 1}`;
  return [`--map-users=${range(uids)}`, `--map-groups=${range(gids)}`, "--setuid 0", "--setgid 0"];
}

/** What pivot_root, umount and the change of the user need. */
const NEEDED = ["sys_admin", "setuid", "setgid"];
/** And how it is given up in the end. */
const BACK = `--inh-caps ${NEEDED.map((name) => `-${name}`).join(",")}`;

/**
 * After pivot_root the host's commands are out of reach, and the container may have none. A busybox that is linked statically
 * takes its commands from itself (Debian's does). The bounding set goes here already, since busybox cannot drop it; what
 * is still needed comes through the inheritable set, from which execve gives to root as well: capabilities(7).
 */
function changeTools({ spec: { process } }: Circumstances): string[] {
  const { uid, gid, additionalGids } = process.user;
  const groups = additionalGids.length === 0 ? "--clear-groups" : `--groups ${additionalGids.join(",")}`;
  const bounding = boundingSet(process.capabilities.bounding);
  return [
    comment(
      "From here on the host's commands go out of reach: a static busybox, which is all its commands, takes over. It cannot set limits or drop the bounding set, so that is done now; what is still needed comes to it through the inheritable set.",
    ),
    ...setLimits(process),
    'cd "$rootfs"',
    `exec setpriv ${uid === 0 && gid === 0 ? `${groups} ` : ""}--inh-caps=${NEEDED.map((name) => `+${name}`).join(",")} setpriv --bounding-set=${bounding} "$busybox" sh -eu /dev/fd/4 4<<'LAST'`,
  ];
}

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function findProgram({ args, env }: Process): string[] {
  const [name = ""] = args;
  if (name.includes("/")) return [`program=${quote(name)}`];
  const path = env.find((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? DEFAULT_PATH;
  const directories = path.split(":").map((directory) => quote(directory === "" ? "." : directory));
  return [
    `for directory in ${directories.join(" ")}; do`,
    `  [ ! -x "$directory"/${quote(name)} ] || { program=$directory/${quote(name)}; break; }`,
    "done",
  ];
}

function lastCommand({ process }: Spec): string[] {
  const { env, args, noNewPrivileges, user } = process;
  const hasHome = env.some((entry) => entry.startsWith("HOME=") && entry.length > "HOME=".length);
  const assignments = env.filter((entry) => entry !== "HOME=").map(quote);
  if (!hasHome) assignments.push('HOME="${home:-/}"');
  const words = [noNewPrivileges ? `setpriv --nnp ${BACK}` : `setpriv ${BACK}`];
  if (user.uid !== 0 || user.gid !== 0) words.push("$become");
  return [
    `exec ${words.join(" ")} env -i ${assignments.join(" ")} \\`,
    `  "$program" ${args.slice(1).map(quote).join(" ")}`.trimEnd(),
  ];
}

function hookCommands(spec: Spec, stage: "createContainer" | "startContainer", id: string, status: string): string[] {
  const state = { ociVersion: spec.ociVersion, id, status, pid: 1, bundle: spec.bundle, annotations: spec.annotations };
  return [
    comment(`${hooksOf(stage, spec)}, each with the state on its standard input.`),
    ...spec.hooks[stage].map(({ path, args, env }) => {
      const command = [path, ...args.slice(1)].map(quote).join(" ");
      return `printf %s ${quote(JSON.stringify(state))} | env -i ${env.map(quote).join(" ")} ${command}`;
    }),
  ];
}
