/** `image load`: from a layout or an archive into the store. */
import { familiar, parseReference } from "../image/reference.ts";
import { loadImages } from "../image/load.ts";
import { parsePlace } from "../image/transport.ts";
import { progressTo } from "../image/progress.ts";
import { Worker } from "../image/worker.ts";
import { isSet, option, print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const place = parsePlace(parsed.operands[0] ?? "");
  using worker = new Worker(sys, env);
  const told = isSet(parsed, "progress") ? progressTo(sys) : {};
  const manner = { name: option(parsed, "name"), snapshotter: globals.snapshotter, told };
  for (const { record } of loadImages({ sys, path: globals.store }, worker, place, manner)) {
    print(sys, `${record.name === undefined ? record.id : familiar(parseReference(record.name))}\n`);
  }
  return 0;
}
