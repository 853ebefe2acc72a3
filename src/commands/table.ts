/** Every command: its options, operands and words. Parsing, help and completion all come from here. */
import type { Modules } from "../sys/modules.ts";
import { IMAGE_FLAGS } from "./image-flags.ts";
import { ACCESS_FLAGS, IMAGE_COMMANDS } from "./image-table.ts";
import { VOLUME_COMMANDS } from "./volume-table.ts";

export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** Another name, which help does not show. */
  readonly alias?: string;
  /** What its value is called; a flag without one is true or false. */
  readonly value?: string;
  readonly help: string;
  /** Its value is a whole number, from 0 on. */
  readonly count?: true;
  readonly hidden?: true;
  /** Known, and not done: to give it a value is an error. Perhaps with the reason. */
  readonly refused?: true | string;
}

/** Modules with a `run`. */
type CommandModule = keyof Modules & `commands-${string}`;

export interface Command {
  /** One word, or two: `image ls`. */
  readonly name: string;
  readonly alias?: string;
  readonly summary: string;
  /** The operands as help shows them, which also says how many there may be: "ID", "ID [SIGNAL]", "REF...". */
  readonly operands: string;
  /** Everything after the first operand is operand too, also what begins with "-". */
  readonly greedy?: true;
  /** With this flag given, what follows "--" is `Parsed.rest` and no operand, and there may be no operand at all. */
  readonly apart?: string;
  /** A container will see the process that this program becomes: see secure.ts. */
  readonly secures?: true;
  /** The exit code of its own failures, where it is not 1. */
  readonly failure?: number;
  /** It makes a cgroup, so that it matters who manages those. */
  readonly makesCgroup?: true;
  readonly flags: readonly Flag[];
  readonly module: CommandModule;
}

const BUNDLE: Flag = {
  name: "bundle",
  short: "b",
  value: "DIR",
  help: "the bundle's directory (default: the working directory)",
};
const CONSOLE: Flag = { name: "console-socket", value: "PATH", help: "the socket that gets the terminal's other side" };
const PIDFD: Flag = {
  name: "pidfd-socket",
  value: "PATH",
  help: "the socket that gets a pidfd of the process",
};
const PID_FILE: Flag = { name: "pid-file", value: "FILE", help: "write the process's pid to this file" };
const PRESERVE: Flag = {
  name: "preserve-fds",
  value: "N",
  count: true,
  help: "pass N more descriptors, from 3 on (those of LISTEN_FDS come first)",
};
const DETACH: Flag = { name: "detach", short: "d", help: "return once it runs" };
const FORMAT: Flag = { name: "format", short: "f", value: "FORMAT", help: "table or json (default: table)" };

const CREATE_FLAGS: readonly Flag[] = [
  BUNDLE,
  { name: "config", value: "FILE", help: "read this file in place of the bundle's config.json" },
  CONSOLE,
  PIDFD,
  PID_FILE,
  { name: "no-pivot", help: "do not use pivot_root: for a host that runs from the initial ramfs" },
  { name: "no-new-keyring", help: "keep the caller's session keyring" },
  PRESERVE,
];

export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "root", value: "DIR", help: "where the state of containers is kept (default: /run/tsrun)" },
  { name: "store", value: "DIR", help: "where images are kept (default: /var/lib/tsrun)" },
  {
    name: "snapshotter",
    value: "NAME",
    help: "keep layers as directories, overlayfs (default), or as an archive with an index, erofs",
  },
  { name: "log", value: "FILE", help: "append failures to this file too" },
  { name: "log-format", value: "FORMAT", help: "text or json (default: text)" },
  { name: "debug", help: "say where in the program a failure comes from" },
  { name: "systemd-cgroup", help: "let systemd make the cgroup: not supported yet" },
  { name: "cgroup-manager", value: "NAME", help: "cgroupfs or disabled (default: cgroupfs)" },
  { name: "rootless", value: "WHEN", help: "true, false or auto: for runc's callers" },
  { name: "criu", value: "PATH", help: "for callers of old versions of runc", hidden: true },
  { name: "help", short: "h", help: "show help" },
  { name: "version", short: "v", help: "show the version" },
];

export const COMMANDS: readonly Command[] = [
  {
    name: "create",
    summary: "create a container",
    module: "commands-create",
    makesCgroup: true,
    secures: true,
    operands: "ID",
    apart: "image",
    flags: [...CREATE_FLAGS, ...IMAGE_FLAGS],
  },
  {
    name: "start",
    summary: "start a container that was created",
    module: "commands-start",
    operands: "ID",
    flags: [],
  },
  {
    name: "run",
    summary: "create and start a container",
    module: "commands-run",
    makesCgroup: true,
    secures: true,
    operands: "ID",
    apart: "image",
    flags: [
      ...CREATE_FLAGS,
      DETACH,
      { name: "keep", help: "do not delete the container when its process ends" },
      { name: "no-subreaper", help: "do not collect the container's orphans" },
      ...IMAGE_FLAGS,
    ],
  },
  {
    name: "exec",
    summary: "run another process in a container",
    module: "commands-exec",
    secures: true,
    failure: 255,
    operands: "ID [COMMAND [ARG...]]",
    greedy: true,
    flags: [
      CONSOLE,
      PIDFD,
      PID_FILE,
      PRESERVE,
      DETACH,
      { name: "process", short: "p", value: "FILE", help: "read the process from this file, in place of a command" },
      { name: "cwd", value: "DIR", help: "its working directory" },
      { name: "env", short: "e", value: "NAME=VALUE", help: "add to its environment" },
      { name: "tty", short: "t", help: "give it a terminal" },
      { name: "user", short: "u", value: "UID[:GID]", help: "who it is" },
      { name: "additional-gids", short: "g", value: "GID", help: "add a group" },
      { name: "cap", short: "c", value: "CAP", help: "add a capability" },
      { name: "no-new-privs", help: "forbid new privileges" },
      { name: "process-label", value: "LABEL", help: "its SELinux label", refused: true },
      { name: "apparmor", value: "PROFILE", help: "its AppArmor profile", refused: true },
      { name: "cgroup", value: "PATH", help: "a cgroup below the container's" },
      { name: "ignore-paused", help: "also in a paused container" },
    ],
  },
  {
    name: "kill",
    summary: "send a signal to a container",
    module: "commands-kill",
    operands: "ID [SIGNAL]",
    greedy: true,
    flags: [{ name: "all", short: "a", help: "to all of its processes", hidden: true }],
  },
  {
    name: "delete",
    summary: "delete a container",
    module: "commands-delete",
    operands: "ID",
    flags: [{ name: "force", short: "f", help: "kill it first; fine if there is none" }],
  },
  {
    name: "state",
    summary: "show a container's state",
    module: "commands-state",
    operands: "ID",
    flags: [],
  },
  {
    name: "explain",
    summary: "say step by step what a command would do, and why",
    module: "commands-explain",
    operands: "[create|run [OPTION...] ID]",
    greedy: true,
    flags: [{ name: "format", value: "FORMAT", help: "text, json, shell, or schema: that of json (default: text)" }],
  },
  {
    name: "list",
    summary: "list the containers",
    module: "commands-list",
    operands: "",
    flags: [FORMAT, { name: "quiet", short: "q", help: "the ids only" }],
  },
  {
    name: "ps",
    summary: "list a container's processes",
    module: "commands-ps",
    operands: "ID [ARG...]",
    greedy: true,
    flags: [FORMAT],
  },
  {
    name: "spec",
    summary: "write a config.json to begin with",
    module: "commands-spec",
    operands: "",
    flags: [BUNDLE, { name: "rootless", help: "for a user without privileges" }],
  },
  {
    name: "features",
    summary: "show what this runtime can do, as JSON",
    module: "commands-features",
    operands: "",
    flags: [],
  },
  {
    name: "inspect",
    summary: "show all about containers, as JSON",
    operands: "ID...",
    flags: [],
    module: "commands-inspect",
  },
  {
    name: "diff",
    summary: "list what a container has added (A), changed (C) and deleted (D) of its image's files",
    operands: "ID",
    flags: [FORMAT],
    module: "commands-diff",
  },
  {
    name: "cp",
    summary:
      "copy files between a container and the host: one side is ID:PATH, the other one a path, or - for a tar archive",
    operands: "FROM TO",
    flags: [
      { name: "archive", short: "a", help: "keep owners and groups (default: who copies has them, or root inside)" },
      { name: "follow-link", short: "L", help: "copy what a link leads to, and not the link" },
      { name: "quiet", short: "q", help: "for docker's callers: nothing is said in any case" },
    ],
    module: "commands-cp",
  },
  {
    name: "login",
    summary: "log in to a registry (default: docker.io)",
    operands: "[REGISTRY]",
    flags: [
      { name: "username", short: "u", value: "NAME", help: "who (default: asked for)" },
      { name: "password", short: "p", value: "PASSWORD", help: "the password, which all users can see then" },
      { name: "password-stdin", help: "read the password from standard input" },
      { name: "get-login", help: "only say who is logged in" },
      { name: "authfile", value: "FILE", help: "the file to write (default: podman's auth.json)" },
      ...ACCESS_FLAGS.filter(({ name }) => name === "tls-verify" || name === "cert-dir"),
    ],
    module: "commands-login",
  },
  {
    name: "logout",
    summary: "forget the credentials for a registry (default: docker.io)",
    operands: "[REGISTRY]",
    flags: [
      { name: "all", short: "a", help: "for all registries" },
      { name: "authfile", value: "FILE", help: "the file to change (default: podman's auth.json)" },
    ],
    module: "commands-logout",
  },
  ...IMAGE_COMMANDS,
  ...VOLUME_COMMANDS,
  {
    name: "help",
    alias: "h",
    summary: "show help, of all or of one command",
    module: "commands-help",
    operands: "[COMMAND...]",
    flags: [],
  },
];

/** Where a command was found in a command line. */
export interface Found {
  readonly command: Command;
  /** What follows its name. */
  readonly args: readonly string[];
}

/** The command whose name `words` begin with, of one word or two. */
export function findCommand(words: readonly string[]): Found | undefined {
  const [first = "", second = ""] = words;
  const one = COMMANDS.find(({ name, alias }) => name === first || alias === first);
  if (one !== undefined) return { command: one, args: words.slice(1) };
  const two = COMMANDS.find(({ name }) => name === `${first} ${second}`);
  return two === undefined ? undefined : { command: two, args: words.slice(2) };
}
