/** Tidying the store: what nothing names and nobody uses goes. Only under the lock. */
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { openDirectory } from "../sys/files.ts";
import { lookAtContainers, type Used } from "./containers.ts";
import { hexOf, pathOfDigest } from "./digest.ts";
import { listRecords, namesIn, type Store } from "./store.ts";
import { lookAtPulls } from "./pulls.ts";
import type { Worker } from "./worker.ts";

/** How the worker calls a directory in the making, and replaceFile a file. */
const UNFINISHED = ".";

/** Removes what interrupted commands have left. */
export function sweepLeftovers(store: Store, worker: Worker): void {
  const pulls = lookAtPulls(store);
  // A pull makes its layers without the lock.
  for (const folder of pulls.alive ? ["stacks"] : ["layers", "stacks"]) {
    for (const name of namesIn(store, folder)) if (name.startsWith(UNFINISHED)) discard(store, `${folder}/${name}`);
  }
  for (const name of namesIn(store, "downloads"))
    if (!pulls.downloads.has(name)) store.sys.unlinkIfAny(null, `${store.path}/downloads/${name}`, 0);
  for (const token of lookAtContainers(store).abandoned) discard(store, `containers/${token}`);
  emptyTrash(store, worker);
}

/** Removes the layers, stacks and blobs that no image and no container has. */
export function sweepUnused(store: Store, worker: Worker): void {
  const images = inUse(store);
  if (images === undefined) return;
  const pulls = lookAtPulls(store);
  const folders = new Set([
    ...images.flatMap(({ lower }) => lower.map((path) => path.slice(0, path.lastIndexOf("/")))),
    ...[...pulls.layers].map((name) => `layers/${name}`),
  ]);
  for (const folder of ["layers", "stacks"]) {
    for (const name of namesIn(store, folder))
      if (!folders.has(`${folder}/${name}`) && !name.startsWith(UNFINISHED)) discard(store, `${folder}/${name}`);
  }
  const blobs = new Set(
    images.flatMap(({ id, manifest }) => [id, ...(manifest === undefined ? [] : [manifest])]).map(pathOfDigest),
  );
  for (const algorithm of namesIn(store, "blobs")) {
    for (const name of namesIn(store, `blobs/${algorithm}`)) {
      if (!blobs.has(`${algorithm}/${name}`))
        store.sys.unlinkIfAny(null, `${store.path}/blobs/${algorithm}/${name}`, 0);
    }
  }
  emptyTrash(store, worker);
}

/** Undefined where it cannot be known: what a damaged record names must stay. */
function inUse(store: Store): Used[] | undefined {
  try {
    return [...listRecords(store), ...lookAtContainers(store).used];
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** Takes a directory out of sight at once; it is gone later. */
function discard({ sys, path }: Store, name: string): void {
  using root = openDirectory(sys, null, path);
  try {
    sys.renameat2(root, name, root, `trash/${sys.randomHex(8)}`, 0);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // It went by itself.
  }
}

function emptyTrash(store: Store, worker: Worker): void {
  for (const name of namesIn(store, "trash")) {
    try {
      worker.ask("remove", { path: `${store.path}/trash/${name}` });
    } catch (error) {
      // A process that was killed may not be quite gone: the next command tries again.
      if (!(error instanceof Error)) throw error;
    }
  }
}

/** The name of an image's stack below the store. */
export function stackName(id: Parameters<typeof hexOf>[0]): string {
  return `stacks/${hexOf(id)}`;
}
