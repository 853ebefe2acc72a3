/** `image rm`: names go, and with the last name of an image all that only it had. */
import { familiar, parseReference } from "../image/reference.ts";
import { findRecords, lockStore, makeStore, removeRecord, type Store } from "../image/store.ts";
import { sweepLeftovers, sweepUnused } from "../image/sweep.ts";
import { Worker } from "../image/worker.ts";
import { print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  makeStore(store);
  using worker = new Worker(sys, env);
  sweepLeftovers(store, worker);
  removeNames(store, parsed.operands);
  sweepUnused(store, worker);
  return 0;
}

function removeNames(store: Store, texts: readonly string[]): void {
  using _lock = lockStore(store);
  // All are looked up before the first goes: a mistake in one takes none away.
  const records = new Map(
    texts.flatMap((text) => findRecords(store, text)).map((record) => [record.name ?? record.id, record]),
  );
  for (const record of records.values()) {
    removeRecord(store, record);
    print(store.sys, `${record.name === undefined ? record.id : familiar(parseReference(record.name))}\n`);
  }
}
