/**
 * Layers come into the store, each once: whoever unpacks one holds its lock, `locks/HEX`, and whoever comes second waits for that
 * layer and no other. Nobody waits with a lock in the hand, so that nobody waits for ever. Pulls take the same locks, in the
 * worker (native/image/src/net/pull.rs).
 */
import { LOCK_EX, LOCK_NB, O_CREAT, O_NOFOLLOW, O_RDWR } from "../sys/constants.ts";
import { attempt } from "../sys/failure.ts";
import { statOf } from "../sys/files.ts";
import type { Fd } from "../sys/sys.ts";
import { hexOf, type Digest } from "./digest.ts";
import type { Found, Opened } from "./source.ts";
import type { PullView } from "./pull-view.ts";
import { noRoom } from "./room.ts";
import { isThere, layerPath, namesIn, type Store } from "./store.ts";
import { isFree, type Task } from "./tasks.ts";
import type { LayerOrder, Snapshotter } from "./orders.ts";
import { WorkerFailure, type Worker } from "./worker.ts";

/** Layers that are unpacked at a time; more would wait for the disk. */
const THREADS = 4;

interface Bringing {
  readonly source: Opened["source"];
  readonly task: Task;
  readonly snapshotter: Snapshotter;
  readonly view: PullView | undefined;
}

type Missing = ReadonlyMap<Digest, Found["layers"][number]>;

/** Unpacks the layers of an image that are not there. The task must need them. Throws a Failure. */
export function bringLayers(store: Store, worker: Worker, image: Pick<Found, "layers">, bringing: Bringing): void {
  for (;;) {
    const missing = missingOf(store, image);
    const [first] = missing.keys();
    if (first === undefined) return;
    using locks = new LayerLocks(store);
    const free = new Map([...missing].filter(([diffId]) => locks.take(diffId)));
    // Between the look and the lock somebody may have brought it.
    const ours = new Map([...free].filter(([diffId]) => !isThere(store, layerPath(store, diffId))));
    if (ours.size > 0) unpack(store, worker, ours, { ...bringing, all: image.layers });
    else if (free.size === 0) {
      const layer = image.layers.findIndex(({ diffId }) => diffId === first);
      const reason = "another command that is unpacking it";
      bringing.view?.heard({ event: "note", layer, what: "waiting", reason });
      locks.await(first);
    }
  }
}

function missingOf(store: Store, { layers }: Pick<Found, "layers">): Missing {
  const all = layers.map((layer) => [layer.diffId as Digest, layer] as const);
  return new Map(all.filter(([diffId]) => !isThere(store, layerPath(store, diffId))));
}

function unpack(
  store: Store,
  worker: Worker,
  missing: Missing,
  { source, task, view, all, snapshotter }: Bringing & { readonly all: Found["layers"] },
): void {
  const numbers = [...missing.values()].map((layer) => all.findIndex(({ diffId }) => diffId === layer.diffId));
  const layers = [...missing].map(([diffId, layer]): LayerOrder => ({ ...layer, dest: layerPath(store, diffId) }));
  const request = { source, scratch: store.path, staging: task.path, snapshotter, threads: THREADS, layers };
  try {
    worker.ask("unpack", request, (event) => view?.heard({ ...event, layer: numbers[event.layer] ?? 0 }));
  } catch (error) {
    if (!(error instanceof WorkerFailure) || error.kind !== "no-space") throw error;
    const members = layers.map(({ member }) => member);
    throw noRoom(store, worker, { source, scratch: store.path, snapshotter, members });
  }
}

/** The file that whoever unpacks a layer has locked. */
export function lockPath({ path }: Store, diffId: Digest): string {
  return `${path}/locks/${hexOf(diffId)}`;
}

/** The locks of layers that this command is unpacking. */
class LayerLocks implements Disposable {
  readonly #store: Store;
  readonly #held = new Map<string, Fd>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Takes the lock of a layer, unless somebody has it. */
  take(diffId: Digest): boolean {
    return this.#lock(lockPath(this.#store, diffId), LOCK_EX | LOCK_NB);
  }

  /** Waits until nobody has the lock of a layer. */
  await(diffId: Digest): void {
    this.#lock(lockPath(this.#store, diffId), LOCK_EX);
  }

  [Symbol.dispose](): void {
    for (const [full, file] of this.#held) {
      this.#store.sys.unlinkIfAny(null, full, 0);
      file[Symbol.dispose]();
    }
  }

  /** Whoever had the lock has taken its file away: then it is another file's that counts. */
  #lock(full: string, operation: number): boolean {
    const { sys } = this.#store;
    return attempt(`lock ${full}`, () => {
      for (;;) {
        const file = sys.openat(null, full, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
        const taken = isFree(() => sys.flock(file, operation));
        if (taken && sys.statxIfAny(null, full, 0)?.ino === statOf(sys, file).ino) {
          this.#held.set(full, file);
          return true;
        }
        file[Symbol.dispose]();
        if (!taken) return false;
      }
    });
  }
}

/** The files of locks that nobody has any more. */
export function looseLocks(store: Store): string[] {
  const { sys, path } = store;
  return namesIn(store, "locks").filter((name) => {
    const found = sys.openIfAny(null, `${path}/locks/${name}`, O_RDWR | O_NOFOLLOW);
    if (found === undefined) return false;
    using file = found;
    return isFree(() => sys.flock(file, LOCK_EX | LOCK_NB));
  });
}
