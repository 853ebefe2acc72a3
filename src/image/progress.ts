/** What `image pull` and `image load` say, by their options. */
import { isSet, option, print, type Context, type Parsed } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import type { Loaded } from "./load.ts";
import { SILENT, viewOf, type Doing, type PullView } from "./pull-view.ts";
import { familiar, parseReference } from "./reference.ts";

/** The view that the options ask for. Throws a Failure. */
export function viewFor(context: Context, parsed: Parsed, doing: Doing): PullView {
  const kind = option(parsed, "progress") ?? "auto";
  const view = viewOf(context, kind, doing);
  if (view === undefined)
    throw new Failure(`--progress must be auto, plain or json: current value is ${JSON.stringify(kind)}`);
  return isSet(parsed, "quiet") ? SILENT : view;
}

/** Says what there is now, one name a line, unless the view has said all. */
export function printLoaded(context: Context, parsed: Parsed, loaded: readonly Loaded[]): void {
  if (option(parsed, "progress") === "json" && !isSet(parsed, "quiet")) return;
  // Images of one name for several machines are one to whoever asks for it.
  const names = loaded.map(({ record: { name, id } }) => (name === undefined ? id : familiar(parseReference(name))));
  for (const name of new Set(names)) print(context.sys, `${name}\n`);
}
