/**
 * Tidying the store: what nothing names and nobody uses goes. Under the lock it is found and taken out of sight; the files are
 * removed afterwards, when nobody has to wait for it.
 */
import { AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFMT } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { openDirectory } from "../sys/files.ts";
import { lookAtContainers, type Used } from "./containers.ts";
import { hexOf, pathOfDigest } from "./digest.ts";
import { looseLocks } from "./layers.ts";
import { fileOf, listRecords, lockStore, namesIn, type ImageRecord, type Store } from "./store.ts";
import { lookAtTasks } from "./tasks.ts";
import { lookAtPulls } from "./pulls.ts";
import type { Worker } from "./worker.ts";

/** How the worker calls a directory in the making, and replaceFile a file. */
const UNFINISHED = ".";

/** Removes what interrupted commands have left. */
export function sweepLeftovers(store: Store, worker: Worker): void {
  discardAll(store, () => findLeftovers(store));
  emptyTrash(store, worker);
}

/** Removes the layers, stacks and blobs that no image, no container and no command needs. */
export function sweepUnused(store: Store, worker: Worker): void {
  discardAll(store, () => findUnused(store));
  emptyTrash(store, worker);
}

/** Takes out of sight what `find` gives, under the lock. */
function discardAll(store: Store, find: () => readonly string[]): void {
  using _lock = lockStore(store);
  for (const path of find()) discard(store, path);
}

/** What interrupted commands have left, below the store. Only under the lock. */
export function findLeftovers(store: Store): string[] {
  const { downloads } = lookAtPulls(store);
  // Names and blobs are written under the lock: one that is unfinished now stays so.
  const files = ["layers", "stacks", "refs", ...namesIn(store, "blobs").map((algorithm) => `blobs/${algorithm}`)];
  return [
    ...files.flatMap((folder) => within(store, folder).filter((name) => name.startsWith(`${folder}/${UNFINISHED}`))),
    ...lookAtContainers(store).abandoned.map((token) => `containers/${token}`),
    ...lookAtTasks(store).abandoned.map((token) => `tasks/${token}`),
    ...looseLocks(store).map((name) => `locks/${name}`),
    ...within(store, "downloads").filter((name) => !downloads.has(name.slice("downloads/".length))),
  ];
}

/** What no image but `going`, no container and no command needs, below the store. Only under the lock. */
export function findUnused(store: Store, going: readonly ImageRecord[] = []): string[] {
  const images = inUse(store, going);
  if (images === undefined) return [];
  const needed = new Set([...lookAtPulls(store).layers].map((name) => `layers/${name}`));
  for (const { id, manifest, index, lower, layers = [] } of images) {
    for (const diffId of layers) needed.add(`layers/${hexOf(diffId)}`);
    for (const path of lower) needed.add(path.slice(0, path.lastIndexOf("/")));
    for (const digest of [id, manifest, index].filter((each) => each !== undefined))
      needed.add(`blobs/${pathOfDigest(digest)}`);
  }
  const folders = ["layers", "stacks", ...namesIn(store, "blobs").map((algorithm) => `blobs/${algorithm}`)];
  return folders.flatMap((folder) => within(store, folder).filter((path) => !needed.has(path)));
}

function within(store: Store, folder: string): string[] {
  return namesIn(store, folder).map((name) => `${folder}/${name}`);
}

/** Undefined where it cannot be known: what a damaged record names must stay. */
function inUse(store: Store, going: readonly ImageRecord[]): Used[] | undefined {
  const goes = new Set(going.map(fileOf));
  try {
    const staying = listRecords(store).filter((record) => !goes.has(fileOf(record)));
    return [...staying, ...lookAtContainers(store).used, ...lookAtTasks(store).used];
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** Takes a directory out of sight at once; it is gone later. */
export function discard({ sys, path }: Store, name: string): void {
  using root = openDirectory(sys, null, path);
  try {
    sys.renameat2(root, name, root, `trash/${sys.randomHex(8)}`, 0);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // It went by itself.
  }
}

/** Removes what was taken out of sight; without the lock. */
export function emptyTrash(store: Store, worker: Worker): void {
  for (const name of namesIn(store, "trash")) {
    try {
      const path = `${store.path}/trash/${name}`;
      if (isFile(store, path)) store.sys.unlinkIfAny(null, path, 0);
      else worker.ask("remove", { path });
    } catch (error) {
      // A process that was killed may not be quite gone: the next command tries again.
      if (!(error instanceof Error)) throw error;
    }
  }
}

function isFile({ sys }: Store, path: string): boolean {
  const stat = sys.statxIfAny(null, path, AT_SYMLINK_NOFOLLOW);
  return stat !== undefined && (stat.mode & S_IFMT) !== S_IFDIR;
}
