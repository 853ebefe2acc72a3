/** `help`, and every help text: commander formats what the table of commands says. */
import { Command as Program, Option } from "commander";
import type { Sys } from "../sys/sys.ts";
import { UnknownCommand } from "./errors.ts";
import { IMAGE_FLAGS } from "./image-flags.ts";
import { COMMANDS, findCommand, GLOBAL_FLAGS, type Command, type Flag } from "./table.ts";

const HELP: Flag = { name: "help", short: "h", help: "show help" };
const WIDTH = 100;
const OPTIONS = "[options]";

/** The help of a command, of a group of commands, or with no `topic` of all. Throws an UnknownCommand. */
export function helpOf(sys: Sys, topic: readonly string[]): string {
  const helpWidth = widthOf(sys);
  return program(topic)
    .configureHelp({ helpWidth, minWidthToWrap: 20, optionTerm: termOf, subcommandTerm: nameOf })
    .helpInformation();
}

/** What was probably meant by an option of `topic` that does not exist: " (did you mean …?)", or "". */
export function hintForOption(topic: readonly string[], typed: string): string {
  return typed.length < 2 ? "" : hint(program(topic), `--${typed}`);
}

function program(topic: readonly string[]): Program {
  if (topic.length === 0) return wholeProgram();
  const found = findCommand(topic);
  if (found !== undefined) return commandProgram(found.command, `tsrun ${found.command.name}`);
  const [group = ""] = topic;
  const members = COMMANDS.filter(({ name }) => name.startsWith(`${group} `));
  if (members.length > 0 && topic.length === 1) return groupProgram(group, members);
  if (members.length === 0) throw new UnknownCommand(group, hint(wholeProgram(), group));
  throw new UnknownCommand(topic.slice(0, 2).join(" "), hint(groupProgram(group, members), topic[1] ?? ""));
}

function wholeProgram(): Program {
  const whole = emptyProgram("tsrun", GLOBAL_FLAGS)
    .usage("[global options] COMMAND [options] [arguments]")
    .description("Runs containers: OCI bundles and images. A drop-in for runc.");
  for (const command of COMMANDS) whole.addCommand(commandProgram(command, command.name));
  return whole;
}

function groupProgram(group: string, members: readonly Command[]): Program {
  const whole = emptyProgram(`tsrun ${group}`, [HELP]).usage("COMMAND [options] [arguments]");
  for (const command of members) whole.addCommand(commandProgram(command, command.name.slice(group.length + 1)));
  return whole;
}

function commandProgram(command: Command, name: string): Program {
  const { alias, summary, flags } = command;
  const shown = emptyProgram(name, [...flags, HELP])
    .usage(usageOf(command, name))
    .description(summary);
  return alias === undefined ? shown : shown.alias(alias);
}

/** With an image a command takes other operands: that is a second line. */
function usageOf({ operands, apart, flags }: Command, name: string): string {
  const plain = `${OPTIONS} ${operands}`.trim();
  const flag = flags.find((known) => known.name === apart);
  if (flag === undefined) return plain;
  return `${plain}\n       ${name} --${flag.name} ${flag.value ?? ""} ${OPTIONS} [ID] [-- COMMAND [ARG...]]`;
}

function emptyProgram(name: string, flags: readonly Flag[]): Program {
  const empty = new Program(name).helpOption(false).helpCommand(false);
  for (const flag of flags) empty.addOption(optionOf(flag));
  return empty;
}

function optionOf(flag: Flag): Option {
  const { name, short, value, help, hidden, refused } = flag;
  const names = short === undefined ? `--${name}` : `-${short}, --${name}`;
  const words = refused === true ? `${help} (not supported yet)` : help;
  const option = new Option(value === undefined ? names : `${names} <${value}>`, words);
  if (IMAGE_FLAGS.includes(flag)) option.helpGroup("Options with an image:");
  return hidden === true ? option.hideHelp() : option;
}

/** Long options under each other, also those without a short one. */
function termOf({ flags, short }: Option): string {
  return short === undefined ? `    ${flags}` : flags;
}

/** A command in the list of them: its name and operands. Every one has options, which need no mention. */
function nameOf(command: Program): string {
  const [usage = ""] = command.usage().split("\n");
  return `${command.name()} ${usage.slice(OPTIONS.length).trim()}`.trim();
}

/** commander's guess, which it adds to its own message in parentheses. */
function hint(shown: Program, typed: string): string {
  try {
    shown
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .parse([typed], { from: "user" });
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    const begin = message.indexOf("(Did you mean");
    return begin < 0 ? "" : ` (d${message.slice(begin + 2)}`;
  }
  return "";
}

/** As wide as the terminal, up to what reads well. */
function widthOf(sys: Sys): number {
  const stdout = sys.inherited(1);
  const [columns = 0] = sys.isTerminal(stdout) ? sys.windowSize(stdout) : [];
  stdout.take();
  return columns === 0 ? WIDTH : Math.min(columns, WIDTH);
}
