/** The container's terminal: a pseudoterminal of its own devpts, pts(4). */
import {
  AT_EMPTY_PATH,
  DEVPTS_SUPER_MAGIC,
  O_CREAT,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDWR,
  OPEN_TREE_CLONE,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  S_IFMT,
  S_IFREG,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { statOf } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { rootOf, step, type Plan, type Scene } from "../plan/step.ts";
import type { ConsoleSize, Process } from "../spec/spec.ts";
import { openDev } from "./devices.ts";

export interface TerminalOrder {
  readonly size: ConsoleSize | undefined;
  readonly owner: number;
}

export function* planTerminal(process: Process): Plan {
  if (!process.terminal) return;
  yield step("makeTerminal", { size: process.consoleSize, owner: process.user.uid }, "config#configProcess");
}

/** Makes a terminal, gives the other side away, and puts it on /dev/console and on the process's standard streams. */
export function makeTerminal(scene: Scene, order: TerminalOrder): void {
  const { sys } = scene;
  const root = rootOf(scene);
  using master = openMaster(sys, root);
  using peer = openPeer(sys, master, order);
  bindConsole(sys, root, peer);
  scene.converse.handOver(master);
  becomeTerminal(sys, peer);
}

/** The multiplexer of the container's own devpts: anything else in its place is refused (CVE-2025-52565). */
export function openMaster(sys: Sys, root: Fd): Fd {
  const flags = O_RDWR | O_NOCTTY | O_NOFOLLOW;
  const master = sys.openat2(root, "/dev/pts/ptmx", flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (sys.fstatfs(master).type === DEVPTS_SUPER_MAGIC) return master;
  master[Symbol.dispose]();
  throw new Error("/dev/pts is not a devpts");
}

/** The other side, by TIOCGPTPEER: no path is looked up again. */
export function openPeer(sys: Sys, master: Fd, { size, owner }: TerminalOrder): Fd {
  sys.unlockTerminal(master);
  const peer = sys.terminalPeer(master);
  if (size !== undefined) sys.setWindowSize(peer, size.width, size.height);
  sys.terminalNewlines(peer);
  if (owner !== 0) sys.fchownat(peer, "", owner, 0xffffffff, AT_EMPTY_PATH);
  return peer;
}

/** Makes `peer` the controlling terminal and descriptors 0, 1 and 2. */
export function becomeTerminal(sys: Sys, peer: Fd): void {
  sys.controlTerminal(peer);
  for (const number of [0, 1, 2]) sys.duplicateTo(peer, number);
}

function bindConsole(sys: Sys, root: Fd, peer: Fd): void {
  using dev = openDev(sys, root);
  try {
    using _made = sys.openat2(dev, "console", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666, RESOLVE_BENEATH);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  }
  using console = sys.openat2(dev, "console", O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH);
  if ((statOf(sys, console).mode & S_IFMT) !== S_IFREG) throw new Error("/dev/console must be an ordinary file");
  using tree = sys.openTree(peer, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  sys.moveMount(tree, console);
}
