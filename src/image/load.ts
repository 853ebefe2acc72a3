/** An image comes into the store: its layers, its texts, and at last its name. */
import { Failure } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import { timestamp } from "../sys/time.ts";
import { hexOf, type Digest } from "./digest.ts";
import { canonical, isTag, parseReference } from "./reference.ts";
import type { Used } from "./containers.ts";
import { openPlace, type Found, type Opened } from "./source.ts";
import { bringLayers } from "./layers.ts";
import type { PullView } from "./pull-view.ts";
import {
  isThere,
  layerPath,
  lockStore,
  makeStore,
  stackName,
  writeBlob,
  writeRecord,
  type ImageRecord,
  type Store,
} from "./store.ts";
import { sweepLeftovers, sweepUnused } from "./sweep.ts";
import { beginTask, type Task } from "./tasks.ts";
import { nameFromPath, severalImages, type Place } from "./transport.ts";
import { asMachine } from "./platform.ts";
import type { Snapshotter } from "./orders.ts";
import type { UnpackedLayer, Worker } from "./worker.ts";

/** What of a layer in this form an overlay is given. */
const FILES = { overlayfs: "fs", erofs: "erofs" } as const satisfies Record<Snapshotter, string>;

/** `layer.json` of a layer with the most directories that the worker lets pass. */
const LAYER_LIMIT = 64 << 20;

export interface Loaded {
  readonly record: ImageRecord;
  readonly config: Found["config"];
}

/** How a place is loaded. */
interface Manner {
  readonly snapshotter: Snapshotter;
  /** What the image will be called, where it is not as the place calls it. */
  readonly name?: string | undefined;
  readonly view?: PullView | undefined;
}

/** Loads every image of a place. Throws a Failure; what was not complete is not there then. */
export function loadImages(store: Store, worker: Worker, place: Place, { name, snapshotter, view }: Manner): Loaded[] {
  makeStore(store);
  sweepLeftovers(store, worker);
  const { source, images } = openImages(store, worker, place);
  if (name !== undefined && images.length > 1) throw severalFound(place, { source, images });
  const named = images.map((image) => ({ image, names: namesOf(image, place, name) }));
  const task = beginTask(
    store,
    images.map((image) => needsOf(image)),
  );
  try {
    return named.flatMap(({ image, names }) => {
      view?.found(toBeSeen(store, image, names));
      bringLayers(store, worker, image, { source, task, view, snapshotter });
      const stored = storeImage(store, worker, { image, names, task });
      view?.done();
      return stored;
    });
  } finally {
    task[Symbol.dispose]();
    sweepUnused(store, worker);
  }
}

function toBeSeen(
  store: Store,
  { id, manifest, layers }: Found,
  names: readonly (string | undefined)[],
): Parameters<PullView["found"]>[0] {
  return {
    name: names[0] ?? id,
    digest: manifest?.digest ?? id,
    isUpToDate: false,
    layers: layers.map(({ digest, size, diffId }) => ({
      // Archives of docker save have no other digests, and no sizes.
      digest: digest ?? diffId,
      ...(size === undefined ? {} : { size }),
      isThere: isThere(store, layerPath(store, diffId as Digest)),
    })),
  };
}

/** What an image needs of the store. */
export function needsOf({ id, manifest, config }: Found, index?: Digest): Used {
  const lower = [stackName(id), ...config.diffIds.map((diffId) => `layers/${hexOf(diffId)}`)];
  return {
    id,
    ...(manifest === undefined ? {} : { manifest: manifest.digest }),
    ...(index === undefined ? {} : { index }),
    lower: lower.map((path) => `${path}/fs`),
  };
}

/** The images of a place. Throws a Failure. */
export function openImages(store: Store, worker: Worker, place: Place): Opened {
  return openPlace(store.sys, worker, place, { scratch: store.path, machine: asMachine(store.sys.uname().machine) });
}

/** There must be one that is meant. */
export function severalFound(place: Place, { images }: Opened): Failure {
  return severalImages(
    place,
    images.map(({ names }) => names[0] ?? "without a name"),
  );
}

/** The canonical names that an image will have; [undefined] for one that has none. */
export function namesOf({ names }: Found, { path }: Place, given: string | undefined): (string | undefined)[] {
  if (given !== undefined) return [tagged(given)];
  // A layout says the same name twice, whole and as a tag; docker's archives give several names.
  const whole = names.filter((name) => name.includes("/") || name.includes(":"));
  if (whole.length > 0) return [...new Set(whole.map(tagged))];
  const tag = names[0] ?? "latest";
  const name = nameFromPath(path, isTag(tag) ? tag : "latest");
  return [name === undefined ? undefined : tagged(name)];
}

/** The canonical form of a name for an image. Throws a Failure. */
export function tagged(text: string): string {
  const reference = parseReference(text);
  if (reference.tag === undefined)
    throw new Failure(`cannot name an image ${text}: a digest follows from what is in it, give a tag`);
  return canonical({ ...reference, digest: undefined });
}

/** An image whose layers are in the store, and what it is to be called. */
interface Named {
  readonly image: Found;
  readonly names: readonly (string | undefined)[];
  readonly task: Task;
  /** What a registry has led through. */
  readonly index?: { readonly digest: Digest; readonly text: string } | undefined;
  /** As in a record. */
  readonly platform?: string | undefined;
}

/** Gives the image's records, one for each of its names: its layers are there, and from here on it is. */
export function storeImage(store: Store, worker: Worker, named: Named): Loaded[] {
  const { image, names, task, index, platform } = named;
  const { id, manifest, config } = image;
  const stacked = stackLayers(store, worker, { id, diffIds: config.diffIds, staging: task.path });
  using _lock = lockStore(store);
  writeBlob(store, id, image.configText);
  if (manifest !== undefined) writeBlob(store, manifest.digest, manifest.text);
  if (index !== undefined) writeBlob(store, index.digest, index.text);
  return names.map((name) => {
    const record: ImageRecord = {
      version: 1,
      ...(name === undefined ? {} : { name }),
      id,
      ...(manifest === undefined ? {} : { manifest: manifest.digest }),
      ...(index === undefined ? {} : { index: index.digest }),
      ...(platform === undefined ? {} : { platform }),
      layers: config.diffIds,
      ...stacked,
      created: config.created,
      loaded: timestamp(store.sys, false),
    };
    writeRecord(store, record);
    return { record, config };
  });
}

/**
 * What an overlay of the layers is made of, topmost first. A layer that comes twice shows nothing more where it lies lower, and
 * overlayfs refuses it. One whose root is opaque hides all below, which overlayfs does not look for on a root.
 */
export function stackLayers(
  store: Store,
  worker: Worker,
  { id, diffIds, staging }: { id: Digest; diffIds: readonly Digest[]; staging: string },
): Pick<ImageRecord, "lower" | "size"> {
  const downwards = [...new Set(diffIds.toReversed())];
  const infos = downwards.map((diffId) => layerInfo(store, diffId));
  const opaque = infos.findIndex((info) => info.opaqueRoot);
  const shown = opaque < 0 ? downwards : downwards.slice(0, opaque + 1);
  const lower = shown.map((diffId) => `layers/${hexOf(diffId)}/${FILES[layerInfo(store, diffId).snapshotter]}`);
  const stack = stackName(id);
  const paths = shown.map((diffId) => layerPath(store, diffId)).toReversed();
  const dest = `${store.path}/${stack}`;
  const needed = isThere(store, dest) || worker.ask("stack", { layers: paths, dest, staging }).needed;
  const size = infos.reduce((sum, { bytes }) => sum + bytes, 0);
  return { lower: needed ? [`${stack}/fs`, ...lower] : lower, size };
}

/** What was found out about a layer while it was unpacked. Throws a SysError. */
export function layerInfo(store: Store, diffId: Digest): UnpackedLayer {
  return JSON.parse(readFile(store.sys, null, `${layerPath(store, diffId)}/layer.json`, LAYER_LIMIT)) as UnpackedLayer;
}
