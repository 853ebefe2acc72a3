/** `ps`: the processes of a container, by their numbers on the host. */
import { cgroupOf, openContainer, type State } from "../container/state.ts";
import { processesOf } from "../mechanisms/cgroup-removal.ts";
import { openCgroup, type CgroupPlace } from "../mechanisms/cgroup2.ts";
import { X_OK } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { startPiped } from "../sys/spawn.ts";
import type { Sys } from "../sys/sys.ts";
import { option, print, variable, type Context, type Parsed } from "./context.ts";

/** More than any host's table of processes. */
const OUTPUT_LIMIT = 64 << 20;

export function run(context: Context, parsed: Parsed): number {
  const { sys, globals } = context;
  const format = option(parsed, "format") ?? "table";
  if (format !== "table" && format !== "json") throw new Failure("invalid format option");
  const [id = "", ...args] = parsed.operands;
  using held = openContainer(sys, globals.root, id);
  const pids = pidsOf(sys, held.state);
  if (format === "json") print(sys, `${JSON.stringify(pids)}\n`);
  else print(sys, onlyRowsOf(pids, hostTable(context, args.length === 0 ? ["-ef"] : args)));
  return 0;
}

/** All that are in the container's cgroup; none where it has gone with its last process. */
function pidsOf(sys: Sys, state: State): number[] {
  const cgroup = cgroupFor(state);
  try {
    using opened = openCgroup(sys, cgroup);
    return processesOf(sys, opened);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV")) return [];
    throw new Failure(`cannot read the processes of cgroup ${cgroup.path}`, error);
  }
}

/** With the words that runc begins with. */
function cgroupFor(state: State): CgroupPlace {
  try {
    return cgroupOf(state);
  } catch (cause) {
    throw new Failure("unable to get all container pids", cause);
  }
}

/** What the host's ps(1) prints. Its errors are read last: they are few lines, which a pipe holds. */
function hostTable({ sys, env }: Context, args: readonly string[]): string {
  const path = findProgram(sys, "ps", variable(env, "PATH"));
  const program = startPiped(sys, { path, args: ["ps", ...args], env });
  using _pidfd = program.pidfd;
  using output = program.output;
  using errors = program.errors;
  program.input[Symbol.dispose]();
  const text = sys.readText(output, OUTPUT_LIMIT);
  const said = sys.readText(errors, 1 << 16).trim();
  const { code, signal } = sys.wait(program.pid, true);
  if (code === 0 && signal === 0) return text;
  throw new Failure(
    `ps ${args.join(" ")} ${signal === 0 ? `ended with ${code}` : `was killed by signal ${signal}`}: ${said}`,
  );
}

function findProgram(sys: Sys, name: string, path: string): string {
  for (const directory of path.split(":").filter((each) => each.startsWith("/"))) {
    try {
      sys.faccessat(null, `${directory}/${name}`, X_OK);
      return `${directory}/${name}`;
    } catch {
      continue; // Not in this one.
    }
  }
  throw new Failure(`${name}: executable file not found in $PATH (--format json needs none)`);
}

/** The header, and the lines whose column PID has one of `pids`. Throws a Failure where no column has that name. */
export function onlyRowsOf(pids: readonly number[], text: string): string {
  const [header = "", ...lines] = text.split("\n");
  const column = fieldsOf(header).indexOf("PID");
  if (column < 0) throw new Failure("couldn't find PID field in ps output: the arguments must ask for it");
  const wanted = new Set(pids.map(String));
  return [header, ...lines.filter((line) => wanted.has(fieldsOf(line)[column] ?? ""))]
    .map((line) => `${line}\n`)
    .join("");
}

function fieldsOf(line: string): string[] {
  return line.split(" ").filter((field) => field !== "");
}
