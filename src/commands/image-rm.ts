/** `image rm`: names go, and with the last name of an image all that only it had. */
import { familiar, parseReference } from "../image/reference.ts";
import { findRecords, lockStore, makeStore, removeRecord } from "../image/store.ts";
import { sweepLeftovers, sweepUnused } from "../image/sweep.ts";
import { Worker } from "../image/worker.ts";
import { print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  makeStore(store);
  using _lock = lockStore(store);
  // All are looked up before the first goes: a mistake in one takes none away.
  const records = new Map(
    parsed.operands.flatMap((text) => findRecords(store, text)).map((record) => [record.name ?? record.id, record]),
  );
  using worker = new Worker(sys, env);
  for (const record of records.values()) {
    removeRecord(store, record);
    print(sys, `${record.name === undefined ? record.id : familiar(parseReference(record.name))}\n`);
  }
  sweepLeftovers(store, worker);
  sweepUnused(store, worker);
  return 0;
}
