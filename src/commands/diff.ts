/** `diff`: what a container has changed of its image. */
import { openContainer } from "../container/state.ts";
import { diffContainer } from "../image/diff.ts";
import { Failure } from "../sys/failure.ts";
import { option, print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const format = option(parsed, "format") ?? "table";
  if (format !== "table" && format !== "json")
    throw new Failure(`invalid format option: ${JSON.stringify(format)} (table or json)`);
  using held = openContainer(sys, globals.root, parsed.operands[0] ?? "");
  const changes = diffContainer(sys, env, held).map(({ kind, path }) => ({ kind, path }));
  print(
    sys,
    format === "json" ? `${JSON.stringify(changes)}\n` : changes.map(({ kind, path }) => `${kind} ${path}\n`).join(""),
  );
  return 0;
}
