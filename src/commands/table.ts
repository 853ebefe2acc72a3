/** Every command: its options, operands and words. Parsing, help and completion all come from here. */
import type { Modules } from "../sys/modules.ts";

export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** What its value is called; a flag without one is true or false. */
  readonly value?: string;
  readonly help: string;
  readonly hidden?: boolean;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** The operands as help shows them. */
  readonly operands: string;
  readonly least: number;
  readonly most: number;
  /** Everything after the first operand is operand too, also what begins with "-". */
  readonly greedy: boolean;
  readonly flags: readonly Flag[];
  readonly module: keyof Modules;
}

const BUNDLE: Flag = { name: "bundle", short: "b", value: "DIR", help: "the bundle's directory (default: the working directory)" };
const CONSOLE: Flag = { name: "console-socket", value: "PATH", help: "the socket that gets the terminal's other side" };
const PID_FILE: Flag = { name: "pid-file", value: "PATH", help: "write the process's pid to this file" };
const PRESERVE: Flag = { name: "preserve-fds", value: "N", help: "pass N more descriptors, from 3 on (LISTEN_FDS counts too)" };
const NO_PIVOT: Flag = { name: "no-pivot", help: "do not use pivot_root: for a host that runs from the initial ramfs" };
const NO_KEYRING: Flag = { name: "no-new-keyring", help: "keep the caller's session keyring" };
const DETACH: Flag = { name: "detach", short: "d", help: "return once it runs" };
const CREATE_FLAGS: readonly Flag[] = [BUNDLE, CONSOLE, PID_FILE, NO_PIVOT, NO_KEYRING, PRESERVE];

export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "root", value: "DIR", help: "where the state of containers is kept" },
  { name: "store", value: "DIR", help: "where images are kept" },
  { name: "log", value: "FILE", help: "write failures to this file too" },
  { name: "log-format", value: "FORMAT", help: "text or json" },
  { name: "debug", help: "say more" },
  { name: "systemd-cgroup", help: "let systemd make the cgroup" },
  { name: "cgroup-manager", value: "NAME", help: "cgroupfs, systemd or disabled, as crun has it" },
  { name: "rootless", value: "WHEN", help: "true, false or auto" },
  { name: "help", short: "h", help: "show help" },
  { name: "version", short: "v", help: "show the version" },
];

export const COMMANDS: readonly Command[] = [
  { name: "create", summary: "create a container", operands: "ID", least: 1, most: 1, greedy: false, flags: CREATE_FLAGS, module: "commands-create" },
  { name: "start", summary: "start a container that was created", operands: "ID", least: 1, most: 1, greedy: false, flags: [], module: "commands-start" },
  {
    name: "run", summary: "create and start a container", operands: "ID", least: 1, most: 1, greedy: false, module: "commands-run",
    flags: [
      ...CREATE_FLAGS, DETACH,
      { name: "keep", help: "do not delete the container when its process ends" },
      { name: "no-subreaper", help: "do not collect the container's orphans" },
    ],
  },
  {
    name: "exec", summary: "run another process in a container", operands: "ID COMMAND [ARG...]", least: 1, most: Infinity, greedy: true, module: "commands-exec",
    flags: [
      CONSOLE, PID_FILE, PRESERVE, DETACH,
      { name: "process", short: "p", value: "FILE", help: "read the process from this file" },
      { name: "cwd", value: "DIR", help: "its working directory" },
      { name: "env", short: "e", value: "NAME=VALUE", help: "add to its environment" },
      { name: "tty", short: "t", help: "give it a terminal" },
      { name: "user", short: "u", value: "UID[:GID]", help: "who it is" },
      { name: "additional-gids", short: "g", value: "GID", help: "add a group" },
      { name: "cap", short: "c", value: "CAP", help: "add a capability" },
      { name: "no-new-privs", help: "forbid new privileges" },
      { name: "process-label", value: "LABEL", help: "its SELinux label" },
      { name: "apparmor", value: "PROFILE", help: "its AppArmor profile" },
      { name: "cgroup", value: "PATH", help: "a cgroup below the container's" },
      { name: "ignore-paused", help: "also in a paused container" },
    ],
  },
  {
    name: "kill", summary: "send a signal to a container (default SIGTERM)", operands: "ID [SIGNAL]", least: 1, most: 2, greedy: true, module: "commands-kill",
    flags: [{ name: "all", short: "a", help: "to all of its processes", hidden: true }],
  },
  {
    name: "delete", summary: "delete a container", operands: "ID", least: 1, most: 1, greedy: false, module: "commands-delete",
    flags: [{ name: "force", short: "f", help: "kill it first; fine if there is none" }],
  },
  { name: "state", summary: "show a container's state", operands: "ID", least: 1, most: 1, greedy: false, flags: [], module: "commands-state" },
];
