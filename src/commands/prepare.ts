/** What create and run have in common: from options and a bundle to a request. */
import { Failure, attempt } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { probe } from "../facts/probe.ts";
import type { Machine } from "../mechanisms/seccomp-compile.ts";
import { beginNetwork } from "../mechanisms/namespaces.ts";
import { knownSeccomp, lookUp, store } from "../mechanisms/seccomp-cache.ts";
import type { CreateRequest } from "../container/create.ts";
import { CONFIG_FILE } from "../container/paths.ts";
import { protectFrom } from "../container/protect.ts";
import { parseSpec } from "../spec/parse.ts";
import type { Spec } from "../spec/spec.ts";
import type { PreparedImage } from "../image/prepare.ts";
import { absolutePath, isSet, option, type Context, type Parsed } from "./context.ts";
import { listenFds, preservedFds } from "./secure.ts";

/** More is no config.json. */
const CONFIG_LIMIT = 3 << 20;

/** Reads the bundle and checks the options against it. Throws a Failure or a SpecError; nothing has been changed then. */
export function prepare(context: Context, parsed: Parsed, start: CreateRequest["start"]): CreateRequest {
  const { sys, globals } = context;
  if (globals.cgroupManager === "disabled") {
    throw new Failure("--cgroup-manager disabled is not supported yet: leave it out, and the container gets a cgroup");
  }
  sys.phase("read config.json");
  const origin = originOf(context, parsed, isLasting(start === "fifo" ? "create" : "run", parsed));
  const { config, id, owned } = origin;
  const cut = cutProfile(sys, config);
  const network = beginNetwork(sys, cut.rest);
  sys.phase("probe the host");
  const facts = probe(sys);
  sys.phase("look for the filter");
  const { spec: own, filter } = filtered(context, origin, cut, facts.machine);
  const spec = withSockets(own, listenFds(sys, context.env));
  if (facts.euid !== 0 && !spec.namespaces.some(({ type }) => type === "user"))
    throw new Failure("a user without privileges needs a user namespace in config.json: see tsrun spec --rootless");
  protectFrom([spec.process], context);
  checkTerminal(spec, parsed, start === "fifo" || isSet(parsed, "detach"));
  return {
    root: globals.root,
    id,
    spec,
    config,
    filter,
    facts,
    network,
    pivot: !isSet(parsed, "no-pivot"),
    newKeyring: !isSet(parsed, "no-new-keyring"),
    preserveFds: preservedFds(sys, context.env, parsed),
    start,
    owned,
    makeOwned: () => origin.make(),
  };
}

/** Where a container comes from: a bundle, or an image. */
type Origin = Pick<PreparedImage, "id" | "config" | "bundle" | "make"> &
  Partial<Pick<PreparedImage, "overlay" | "owned">>;

/** Whether the container is there when its process has ended. */
export function isLasting(command: "create" | "run", parsed: Parsed): boolean {
  if (command === "create") return true;
  return isSet(parsed, "detach") ? !isSet(parsed, "rm") : isSet(parsed, "keep");
}

function originOf(context: Context, parsed: Parsed, lasting: boolean): Origin {
  const { sys } = context;
  if (option(parsed, "image") !== undefined) return sys.load("image-prepare").prepareImage(context, parsed, lasting);
  if (sys.geteuid() !== 0) {
    const rootless = sys.load("rootless");
    rootless.becomeCapable(sys);
    rootless.enterOwnMounts(sys);
  }
  const bundle = absolutePath(sys, option(parsed, "bundle") || ".");
  const file = option(parsed, "config");
  const path = file === undefined ? `${bundle}/${CONFIG_FILE}` : absolutePath(sys, file);
  return { id: parsed.operands[0] ?? "", config: readConfig(sys, path), bundle, make: () => undefined };
}

function specOf(sys: Sys, { config, bundle, overlay }: Pick<Origin, "config" | "bundle" | "overlay">): Spec {
  sys.phase("parse config.json");
  const spec = parseSpec(config, bundle);
  return overlay === undefined ? spec : { ...spec, root: { ...spec.root, overlay } };
}

/** A config.json whose seccomp profile, as a rule most of the text, is cut out; undefined where there is none. */
interface Cut {
  readonly rest: string;
  readonly profile: string | undefined;
}

function cutProfile(sys: Sys, config: string): Cut {
  const [rest = config, profile] = sys.cutJson(config, ["linux", "seccomp"]) ?? [];
  return { rest, profile };
}

/** The spec and its compiled filter, empty where there is none. A profile that was compiled before is not even parsed. */
function filtered(
  { sys, globals }: Context,
  origin: Origin,
  { rest, profile }: Cut,
  machine: string,
): { spec: Spec; filter: Uint8Array } {
  const key = profile === undefined ? undefined : { profile, machine };
  const entry = key === undefined ? undefined : lookUp(sys, globals.root, key);
  if (entry !== undefined) {
    const seccomp = knownSeccomp(entry.flags, () => specOf(sys, origin).seccomp);
    return { spec: { ...specOf(sys, { ...origin, config: rest }), seccomp }, filter: entry.program };
  }
  const spec = specOf(sys, origin);
  if (spec.seccomp === undefined) return { spec, filter: new Uint8Array() };
  sys.phase("compile the filter");
  const filter = sys.load("seccomp").compileSeccomp(spec.seccomp, machine as Machine);
  if (key !== undefined) store(sys, globals.root, key, { flags: spec.seccomp.flags, program: filter });
  return { spec, filter };
}

function readConfig(sys: Sys, path: string): string {
  const text = attempt(`read ${path}`, () => readFile(sys, null, path, CONFIG_LIMIT + 1));
  if (text.length > CONFIG_LIMIT) throw new Failure(`${path} must not be larger than ${CONFIG_LIMIT} bytes`);
  return text;
}

/** sd_listen_fds(3): the process gets the sockets of the caller, and is pid 1 as far as it knows. */
function withSockets(spec: Spec, count: number): Spec {
  if (count === 0) return spec;
  const env = [...spec.process.env, `LISTEN_FDS=${count}`, "LISTEN_PID=1"];
  return { ...spec, process: { ...spec.process, env } };
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
