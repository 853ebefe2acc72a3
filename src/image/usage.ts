/** What takes which space in the store. */
import { lookAtContainers } from "./containers.ts";
import { listRecords, lockStore, namesIn, type Store } from "./store.ts";
import { findLeftovers, findUnused } from "./sweep.ts";
import type { Worker } from "./worker.ts";

export interface Row {
  readonly what: string;
  readonly count: number;
  readonly active: number;
  readonly bytes: number;
  /** What `image prune` would free. */
  readonly reclaimable: number;
}

/** Folders as they are listed; of the last ones everything goes. */
const FOLDERS = [
  "layers",
  "stacks",
  "blobs",
  "refs",
  "containers",
  "volumes",
  "downloads",
  "tasks",
  "damaged",
  "trash",
];
const ALL_GOES = ["damaged", "trash"];

/** Throws a Failure. */
export function usageOf(store: Store, worker: Worker): Row[] {
  const going = goingAway(store);
  return FOLDERS.map((what) => {
    const names = namesOf(store, what);
    const paths = names.map((name) => `${store.path}/${what}/${name}`);
    const { bytes } = worker.ask("usage", { paths });
    const sum = (wanted: (name: string) => boolean): number =>
      names.reduce((total, name, index) => (wanted(name) ? total + (bytes[index] ?? 0) : total), 0);
    const goes = (name: string): boolean => ALL_GOES.includes(what) || going.has(`${what}/${name}`);
    const active = names.filter((name) => !goes(name)).length;
    return { what, count: names.length, active, bytes: sum(() => true), reclaimable: sum(goes) };
  });
}

function namesOf(store: Store, folder: string): string[] {
  const names = namesIn(store, folder).filter((name) => folder !== "volumes" || !name.startsWith("."));
  if (folder !== "blobs") return names;
  return names.flatMap((algorithm) => namesIn(store, `blobs/${algorithm}`).map((name) => `${algorithm}/${name}`));
}

function goingAway(store: Store): ReadonlySet<string> {
  using _lock = lockStore(store);
  const used = new Set(lookAtContainers(store).used.map(({ id }) => id));
  const nameless = listRecords(store).filter(({ name, id }) => name === undefined && !used.has(id));
  return new Set([...findUnused(store, nameless), ...findLeftovers(store)]);
}
