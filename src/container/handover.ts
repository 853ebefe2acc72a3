/** What callers wait for: the pid file, and the terminal through the console socket. */
import { O_CREAT, O_EXCL, O_SYNC, O_WRONLY } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { openPath } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { basename, dirname } from "../spec/paths.ts";

/** The number alone, without a newline (go-runc reads the whole file as a number), by rename. Throws a Failure. */
export function writePidFile(sys: Sys, path: string, pid: number): void {
  const temporary = `${dirname(path)}/.${basename(path)}`;
  attempt(`write the pid file ${path}`, () => {
    sys.unlinkIfAny(null, temporary, 0);
    {
      using file = sys.openat(null, temporary, O_WRONLY | O_CREAT | O_EXCL | O_SYNC, 0o666);
      sys.writeText(file, String(pid));
    }
    sys.renameat2(null, temporary, null, path, 0);
  });
}

/** Sends the terminal's other side: one message, its name as data, the descriptor as SCM_RIGHTS. Throws a Failure. */
export function sendTerminal(sys: Sys, path: string, master: Fd): void {
  attempt(`send the terminal to the console socket ${path}`, () => {
    send(sys, path, `/dev/pts/${sys.terminalNumber(master)}`, master);
  });
}

/** Whose pidfd it is, in runc's words: "standard" is that of a container's own process, "setns" that of one of exec. */
export type PidfdKind = "standard" | "setns";

/** Sends a pidfd of the process. Throws a Failure. */
export function sendPidfd(sys: Sys, path: string, kind: PidfdKind, pidfd: Fd): void {
  attempt(`send the pidfd to the socket ${path}`, () => send(sys, path, kind, pidfd));
}

/** A path that is too long for a socket's address (unix(7)) is reached through its directory's descriptor. */
function send(sys: Sys, path: string, text: string, fd: Fd): void {
  using directory = openPath(sys, dirname(path));
  const address = path.length < 108 ? path : `/proc/self/fd/${directory.number}/${basename(path)}`;
  if (address.length >= 108) throw new Failure("the socket's name is too long");
  using socket = sys.connectUnix(address);
  sys.sendMessage(socket, text, [fd]);
}
