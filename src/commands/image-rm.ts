/** `image rm`: names go, and with the last name of an image all that only it had. */
import { familiar, parseReference } from "../image/reference.ts";
import {
  fileOf,
  findRecords,
  lockStore,
  makeStore,
  readAllNamed,
  removeRecord,
  type ImageRecord,
  type Store,
} from "../image/store.ts";
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
  const found = texts.flatMap((text) => findRecords(store, text)).flatMap((record) => allOf(store, record));
  const records = new Map(found.map((record) => [fileOf(record), record]));
  for (const record of records.values()) removeRecord(store, record);
  const names = [...records.values()].map(({ name, id }) => (name === undefined ? id : familiar(parseReference(name))));
  for (const name of new Set(names)) print(store.sys, `${name}\n`);
}

/** With a name go its images for other machines; one of those goes alone, by its id. */
function allOf(store: Store, record: ImageRecord): ImageRecord[] {
  const isAlone = record.name === undefined || record.platform !== undefined;
  return isAlone ? [record] : readAllNamed(store, record.name);
}
