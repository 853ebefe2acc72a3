/** `create`: a container whose process waits for `start`. */
import { O_CREAT, O_EXCL, O_WRONLY, SIGKILL } from "../sys/constants.ts";
import { attempt } from "../sys/failure.ts";
import { createContainer, type Created } from "../container/create.ts";
import { deleteContainer } from "../container/delete.ts";
import type { Sys } from "../sys/sys.ts";
import { announce } from "./announce.ts";
import { absolutePath, option, print, type Context, type Parsed } from "./context.ts";
import { prepare } from "./prepare.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys } = context;
  const request = prepare(context, parsed, "fifo");
  const created = createContainer(sys, request);
  handOver(sys, created, parsed, request);
  printId(sys, parsed, request.id);
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
    announce(sys, parsed, "standard", { ...created, pid: created.state.pid });
    writeIdFile(sys, option(parsed, "cidfile"), id);
  } catch (error) {
    sys.pidfdSendSignal(created.pidfd, SIGKILL);
    sys.wait(created.state.pid, true);
    deleteContainer(sys, root, id, { force: true });
    throw error;
  }
}

/** A file that is there already is somebody else's. */
function writeIdFile(sys: Sys, path: string | undefined, id: string): void {
  if (path === undefined) return;
  attempt(`write the id to ${path}`, () => {
    using file = sys.openat(null, absolutePath(sys, path), O_WRONLY | O_CREAT | O_EXCL, 0o644);
    sys.writeText(file, id);
  });
}

/** The id is told as docker tells it, unless the caller gave it in runc's way. */
export function printId(sys: Sys, parsed: Parsed, id: string): void {
  if (parsed.operands[0] === undefined) print(sys, `${id}\n`);
}
