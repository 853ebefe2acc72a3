/** argv → table of commands → exit code. The only place that holds the real Sys. */
import { isSet, option, print, variable, type Context, type Parsed } from "./commands/context.ts";
import { UnknownCommand, Usage } from "./commands/errors.ts";
import { globalsOf } from "./commands/globals.ts";
import { IMAGE_FLAGS } from "./commands/image-flags.ts";
import { Log, PLAIN } from "./commands/log.ts";
import { countsOf, parseArguments } from "./commands/parse.ts";
import { secure } from "./commands/secure.ts";
import { findCommand, GLOBAL_FLAGS, type Command, type Flag, type Found } from "./commands/table.ts";
import { isSysError, reasonOf } from "./sys/errno.ts";
import { Failure } from "./sys/failure.ts";
import type { Modules } from "./sys/modules.ts";
import type { Sys } from "./sys/sys.ts";

declare const VERSION: string;

const HELP: Flag = { name: "help", short: "h", help: "show help" };

/** What a failure is told with: it grows with what is known of the command line. */
interface Teller {
  log: Log;
  command: Command | undefined;
  /** Whether it makes a container from an image: its exit codes are docker's then. */
  fromImage: boolean;
}

/** Called by the host: gives the exit code. */
export function main(native: Sys, args: readonly string[], env: readonly string[]): number {
  const sys = traced(native, variable(env, "DEBUG"));
  const teller: Teller = { log: new Log(sys, PLAIN), command: undefined, fromImage: false };
  sys.phase("arguments");
  try {
    return begin({ sys, args, env }, teller);
  } catch (error) {
    return fail(sys, teller, error);
  } finally {
    if (variable(env, "TSRUN_TRACE").startsWith("phases")) sys.load("phases").writePhases(sys);
  }
}

/** The system calls, written down one by one for DEBUG=tsrun:sys. Other programs' words in DEBUG load nothing. */
function traced(native: Sys, names: string): Sys {
  if (names === "" || !(names.includes("tsrun") || names.includes("*"))) return native;
  return loadWithRegExp(native, "trace").trace(native, names);
}

function begin({ sys, args, env }: Pick<Context, "sys" | "args" | "env">, teller: Teller): number {
  const parsed = parseArguments(args.slice(1), { flags: GLOBAL_FLAGS, greedy: true });
  if (isSet(parsed, "help")) return help(sys, []);
  if (isSet(parsed, "version")) return version(sys);
  const debug = isSet(parsed, "debug");
  teller.log = new Log(sys, {
    path: option(parsed, "log") ?? "",
    format: option(parsed, "log-format") ?? "text",
    debug,
  });
  const globals = globalsOf(sys, parsed, env);
  const words = [...parsed.operands, ...parsed.rest];
  if (words.length === 0) return help(sys, []);
  const found = findCommand(words);
  if (found === undefined)
    return help(
      sys,
      words.filter((word) => word !== "--help" && word !== "-h"),
    );
  teller.command = found.command;
  teller.fromImage = isFromImage(found);
  return dispatch({ sys, globals, log: teller.log, args, env }, teller, found);
}

function dispatch(context: Context, teller: Teller, { command, args }: Found): number {
  const { sys, globals } = context;
  const parsed = gather(
    command,
    parseArguments(args, { flags: [...command.flags, HELP], greedy: command.greedy === true }),
  );
  if (isSet(parsed, "help")) return help(sys, command.name.split(" "));
  const problem = countProblem(command, parsed);
  if (problem !== undefined)
    throw new Usage(`${context.args[0] ?? "tsrun"}: "${command.name}" requires ${problem}`, { heading: "." });
  if (command.secures === true) secure(sys, context.env, parsed);
  context.log.open();
  if (command.makesCgroup === true && globals.cgroupManager === "systemd") {
    throw new Failure(
      "systemd as the manager of cgroups is not supported yet: leave --systemd-cgroup out, or choose cgroupfs where the caller is set up " +
        '(podman --cgroup-manager=cgroupfs; containerd: SystemdCgroup = false; CRI-O: cgroup_manager = "cgroupfs")',
    );
  }
  if (command.module === "commands-help") return help(sys, parsed.operands);
  return sys.load(command.module).run(context, parsed);
}

/** Whether a container is to be made from an image: known before the options are, whose mistakes have docker's exit code then. */
function isFromImage({ command: { apart }, args }: Found): boolean {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  return apart !== undefined && own.some((arg) => ["-", "--"].some((dashes) => arg.split("=")[0] === dashes + apart));
}

/** What follows "--" is operands too, unless the command keeps it apart. */
function gather({ apart }: Command, parsed: Parsed): Parsed {
  if (apart !== undefined && option(parsed, apart) !== undefined) return parsed;
  const stray = apart === undefined ? undefined : IMAGE_FLAGS.find(({ name }) => parsed.flags.has(name));
  if (stray !== undefined)
    throw new Usage(`--${stray.name} goes with --${apart ?? ""} only: a bundle has its config.json`);
  return { ...parsed, operands: [...parsed.operands, ...parsed.rest], rest: [] };
}

/** What is wrong with the number of operands, in runc's words. */
function countProblem({ apart, operands }: Command, parsed: Parsed): string | undefined {
  const { least, most } = countsOf(operands);
  const count = parsed.operands.length;
  const needed = apart !== undefined && option(parsed, apart) !== undefined ? 0 : least;
  if (count >= needed && count <= most) return undefined;
  if (needed === most) return `exactly ${most} argument(s)`;
  return count < needed ? `a minimum of ${needed} argument(s)` : `a maximum of ${most} argument(s)`;
}

function help(sys: Sys, topic: readonly string[]): number {
  print(sys, loadWithRegExp(sys, "commands-help").helpOf(sys, topic));
  return 0;
}

/** A module with a library in it that wants regular expressions, which are added to the engine once. */
function loadWithRegExp<Name extends "commands-help" | "trace">(sys: Sys, name: Name): Modules[Name] {
  if (!("RegExp" in globalThis)) sys.enableRegExp();
  return sys.load(name);
}

function version(sys: Sys): number {
  print(sys, `tsrun version ${VERSION}\nspec: 1.3.0\n`);
  return 0;
}

function fail(sys: Sys, { log, command, fromImage }: Teller, error: unknown): number {
  const hint = error instanceof Usage ? showUsage(sys, command, error) : "";
  log.fatal(`${messageOf(error)}${hint}`, error);
  if (isDefect(error)) log.details(error.stack ?? "");
  if (error instanceof UnknownCommand) return 3;
  if (error instanceof Usage) return fromImage ? 125 : 1;
  return fromImage ? dockerCode(messageOf(error)) : (command?.failure ?? 1);
}

/** docker run, "Exit status": 125 for a failure of the runtime, 126 for a command that cannot be run, 127 for one that is not there. */
function dockerCode(message: string): number {
  if (!message.startsWith("exec: ")) return 125;
  return message.includes("executable file not found") || message.includes("no such file or directory") ? 127 : 126;
}

/** Prints the help that a wrong use calls for; gives what was probably meant. */
function showUsage(sys: Sys, command: Command | undefined, { heading, unknown }: Usage): string {
  const topic = command?.name.split(" ") ?? [];
  const { helpOf, hintForOption } = loadWithRegExp(sys, "commands-help");
  try {
    print(sys, `Incorrect Usage${heading}\n\n${helpOf(sys, topic)}`);
  } catch {
    // Nobody reads standard output: the failure is told on standard error all the same.
  }
  return hintForOption(topic, unknown);
}

/** A failure's own words; anything else is a defect, which --debug says more about. */
function messageOf(error: unknown): string {
  const limit = limitOf(error);
  if (limit !== undefined) return limit;
  if (isDefect(error)) return `this is a defect of tsrun: ${error.name}: ${reasonOf(error)}`;
  return isSysError(error) ? `${error.call}: ${reasonOf(error)}` : reasonOf(error);
}

function isDefect(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof Failure || limitOf(error) !== undefined) return false;
  return error.name !== "SpecError" && !isSysError(error);
}

/** What is said where the engine came to an end of its memory (null where it had not even that for an error) or stack. */
function limitOf(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : "";
  if (error === null || message === "out of memory") return "out of memory: config.json is too large?";
  if (message === "Maximum call stack size exceeded")
    return "out of stack: config.json is nested too deeply, or ulimit -s is too small";
  return undefined;
}
