/** What create and run have in common: from options and a bundle to a request. */
import { Failure, attempt } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { probe } from "../facts/probe.ts";
import type { Machine } from "../mechanisms/seccomp-compile.ts";
import type { CreateRequest } from "../container/create.ts";
import { CONFIG_FILE } from "../container/paths.ts";
import { parseSpec } from "../spec/parse.ts";
import type { Seccomp, Spec } from "../spec/spec.ts";
import type { PreparedImage } from "../image/prepare.ts";
import { absolutePath, isSet, option, type Context, type Parsed } from "./context.ts";
import { listenFds, preservedFds } from "./secure.ts";

/** More is no config.json. */
const CONFIG_LIMIT = 16 << 20;

/** Reads the bundle and checks the options against it. Throws a Failure or a SpecError; nothing has been changed then. */
export function prepare(context: Context, parsed: Parsed, start: CreateRequest["start"]): CreateRequest {
  const { sys, globals } = context;
  if (globals.cgroupManager === "disabled") {
    throw new Failure("--cgroup-manager disabled is not supported yet: leave it out, and the container gets a cgroup");
  }
  const origin = originOf(context, parsed);
  const { config, id, owned } = origin;
  const spec = withSockets(specOf(origin), listenFds(sys, context.env));
  checkTerminal(spec, parsed, start === "fifo" || isSet(parsed, "detach"));
  const facts = probe(sys);
  const request: CreateRequest = {
    root: globals.root,
    id,
    spec,
    config,
    filter: filterOf(sys, spec.seccomp, facts.machine),
    facts,
    pivot: !isSet(parsed, "no-pivot"),
    newKeyring: !isSet(parsed, "no-new-keyring"),
    preserveFds: preservedFds(sys, context.env, parsed),
    start,
    owned,
  };
  origin.make();
  return request;
}

/** Where a container comes from: a bundle, or an image. */
type Origin = Pick<PreparedImage, "id" | "config" | "bundle" | "make"> &
  Partial<Pick<PreparedImage, "overlay" | "owned">>;

function originOf(context: Context, parsed: Parsed): Origin {
  const { sys } = context;
  if (option(parsed, "image") !== undefined) return sys.load("image-prepare").prepareImage(context, parsed);
  const bundle = absolutePath(sys, option(parsed, "bundle") ?? ".");
  const file = option(parsed, "config");
  const path = file === undefined ? `${bundle}/${CONFIG_FILE}` : absolutePath(sys, file);
  return { id: parsed.operands[0] ?? "", config: readConfig(sys, path), bundle, make: () => undefined };
}

function specOf({ config, bundle, overlay }: Origin): Spec {
  const spec = parseSpec(config, bundle);
  return overlay === undefined ? spec : { ...spec, root: { ...spec.root, overlay } };
}

function readConfig(sys: Sys, path: string): string {
  return attempt(`read ${path}`, () => readFile(sys, null, path, CONFIG_LIMIT));
}

/** sd_listen_fds(3): the process gets the sockets of the caller, and is pid 1 as far as it knows. */
function withSockets(spec: Spec, count: number): Spec {
  if (count === 0) return spec;
  const env = [...spec.process.env, `LISTEN_FDS=${count}`, "LISTEN_PID=1"];
  return { ...spec, process: { ...spec.process, env } };
}

/** The compiled filter, empty where there is none. */
function filterOf(sys: Sys, seccomp: Seccomp | undefined, machine: string): Uint8Array {
  return seccomp === undefined ? new Uint8Array() : sys.load("seccomp").compileSeccomp(seccomp, machine as Machine);
}

/** runc's words for the combinations that make no sense. */
export function checkTerminal(spec: Pick<Spec, "process">, parsed: Parsed, detached: boolean): void {
  const socket = option(parsed, "console-socket") !== undefined;
  if (detached && spec.process.terminal && !socket) {
    throw new Failure("cannot allocate tty if runc will detach without setting console socket");
  }
  if (socket && (!detached || !spec.process.terminal)) {
    throw new Failure("cannot use console socket if runc will not detach or allocate tty");
  }
}
