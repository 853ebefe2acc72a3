/** `image load`: from a layout or an archive into the store. */
import { loadImages } from "../image/load.ts";
import { printLoaded, viewFor } from "../image/progress.ts";
import { parsePlace, STANDARD_INPUT, type Place } from "../image/transport.ts";
import { Worker } from "../image/worker.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { option, type Context, type Parsed } from "./context.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys, globals, env } = context;
  const place = placeOf(sys, parsed);
  const input = sys.inherited(0);
  const worker = new Worker(sys, env, place === STANDARD_INPUT ? [input] : []);
  input.take();
  using _worker = worker;
  const { snapshotter } = globals;
  const view = viewFor(context, parsed, "load");
  const manner = { name: option(parsed, "name"), snapshotter, view };
  printLoaded(context, parsed, loadImages({ sys, path: globals.store }, worker, place, manner));
  view.close();
  return 0;
}

/** What is named, or else what comes on standard input. Throws a Failure. */
function placeOf(sys: Sys, parsed: Parsed): Place {
  const [operand] = parsed.operands;
  const input = option(parsed, "input");
  if (operand !== undefined && input !== undefined)
    throw new Failure("SOURCE and --input exclude each other: they are the same");
  const text = operand ?? input;
  if (text !== undefined) return parsePlace(text);
  const stream = sys.inherited(0);
  const isTerminal = sys.isTerminal(stream);
  stream.take();
  if (isTerminal) throw new Failure("nothing to load: name a SOURCE, or redirect an archive to standard input");
  return STANDARD_INPUT;
}
