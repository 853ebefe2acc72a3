/** `list`: every container below the root. */
import { checkId } from "../container/paths.ts";
import { listIds, openContainer } from "../container/state.ts";
import { reasonOf } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { openDirectory, readFileIfAny, statOf } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { isSet, option, print, type Context, type Parsed } from "./context.ts";
import { describe, type Description } from "./state.ts";
import { table } from "./text-table.ts";

export function run(context: Context, parsed: Parsed): number {
  const format = option(parsed, "format") ?? "table";
  if (format !== "table" && format !== "json") throw new Failure("invalid format option");
  const containers = allContainers(context);
  print(
    context.sys,
    isSet(parsed, "quiet") ? containers.map(({ id }) => `${id}\n`).join("") : formatted(containers, format),
  );
  return 0;
}

function formatted(containers: readonly Description[], format: "table" | "json"): string {
  // An empty list is null for runc, and so for everyone who reads it.
  if (format === "json") return `${JSON.stringify(containers.length === 0 ? null : containers)}\n`;
  const header = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
  const rows = containers.map(({ id, pid, status, bundle, created, owner }) => [
    id,
    String(pid),
    status,
    bundle,
    created,
    owner,
  ]);
  return table([header, ...rows]);
}

/** A container that goes away meanwhile is left out; one that is damaged is told of, and left out. */
function allContainers({ sys, globals, log }: Context): Description[] {
  const { root, rootGiven } = globals;
  if (rootGiven) checkRoot(sys, root);
  const ownerOf = owners(sys);
  const found: Description[] = [];
  for (const id of listIds(sys, root).filter(isId)) {
    try {
      using held = openContainer(sys, root, id);
      found.push({ ...describe(sys, held), owner: ownerOf(statOf(sys, held.directory).uid) });
    } catch (error) {
      if (reasonOf(error) !== "container does not exist") log.warn(`load container ${id}: ${reasonOf(error)}`);
    }
  }
  return found;
}

/** What is on its way out has a name that no container can have. */
function isId(name: string): boolean {
  try {
    checkId(name);
    return true;
  } catch {
    return false;
  }
}

function checkRoot(sys: Sys, root: string): void {
  try {
    openDirectory(sys, null, root)[Symbol.dispose]();
  } catch (error) {
    throw new Failure(`cannot list ${root}`, error);
  }
}

/** Names of users, from the host's passwd(5), which is read for the first one; a number that has none stays one. */
function owners(sys: Sys): (uid: number) => string {
  let names: ReadonlyMap<string, string> | undefined;
  return (uid) => {
    names ??= new Map(
      (readFileIfAny(sys, null, "/etc/passwd") ?? "")
        .split("\n")
        .toReversed()
        .map((line) => {
          const [name = "", , id = ""] = line.split(":");
          return [id, name];
        }),
    );
    return names.get(String(uid)) ?? `#${uid}`;
  };
}
