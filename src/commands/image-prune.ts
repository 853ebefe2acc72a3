/** `image prune`: what nothing uses goes. */
import { pruneStore } from "../image/prune.ts";
import { makeStore } from "../image/store.ts";
import { sizeText } from "../image/words.ts";
import { Worker } from "../image/worker.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const dryRun = isSet(parsed, "dry-run");
  makeStore(store);
  using worker = new Worker(sys, env);
  const { images, paths, bytes } = pruneStore(store, worker, { all: isSet(parsed, "all"), dryRun });
  for (const text of [...images, ...paths]) print(sys, `${text}\n`);
  print(sys, `${dryRun ? "would free" : "freed"} ${sizeText(bytes)}\n`);
  return 0;
}
