/** argv → table of commands → exit code. The only place that holds the real Sys. */
import { print, type Context, type Globals } from "./commands/context.ts";
import { Log } from "./commands/log.ts";
import { option, isSet } from "./commands/context.ts";
import { parseArguments } from "./commands/parse.ts";
import { COMMANDS, GLOBAL_FLAGS, type Command } from "./commands/table.ts";
import { resolve } from "./spec/paths.ts";
import { reasonOf } from "./sys/errno.ts";
import { Failure } from "./sys/failure.ts";
import type { Sys } from "./sys/sys.ts";
import type { Parsed } from "./commands/context.ts";

declare const VERSION: string;

/** Called by the host: gives the exit code. */
export function main(sys: Sys, args: readonly string[], env: readonly string[]): number {
  let log = new Log(sys, undefined, false);
  try {
    const parsed = parseArguments(args.slice(1), { flags: GLOBAL_FLAGS, greedy: true });
    if (isSet(parsed, "version")) return version(sys);
    log = new Log(sys, option(parsed, "log"), isJson(parsed));
    const [name, ...rest] = parsed.operands;
    const command = COMMANDS.find((known) => known.name === name);
    if (command === undefined) return unknownCommand(log, name);
    const context: Context = { sys, globals: globalsOf(sys, parsed, env), log, args, env };
    return dispatch(context, command, rest);
  } catch (error) {
    log.fatal(messageOf(error));
    return 1;
  }
}

function dispatch(context: Context, command: Command, args: readonly string[]): number {
  const parsed = parseArguments(args, command);
  const count = parsed.operands.length;
  if (count < command.least || count > command.most) {
    throw new Failure(`tsrun: "${command.name}" requires ${needs(command)}`);
  }
  return context.sys.load(command.module).run(context, parsed);
}

function needs({ least, most }: Command): string {
  if (least === most) return `exactly ${least} argument(s)`;
  return most === Infinity ? `a minimum of ${least} arguments` : `${least} to ${most} arguments`;
}

/** A failure's own words; anything else is a defect, and says where. */
function messageOf(error: unknown): string {
  if (error instanceof Failure || (error instanceof Error && error.name === "SpecError")) return error.message;
  if (!(error instanceof Error)) return String(error);
  const at = error.stack?.split("\n").map((line) => line.trim()).join(" ") ?? "";
  return `${reasonOf(error)} (this is a defect of tsrun: ${error.name} ${at})`;
}

function version(sys: Sys): number {
  print(sys, `tsrun version ${VERSION}\nspec: 1.3.0\n`);
  return 0;
}

function unknownCommand(log: Log, name: string | undefined): number {
  log.fatal(`No help topic for '${name ?? ""}'`);
  return 3;
}

function isJson(parsed: Parsed): boolean {
  const format = option(parsed, "log-format") ?? "text";
  if (format !== "text" && format !== "json") throw new Failure(`invalid log-format: ${format}`);
  return format === "json";
}

function globalsOf(sys: Sys, parsed: Parsed, env: readonly string[]): Globals {
  if (isSet(parsed, "systemd-cgroup") || option(parsed, "cgroup-manager") === "systemd") {
    throw new Failure("--systemd-cgroup is not supported yet: leave it out, and the cgroup is made in cgroupfs");
  }
  const here = sys.getcwd();
  const root = resolve(here, option(parsed, "root") ?? defaultRoot(sys, env, "XDG_RUNTIME_DIR", "/run/tsrun"));
  if (root === "/") throw new Failure("Option --root argument should not be set to /");
  const store = resolve(here, option(parsed, "store") ?? defaultRoot(sys, env, "XDG_DATA_HOME", "/var/lib/tsrun"));
  return { root, store, debug: isSet(parsed, "debug") };
}

function defaultRoot(sys: Sys, env: readonly string[], variable: string, system: string): string {
  if (sys.geteuid() === 0) return system;
  const base = env.find((entry) => entry.startsWith(`${variable}=`))?.slice(variable.length + 1);
  return base === undefined || base === "" ? system : `${base}/tsrun`;
}
