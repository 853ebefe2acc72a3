/** `exec`: another process in a container that runs. */
import { SIGKILL } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { execIn, openRunning, type Executed } from "../container/exec.ts";
import { copySize, waitForProcess } from "../container/foreground.ts";
import { Parent } from "../container/parent.ts";
import { goOn, receive } from "../container/protocol.ts";
import { protectFrom } from "../container/protect.ts";
import { readFilter } from "../container/filter.ts";
import { processOf } from "../container/start.ts";
import { knownSeccomp } from "../mechanisms/seccomp-cache.ts";
import { openContainer } from "../container/state.ts";
import { CAPABILITIES, parseProcessFile } from "../spec/parse-process.ts";
import type { CapName, Process, User } from "../spec/spec.ts";
import { isDigits } from "../spec/text.ts";
import { announce, TELLING } from "./announce.ts";
import { isSet, option, type Context, type Parsed } from "./context.ts";
import { checkTerminal } from "./prepare.ts";
import { preservedFds } from "./secure.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys, globals } = context;
  const [id = ""] = parsed.operands;
  sys.phase("open the container");
  const held = openContainer(sys, globals.root, id);
  using init = openRunning(sys, held, isSet(parsed, "ignore-paused"));
  sys.phase("read the filter");
  const filter = readFilter(sys, held.directory);
  sys.phase("parse config.json");
  const own = processOf(sys, held);
  const process = wanted(sys, parsed, own);
  protectFrom([own, process], context);
  const detach = isSet(parsed, "detach");
  checkTerminal({ process }, parsed, detach);
  // Nothing of the host is open from here on: see execIn.
  held[Symbol.dispose]();
  using signals = sys.signalFd();
  const atOnce = !process.terminal && TELLING.every((name) => option(parsed, name) === undefined);
  const executed = execIn(sys, held.state, init, {
    atOnce,
    process,
    seccomp: filter === undefined ? undefined : knownSeccomp(filter.flags, () => undefined),
    filter: filter?.program ?? new Uint8Array(),
    preserveFds: preservedFds(sys, context.env, parsed),
    cgroup: subCgroup(option(parsed, "cgroup")),
  });
  sys.phase("start: wait for execve");
  begin(sys, executed, parsed, atOnce);
  sys.phase("wait for the end");
  if (detach) return 0;
  return waitForProcess(sys, { ...executed, signals, input: true });
}

function begin(sys: Sys, executed: Executed, parsed: Parsed, atOnce: boolean): void {
  try {
    if (atOnce) {
      new Parent(sys, executed.channel, ["ready"]).expect("ready");
    } else {
      announce(sys, parsed, "setns", executed);
      if (!isSet(parsed, "detach") && executed.terminal !== undefined) copySize(sys, executed.terminal);
      goOn(sys, executed.channel);
    }
    const failure = receive(sys, executed.channel);
    if (failure !== undefined) throw new Failure(failure.text);
  } catch (error) {
    sys.pidfdSendSignal(executed.pidfd, SIGKILL);
    sys.wait(executed.pid, true);
    throw error;
  }
}

/** The process of a file, or the container's own with what the options change. */
function wanted(sys: Sys, parsed: Parsed, process: Process): Process {
  const file = option(parsed, "process");
  const [, ...args] = parsed.operands;
  if (file !== undefined) {
    const text = attempt(`read the process ${file}`, () => readFile(sys, null, file, 1 << 20));
    return parseProcessFile(text, process);
  }
  if (args.length === 0) throw new Failure("process args cannot be empty");
  return {
    ...process,
    args,
    terminal: isSet(parsed, "tty"),
    consoleSize: undefined,
    env: [...process.env, ...(parsed.flags.get("env") ?? [])],
    cwd: option(parsed, "cwd") ?? process.cwd,
    user: userOf(process.user, parsed),
    capabilities: addCapabilities(process.capabilities, parsed.flags.get("cap") ?? []),
    noNewPrivileges: process.noNewPrivileges || isSet(parsed, "no-new-privs"),
  };
}

function userOf(base: User, parsed: Parsed): User {
  const [uid, gid, ...more] = (option(parsed, "user") ?? `${base.uid}:${base.gid}`).split(":");
  if (more.length > 0) throw new Failure("--user must be UID or UID:GID");
  const groups = (parsed.flags.get("additional-gids") ?? []).map((text) => idOf(text, "additional-gids"));
  return {
    ...base,
    uid: idOf(uid ?? "", "user"),
    gid: gid === undefined ? base.gid : idOf(gid, "user"),
    additionalGids: [...base.additionalGids, ...groups],
  };
}

/** 0 to 2^32-2, and nothing that is not a number becomes root (CVE-2026-30892, CVE-2024-40635). */
function idOf(text: string, name: string): number {
  if (!isDigits(text) || Number(text) > 0xfffffffe)
    throw new Failure(`--${name}: ${JSON.stringify(text)} is not an id`);
  return Number(text);
}

/** Bounding, permitted and effective; never inheritable (CVE-2022-29162). */
function addCapabilities(base: Process["capabilities"], names: readonly string[]): Process["capabilities"] {
  const added = names.map((name) => {
    const upper = name.toUpperCase();
    const full = (upper.startsWith("CAP_") ? upper : `CAP_${upper}`) as CapName;
    if (!CAPABILITIES.includes(full)) throw new Failure(`--cap: ${name} is no capability`);
    return full;
  });
  const union = (set: readonly CapName[]): CapName[] => [...new Set([...set, ...added])];
  return {
    ...base,
    bounding: union(base.bounding),
    permitted: union(base.permitted),
    effective: union(base.effective),
  };
}

function subCgroup(path: string | undefined): string {
  if (path === undefined) return "/";
  const clean = path.slice(path.indexOf(":") + 1);
  if (clean.split("/").includes("..")) throw new Failure("--cgroup must be below the container's cgroup");
  return clean.startsWith("/") ? clean : `/${clean}`;
}
