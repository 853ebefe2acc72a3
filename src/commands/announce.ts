/** Telling the caller of a process that was made, by the options that create, run and exec share. */
import { sendPidfd, sendTerminal, writePidFile, type PidfdKind } from "../container/handover.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { option, type Parsed } from "./context.ts";

/** A process that waits to begin. */
interface Made {
  readonly pid: number;
  readonly pidfd: Fd;
  readonly terminal: Fd | undefined;
}

/** The options by which a caller asks to be told. */
export const TELLING = ["console-socket", "pidfd-socket", "pid-file"] as const;

/** To --console-socket, --pidfd-socket and --pid-file, in this order, as far as they were given. Throws a Failure. */
export function announce(sys: Sys, parsed: Parsed, kind: PidfdKind, { pid, pidfd, terminal }: Made): void {
  const consoleSocket = option(parsed, "console-socket");
  if (consoleSocket !== undefined && terminal !== undefined) sendTerminal(sys, consoleSocket, terminal);
  const pidfdSocket = option(parsed, "pidfd-socket");
  if (pidfdSocket !== undefined) sendPidfd(sys, pidfdSocket, kind, pidfd);
  const pidFile = option(parsed, "pid-file");
  if (pidFile !== undefined) writePidFile(sys, pidFile, pid);
}
