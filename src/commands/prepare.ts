/** What create and run have in common: from options and a bundle to a request. */
import { Failure, attempt } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { probe } from "../facts/probe.ts";
import { compileSeccomp, type Machine } from "../mechanisms/seccomp-compile.ts";
import type { CreateRequest } from "../container/create.ts";
import { protectOwnFile } from "../container/protect.ts";
import { CONFIG_FILE } from "../container/paths.ts";
import { resolve } from "../spec/paths.ts";
import { parseSpec } from "../spec/parse.ts";
import type { Seccomp, Spec } from "../spec/spec.ts";
import { isSet, option, type Context, type Parsed } from "./context.ts";
import { countOf } from "./parse.ts";

/** More is no config.json. */
const CONFIG_LIMIT = 16 << 20;

/** Reads the bundle and checks the options against it. Throws a Failure or a SpecError; nothing has been changed then. */
export function prepare(context: Context, parsed: Parsed, start: CreateRequest["start"]): CreateRequest {
  const { sys, globals } = context;
  const preserveFds = checkPreserved(context, countOf(option(parsed, "preserve-fds"), "preserve-fds"));
  secure(context, preserveFds);
  const bundle = resolve(sys.getcwd(), option(parsed, "bundle") ?? ".");
  const config = readConfig(sys, bundle);
  const spec = parseSpec(config, bundle);
  checkTerminal(spec, parsed, start === "fifo" || isSet(parsed, "detach"));
  const facts = probe(sys);
  return {
    root: globals.root,
    id: parsed.operands[0] ?? "",
    spec,
    config,
    filter: filterOf(spec.seccomp, facts.machine),
    facts,
    pivot: !isSet(parsed, "no-pivot"),
    newKeyring: !isSet(parsed, "no-new-keyring"),
    preserveFds,
    start,
    owned: undefined,
  };
}

/** Closes what a caller left open (buildah leaks its pipes), and takes the program's file out of the container's reach. */
export function secure({ sys, args, env }: Context, preserveFds: number): void {
  sys.closeRange(3 + preserveFds, 0xffffffff, 0);
  protectOwnFile(sys, args, env);
}

/** Each of the descriptors must be there; those of LISTEN_FDS count too, see sd_listen_fds(3). Throws a Failure. */
export function checkPreserved({ sys, env }: Context, asked: number): number {
  const count = asked + listenFds(sys, env);
  for (let number = 0; number < count; number++) {
    try {
      sys.inherited(3 + number).take();
    } catch {
      throw new Failure(`unable to stat preserved-fd ${number} (of ${count})`);
    }
  }
  return count;
}

export function listenFds(sys: Sys, env: readonly string[]): number {
  const value = (name: string): string => env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  if (value("LISTEN_PID") !== String(sys.getpid())) return 0;
  const count = Number(value("LISTEN_FDS"));
  return Number.isInteger(count) && count > 0 ? count : 0;
}

function readConfig(sys: Sys, bundle: string): string {
  return attempt(`read ${bundle}/${CONFIG_FILE}`, () => readFile(sys, null, `${bundle}/${CONFIG_FILE}`, CONFIG_LIMIT));
}

/** The compiled filter, empty where there is none. */
export function filterOf(seccomp: Seccomp | undefined, machine: string): Uint8Array {
  return seccomp === undefined ? new Uint8Array() : compileSeccomp(seccomp, machine as Machine);
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

