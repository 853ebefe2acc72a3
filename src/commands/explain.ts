/** `explain`: says what create or run would do, step by step, and why. It does nothing, and needs no rights. */
import type { Facts } from "../facts/facts.ts";
import { probe } from "../facts/probe.ts";
import { compileSeccomp, type Machine } from "../mechanisms/seccomp-compile.ts";
import { CONFIG_FILE } from "../container/paths.ts";
import type { Circumstances } from "../explain/circumstances.ts";
import { toJson } from "../explain/json.ts";
import { storySchema } from "../explain/schema.ts";
import { toShell } from "../explain/shell.ts";
import { tellStory } from "../explain/story.ts";
import { toText } from "../explain/text.ts";
import { quote } from "../explain/words.ts";
import { parseOutside } from "../image/transport.ts";
import { parseSpec } from "../spec/parse.ts";
import type { Spec } from "../spec/spec.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { absolutePath, isSet, option, print, type Context, type Parsed } from "./context.ts";
import { Usage } from "./errors.ts";
import { IMAGE_FLAGS } from "./image-flags.ts";
import { parseArguments } from "./parse.ts";
import { checkTerminal, isLasting } from "./prepare.ts";
import { preservedFds } from "./secure.ts";
import { COMMANDS } from "./table.ts";

/** More is no config.json. */
const CONFIG_LIMIT = 16 << 20;

export function run(context: Context, parsed: Parsed): number {
  const { sys } = context;
  const format = option(parsed, "format") ?? "text";
  if (format === "schema") {
    print(sys, `${JSON.stringify(storySchema(), undefined, 2)}\n`);
    return 0;
  }
  const notes: string[] = [];
  const all = circumstancesOf(context, parsed, notes);
  const title = `What "tsrun ${[...parsed.operands, ...parsed.rest].map(quote).join(" ")}" does`;
  switch (format) {
    case "text":
      print(sys, toText(title, notes, tellStory(all)));
      break;
    case "shell":
      print(sys, toShell(title, notes, all, tellStory(all)));
      break;
    case "json":
      for (const note of notes) context.log.warn(note);
      print(sys, toJson(tellStory(all)));
      break;
    default:
      throw new Usage(`invalid value ${JSON.stringify(format)} for flag -format: must be text, json, shell or schema`);
  }
  return 0;
}

/** The command that is explained, with its options read as it would read them itself. */
function circumstancesOf(context: Context, { operands }: Parsed, notes: string[]): Circumstances {
  const { sys, globals, env } = context;
  const [name, ...args] = operands;
  if (name !== "create" && name !== "run") {
    throw new Usage(`cannot explain ${JSON.stringify(name ?? "")}: only create and run`);
  }
  const parsed = parseCommand(name, args);
  const origin = originOf(context, parsed, isLasting(name, parsed));
  const { spec, image } = origin;
  const detach = name === "create" || isSet(parsed, "detach");
  checkTerminal(spec, parsed, detach);
  const facts = factsFor(sys, spec, notes);
  return {
    command: name,
    root: globals.root,
    id: origin.id,
    spec,
    configPath: origin.path,
    image,
    facts,
    filter: spec.seccomp === undefined ? new Uint8Array() : compileSeccomp(spec.seccomp, facts.machine as Machine),
    pivot: !isSet(parsed, "no-pivot"),
    newKeyring: !isSet(parsed, "no-new-keyring"),
    preserveFds: preservedFds(sys, env, parsed),
    detach,
    keep: isSet(parsed, "keep"),
    subreaper: !isSet(parsed, "no-subreaper"),
    consoleSocket: option(parsed, "console-socket"),
    pidfdSocket: option(parsed, "pidfd-socket"),
    pidFile: option(parsed, "pid-file"),
  };
}

/** Options and operands, with the refusals of main.ts. Throws a Usage. */
function parseCommand(name: string, args: readonly string[]): Parsed {
  const command = COMMANDS.find((known) => known.name === name);
  const parsed = parseArguments(args, { flags: command?.flags ?? [], greedy: false });
  const fromImage = option(parsed, "image") !== undefined;
  const stray = fromImage ? undefined : IMAGE_FLAGS.find((flag) => parsed.flags.has(flag.name));
  if (stray !== undefined) throw new Usage(`--${stray.name} goes with --image only: a bundle has its config.json`);
  const operands = fromImage ? parsed.operands : [...parsed.operands, ...parsed.rest];
  const fits = operands.length === 1 || (fromImage && operands.length === 0);
  if (!fits) throw new Usage(`"${name}" requires exactly 1 argument(s)`);
  return { ...parsed, operands };
}

interface Origin extends Pick<Circumstances, "id" | "spec" | "image"> {
  readonly path: string;
}

/** A bundle, or an image of the store; nothing is made of it. */
function originOf(context: Context, parsed: Parsed, lasting: boolean): Origin {
  const { sys } = context;
  const name = option(parsed, "image");
  if (name !== undefined) return imageOrigin(context, parsed, name, lasting);
  const bundle = absolutePath(sys, option(parsed, "bundle") || ".");
  const file = option(parsed, "config");
  const path = file === undefined ? `${bundle}/${CONFIG_FILE}` : absolutePath(sys, file);
  const config = attempt(`read ${path}`, () => readFile(sys, null, path, CONFIG_LIMIT));
  return { id: parsed.operands[0] ?? "", spec: parseSpec(config, bundle), image: undefined, path };
}

function imageOrigin(context: Context, parsed: Parsed, name: string, lasting: boolean): Origin {
  if (parseOutside(name) !== undefined) {
    throw new Failure(`cannot explain an image that has to be loaded first: tsrun image load ${name}`);
  }
  const prepared = context.sys.load("image-prepare").prepareImage(context, parsed, lasting);
  const { id, config, bundle, overlay, owned } = prepared;
  const spec = parseSpec(config, bundle);
  const emptyInput = !isSet(parsed, "interactive") && !isSet(parsed, "tty");
  return {
    id,
    spec: { ...spec, root: { ...spec.root, overlay } },
    image: { name, owned, emptyInput },
    path: `${bundle}/${CONFIG_FILE}`,
  };
}

/** What this host is like; where it cannot run containers, what another is like, with a note. */
function factsFor(sys: Sys, spec: Spec, notes: string[]): Facts {
  const facts = probeOrAssume(sys, notes);
  if (facts.euid !== 0)
    notes.push(
      `you are uid ${facts.euid}: the command itself needs root, and would end with an error where it does so first`,
    );
  const lacking = spec.cgroup.settings
    .map(({ controller }) => controller)
    .filter((name) => name !== "" && !facts.controllers.includes(name));
  if (lacking.length === 0) return facts;
  const missing = [...new Set(lacking)];
  notes.push(
    `the kernel offers no ${missing.join(" ")} controller in cgroup2 here: the command would refuse the limits that need it. They are explained as if it did`,
  );
  return { ...facts, controllers: [...facts.controllers, ...missing] };
}

function probeOrAssume(sys: Sys, notes: string[]): Facts {
  try {
    return probe(sys);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    notes.push(
      `this host cannot run containers (${error.message}). What follows is assumed of another one, with cgroup2 on /sys/fs/cgroup`,
    );
    const { release, machine } = sys.uname();
    return {
      kernelRelease: release,
      machine,
      euid: sys.geteuid(),
      cgroupMount: "/sys/fs/cgroup",
      ownCgroup: "/",
      controllers: ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"],
    };
  }
}
