/** `create`: a container whose process waits for `start`. */
import { SIGKILL } from "../sys/constants.ts";
import { createContainer, type Created } from "../container/create.ts";
import { deleteContainer } from "../container/delete.ts";
import { sendPidfd, sendTerminal, writePidFile } from "../container/handover.ts";
import type { Sys } from "../sys/sys.ts";
import { option, type Context, type Parsed } from "./context.ts";
import { prepare } from "./prepare.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys } = context;
  const request = prepare(context, parsed, "fifo");
  const created = createContainer(sys, request);
  handOver(sys, created, parsed, request);
  return 0;
}

/** Tells the caller what it waits for; a container of which it cannot be told is taken away again. */
export function handOver(
  sys: Sys,
  created: Created,
  parsed: Parsed,
  { root, id }: { readonly root: string; readonly id: string },
): void {
  try {
    const socket = option(parsed, "console-socket");
    if (socket !== undefined && created.terminal !== undefined) sendTerminal(sys, socket, created.terminal);
    const pidfdSocket = option(parsed, "pidfd-socket");
    if (pidfdSocket !== undefined) sendPidfd(sys, pidfdSocket, "standard", created.pidfd);
    const pidFile = option(parsed, "pid-file");
    if (pidFile !== undefined) writePidFile(sys, pidFile, created.state.pid);
  } catch (error) {
    sys.pidfdSendSignal(created.pidfd, SIGKILL);
    sys.wait(created.state.pid, true);
    deleteContainer(sys, root, id, true);
    throw error;
  }
}
