/** What nothing uses goes: names that lead to no container, and all that only they needed. */
import { hexOf } from "./digest.ts";
import { lockContainers, lookAtContainers } from "./containers.ts";
import { familiar, parseReference } from "./reference.ts";
import { listRecords, lockStore, namesIn, removeRecord, type ImageRecord, type Store } from "./store.ts";
import { discard, emptyTrash, findLeftovers, findUnused } from "./sweep.ts";
import type { Worker } from "./worker.ts";

export interface Pruning {
  /** Also images that have a name. */
  readonly all: boolean;
  readonly dryRun: boolean;
}

export interface Pruned {
  /** Names, or ids of images without one. */
  readonly images: readonly string[];
  /** Below the store. */
  readonly paths: readonly string[];
  readonly bytes: number;
}

/** Throws a Failure; nothing that a container or a command under way uses is touched. */
export function pruneStore(store: Store, worker: Worker, { all, dryRun }: Pruning): Pruned {
  const { images, paths } = takeAway(store, { all, dryRun });
  const trash = namesIn(store, "trash").map((name) => `trash/${name}`);
  // What was taken away lies in the trash by now.
  const measured = dryRun ? [...paths, ...trash] : trash;
  const { bytes } = worker.ask("usage", { paths: measured.map((path) => `${store.path}/${path}`) });
  if (!dryRun) emptyTrash(store, worker);
  return { images, paths, bytes: bytes.reduce((sum, each) => sum + each, 0) };
}

function takeAway(store: Store, { all, dryRun }: Pruning): Pick<Pruned, "images" | "paths"> {
  using _lock = lockStore(store);
  using _containers = lockContainers(store, "remover");
  const used = new Set(lookAtContainers(store).used.map(({ id }) => id));
  const going = listRecords(store).filter(({ name, id }) => (all || name === undefined) && !used.has(id));
  if (!dryRun) for (const record of going) removeRecord(store, record);
  const paths = [...findUnused(store, going), ...findLeftovers(store), ...setAsideIn(store)];
  if (!dryRun) for (const path of paths) discard(store, path);
  return { images: going.map(textOf), paths };
}

/** A damaged layer may be in use by a container that has it mounted: nobody knows, so it stays while there is any. */
function setAsideIn(store: Store): string[] {
  if (lookAtContainers(store).used.length > 0) return [];
  return namesIn(store, "damaged").map((name) => `damaged/${name}`);
}

function textOf({ name, id }: ImageRecord): string {
  return name === undefined ? `sha256:${hexOf(id)}` : familiar(parseReference(name));
}
