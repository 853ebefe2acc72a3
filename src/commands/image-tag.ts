/** `image tag`: another name for an image. */
import { tagged } from "../image/load.ts";
import {
  findRecord,
  lockStore,
  makeStore,
  readAllNamed,
  removeRecord,
  writeRecord,
  type Store,
} from "../image/store.ts";
import { sweepUnused } from "../image/sweep.ts";
import { Worker } from "../image/worker.ts";
import type { Context, Parsed } from "./context.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const [image = "", name = ""] = parsed.operands;
  makeStore(store);
  using worker = new Worker(sys, env);
  rename(store, image, tagged(name));
  // The name may have been another image's last one.
  sweepUnused(store, worker);
  return 0;
}

function rename(store: Store, image: string, name: string): void {
  using _lock = lockStore(store);
  const record = findRecord(store, image);
  const others = record.name === undefined || record.platform !== undefined ? [] : readAllNamed(store, record.name);
  for (const stale of readAllNamed(store, name)) if (stale.platform !== undefined) removeRecord(store, stale);
  const { platform: _, ...main } = record;
  writeRecord(store, { ...main, name });
  for (const other of others) if (other.platform !== undefined) writeRecord(store, { ...other, name });
}
