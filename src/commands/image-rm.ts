/** `image rm`: names go, and with the last name of an image all that only it had, but not while a container uses it. */
import { lockContainers, lookAtContainers } from "../image/containers.ts";
import { familiar, parseReference } from "../image/reference.ts";
import {
  fileOf,
  findRecords,
  listRecords,
  lockStore,
  makeStore,
  readAllNamed,
  removeRecord,
  type ImageRecord,
  type Store,
} from "../image/store.ts";
import { sweepLeftovers, sweepUnused } from "../image/sweep.ts";
import { Worker } from "../image/worker.ts";
import { Failure } from "../sys/failure.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  makeStore(store);
  using worker = new Worker(sys, env);
  sweepLeftovers(store, worker);
  const names = removeNames(store, parsed.operands, isSet(parsed, "force"));
  sweepUnused(store, worker);
  for (const name of names) print(sys, `${name}\n`);
  return 0;
}

/** Gives what it has removed, for people. Throws a Failure, and all names are there then. */
function removeNames(store: Store, texts: readonly string[], force: boolean): Set<string> {
  using _lock = lockStore(store);
  using _containers = lockContainers(store, "remover");
  // All are looked up before the first goes: a mistake in one takes none away.
  const found = texts.flatMap((text) => findRecords(store, text)).flatMap((record) => allOf(store, record));
  const records = new Map(found.map((record) => [fileOf(record), record]));
  if (!force) checkUnused(store, records);
  for (const record of records.values()) removeRecord(store, record);
  return new Set([...records.values()].map(textOf));
}

/** A container would have an image that nobody finds any more: as docker, throws a Failure, unless other records lead to it. */
function checkUnused(store: Store, going: ReadonlyMap<string, ImageRecord>): void {
  const { used } = lookAtContainers(store);
  for (const record of going.values()) {
    const user = used.find(({ id }) => id === record.id);
    if (user === undefined) continue;
    if (listRecords(store).some((each) => each.id === record.id && !going.has(fileOf(each)))) continue;
    throw new Failure(
      `cannot remove ${textOf(record)}: container ${user.container} uses the image, which would have no name left ` +
        "(--force takes the name away, and the layers go when the container has been deleted)",
    );
  }
}

function textOf({ name, id }: ImageRecord): string {
  return name === undefined ? id : familiar(parseReference(name));
}

/** With a name go its images for other machines; one of those goes alone, by its id. */
function allOf(store: Store, record: ImageRecord): ImageRecord[] {
  const isAlone = record.name === undefined || record.platform !== undefined;
  return isAlone ? [record] : readAllNamed(store, record.name);
}
