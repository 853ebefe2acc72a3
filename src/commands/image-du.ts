/** `image du`: what takes which space. */
import { makeStore } from "../image/store.ts";
import { usageOf } from "../image/usage.ts";
import { sizeText } from "../image/words.ts";
import { Worker } from "../image/worker.ts";
import { print, type Context, type Parsed } from "./context.ts";
import { formatOf, table } from "./text-table.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const format = formatOf(parsed);
  makeStore(store);
  using worker = new Worker(sys, env);
  const rows = usageOf(store, worker);
  if (format === "json") {
    print(sys, `${JSON.stringify(rows)}\n`);
    return 0;
  }
  const cells = rows.map(({ what, count, active, bytes, reclaimable }) => [
    what,
    String(count),
    String(active),
    sizeText(bytes),
    sizeText(reclaimable),
  ]);
  print(sys, table([["WHAT", "COUNT", "IN USE", "SIZE", "RECLAIMABLE"], ...cells]));
  return 0;
}
