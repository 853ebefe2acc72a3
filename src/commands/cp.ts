/** `cp`: files between a container, running or stopped, and the host. */
import { specOf } from "../container/start.ts";
import { openContainer } from "../container/state.ts";
import { openContainerRoot, ownerInside } from "../image/root-of.ts";
import { passedPath, Worker } from "../image/worker.ts";
import { isAbsolute } from "../spec/paths.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { isSet, type Context, type Parsed } from "./context.ts";

/** A path, and the container that it is in. */
interface Side {
  readonly id: string | undefined;
  readonly path: string;
}

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const [from, to] = parsed.operands.map(sideOf) as [Side, Side];
  const id = from.id ?? to.id;
  if (id === undefined) throw new Failure("cp needs a container on one side: ID:PATH");
  if (from.id !== undefined && to.id !== undefined)
    throw new Failure("cp between containers is not supported: copy to the host first");
  using held = openContainer(sys, globals.root, id);
  // What belongs to whoever copies: to root of the container, or to the caller, as with docker.
  const spec = specOf(sys, held);
  const inside = ownerInside(spec);
  const owner = to.id === undefined ? ([sys.geteuid(), sys.getegid()] as const) : inside;
  if (isSet(parsed, "archive") && spec.userNamespace !== undefined)
    throw new Failure(`--archive cannot keep owners: container ${id} has a user namespace, where they are other ones`);
  const host = hostPath(sys, to.id === undefined ? to.path : from.path);
  using root = openContainerRoot(sys, held);
  // Through an idmapped mount only ids of the map can make files.
  using worker = new Worker(sys, env, [root], spec.userNamespace === undefined ? undefined : inside);
  const end = (side: Side): { root: string; path: string } =>
    side.id === undefined
      ? { root: "/", path: host }
      : { root: passedPath(0), path: isAbsolute(side.path) ? side.path : `/${side.path}` };
  worker.ask("transfer", {
    from: end(from),
    to: end(to),
    follow: isSet(parsed, "follow-link"),
    ...(isSet(parsed, "archive") ? {} : { owner }),
  });
  return 0;
}

/** As docker: what begins with "/" or "." is a path of the host, else there is an id before ":". */
function sideOf(text: string): Side {
  if (text === "-") throw new Failure('cp of a stream, "-", is not supported yet: name a file or directory');
  const colon = text.indexOf(":");
  if (isAbsolute(text) || text.startsWith(".") || colon <= 0) return { id: undefined, path: text };
  return { id: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** From the working directory; what stands at the end of a path says something, so it is not cleaned. */
function hostPath(sys: Sys, path: string): string {
  return isAbsolute(path) ? path : `${sys.getcwd()}/${path}`;
}
