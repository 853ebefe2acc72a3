/** `cp`: files between a container, running or stopped, and the host, or as a tar archive on a standard stream. */
import { withOriginal } from "../container/protect.ts";
import { specOf } from "../container/start.ts";
import { openContainer } from "../container/state.ts";
import type { Side } from "../image/orders.ts";
import { apartIn, openContainerRoot, ownerInside, ownersIn } from "../image/root-of.ts";
import { PASSED, passedPath, Worker } from "../image/worker.ts";
import { isAbsolute } from "../spec/paths.ts";
import type { Spec } from "../spec/spec.ts";
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { isSet, type Context, type Parsed } from "./context.ts";

/** A path, and the container that it is in; or a stream. */
interface Operand {
  readonly id: string | undefined;
  readonly path: string;
}

export function run(context: Context, parsed: Parsed): number {
  const [from, to] = parsed.operands.map(operandOf) as [Operand, Operand];
  const id = from.id ?? to.id;
  if (id === undefined) throw new Failure("cp needs a container on one side: ID:PATH");
  if (from.id !== undefined && to.id !== undefined)
    throw new Failure("cp between containers is not supported: copy to the host first");
  const { sys } = context;
  if (!isStream(from) && !isStream(to)) return copy(context, parsed, { from, to, id }, undefined);
  const stream = sys.inherited(isStream(from) ? 0 : 1);
  try {
    const words = `standard ${isStream(from) ? "input" : "output"}`;
    if (sys.isTerminal(stream)) throw new Failure(`an archive is nothing for a terminal: redirect ${words}`);
    return copy(context, parsed, { from, to, id }, stream);
  } finally {
    stream.take();
  }
}

function isStream({ id, path }: Operand): boolean {
  return id === undefined && path === "-";
}

function copy(
  { sys, globals, env }: Context,
  parsed: Parsed,
  { from, to, id }: { from: Operand; to: Operand; id: string },
  stream: Fd | undefined,
): number {
  const around = withOriginal(sys, env);
  const { spec, root: opened } = openRoot(sys, globals.root, id);
  using root = opened;
  const inside = ownerInside(spec);
  const archive = isSet(parsed, "archive");
  if (archive && stream === undefined && spec.userNamespace !== undefined)
    throw new Failure(`--archive cannot keep owners: container ${id} has a user namespace, where they are other ones`);
  // Through an idmapped mount only ids of the map can make files.
  const maker = spec.userNamespace === undefined ? undefined : inside;
  using worker = new Worker(sys, around, stream === undefined ? [root] : [root, stream], maker);
  const side = (operand: Operand): Side => {
    const { path } = operand;
    if (isStream(operand)) return { fd: PASSED + 1 };
    if (operand.id === undefined) return { root: "/", path: hostPath(sys, path) };
    return { root: passedPath(0), path: isAbsolute(path) ? path : `/${path}`, apart: apartIn(spec) };
  };
  // An archive says who has its files. Else it is whoever copies: root of the container, or the caller, as with docker.
  const owners = ownersIn(spec);
  const owner = to.id === undefined ? callerInside(sys) : inside;
  worker.ask("transfer", {
    ask: {
      from: side(from),
      to: side(to),
      follow: isSet(parsed, "follow-link"),
      ...(archive || stream !== undefined ? {} : { owner }),
      ...(owners === undefined ? {} : { owners }),
    },
  });
  return 0;
}

/** Nothing waits for a copy: a stream may take its time, and a container be killed and deleted meanwhile. */
function openRoot(sys: Sys, path: string, id: string): { spec: Spec; root: Fd } {
  using held = openContainer(sys, path, id);
  const spec = specOf(sys, held);
  return { spec, root: openContainerRoot(sys, held) };
}

/** The caller, as the worker sees it: a user without privileges is root there. */
function callerInside(sys: Sys): readonly [uid: number, gid: number] {
  return [0, sys.geteuid() === 0 ? sys.getegid() : 0];
}

/** As docker: what begins with "/" or "." is a path of the host, else there is an id before ":". */
function operandOf(text: string): Operand {
  const colon = text.indexOf(":");
  if (isAbsolute(text) || text.startsWith(".") || colon <= 0) return { id: undefined, path: text };
  return { id: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** From the working directory; what stands at the end of a path says something, so it is not cleaned. */
function hostPath(sys: Sys, path: string): string {
  if (path === "") throw new Failure("a path must not be empty");
  return isAbsolute(path) ? path : `${sys.getcwd()}/${path}`;
}
