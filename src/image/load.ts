/** An image comes into the store: its layers, its texts, and at last its name. */
import { Failure } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import { timestamp } from "../sys/time.ts";
import { hexOf, type Digest } from "./digest.ts";
import { canonical, isTag, parseReference } from "./reference.ts";
import { openPlace, type Found, type Opened } from "./source.ts";
import { layerPath, lockStore, makeStore, writeBlob, writeRecord, type ImageRecord, type Store } from "./store.ts";
import { stackName, sweepLeftovers, sweepUnused } from "./sweep.ts";
import { nameFromPath, type Place } from "./transport.ts";
import { asMachine } from "./platform.ts";
import type { UnpackedLayer, Worker } from "./worker.ts";

/** `layer.json` of a layer with the most directories that the worker lets pass. */
const LAYER_LIMIT = 64 << 20;

/** Layers that are unpacked at a time; more would wait for the disk. */
const THREADS = 4;

export interface Loaded {
  readonly record: ImageRecord;
  readonly config: Found["config"];
}

/** Loads every image of a place, under `name` where one is given. Throws a Failure; what was not complete is not there then. */
export function loadImages(store: Store, worker: Worker, place: Place, name: string | undefined): Loaded[] {
  makeStore(store);
  const opened = openImages(store, worker, place);
  if (name !== undefined && opened.images.length > 1) throw severalImages(place, opened);
  const named = opened.images.map((image) => ({ image, names: namesOf(image, place, name) }));
  using _lock = lockStore(store);
  sweepLeftovers(store, worker);
  try {
    return named.flatMap(({ image, names }) => storeImage(store, worker, { image, source: opened.source, names }));
  } finally {
    sweepUnused(store, worker);
  }
}

/** The images of a place. Throws a Failure. */
export function openImages(store: Store, worker: Worker, place: Place): Opened {
  return openPlace(store.sys, worker, place, { scratch: store.path, machine: asMachine(store.sys.uname().machine) });
}

/** There must be one that is meant. */
export function severalImages({ path }: Place, { images }: Opened): Failure {
  const names = images.flatMap((image) => image.names.slice(0, 1)).join(", ");
  return new Failure(
    `there are ${images.length} images in ${path}: say which one, as in oci-archive:${path}:NAME (${names || "they have no names"})`,
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

function tagged(text: string): string {
  const reference = parseReference(text);
  if (reference.tag === undefined)
    throw new Failure(`cannot name an image ${text}: a digest follows from what is in it, give a tag`);
  return canonical({ ...reference, digest: undefined });
}

interface Order extends Named {
  readonly source: Opened["source"];
}

/** An image whose layers are in the store, and what it is to be called. */
interface Named {
  readonly image: Found;
  readonly names: readonly (string | undefined)[];
}

function storeImage(store: Store, worker: Worker, order: Order): Loaded[] {
  unpackMissing(store, worker, order);
  return recordImage(store, worker, order);
}

/** Gives the image's records, one for each of its names; its layers are there. Under the store's lock. */
export function recordImage(store: Store, worker: Worker, { image, names }: Named): Loaded[] {
  const { lower, size } = stackLayers(store, worker, image.id, image.config.diffIds);
  writeBlob(store, image.id, image.configText);
  if (image.manifest !== undefined) writeBlob(store, image.manifest.digest, image.manifest.text);
  return names.map((name) => {
    const record: ImageRecord = {
      version: 1,
      ...(name === undefined ? {} : { name }),
      id: image.id,
      ...(image.manifest === undefined ? {} : { manifest: image.manifest.digest }),
      layers: image.config.diffIds,
      lower,
      size,
      created: image.config.created,
      loaded: timestamp(store.sys, false),
    };
    writeRecord(store, record);
    return { record, config: image.config };
  });
}

/** Unpacks the layers that no other image has brought. */
function unpackMissing(store: Store, worker: Worker, { image, source }: Order): void {
  const missing = new Map<string, Found["layers"][number]>();
  for (const layer of image.layers) {
    const diffId = layer.diffId as Digest;
    if (store.sys.statxIfAny(null, layerPath(store, diffId), 0) === undefined) missing.set(diffId, layer);
  }
  if (missing.size === 0) return;
  const layers = [...missing].map(([diffId, layer]) => ({ ...layer, dest: layerPath(store, diffId as Digest) }));
  worker.ask("unpack", { source, scratch: store.path, threads: THREADS, layers });
}

/**
 * What an overlay of the layers is made of, topmost first. A layer that comes twice shows nothing more where it lies lower, and
 * overlayfs refuses it. One whose root is opaque hides all below, which overlayfs does not look for on a root.
 */
function stackLayers(
  store: Store,
  worker: Worker,
  id: Digest,
  diffIds: readonly Digest[],
): Pick<ImageRecord, "lower" | "size"> {
  const downwards = [...new Set(diffIds.toReversed())];
  const infos = downwards.map((diffId) => layerInfo(store, diffId));
  const opaque = infos.findIndex((info) => info.opaqueRoot);
  const shown = opaque < 0 ? downwards : downwards.slice(0, opaque + 1);
  const lower = shown.map((diffId) => `layers/${hexOf(diffId)}/fs`);
  const stack = stackName(id);
  const paths = shown.map((diffId) => layerPath(store, diffId)).toReversed();
  const isThere = store.sys.statxIfAny(null, `${store.path}/${stack}`, 0) !== undefined;
  const needed = isThere || worker.ask("stack", { layers: paths, dest: `${store.path}/${stack}` }).needed;
  const size = infos.reduce((sum, { bytes }) => sum + bytes, 0);
  return { lower: needed ? [`${stack}/fs`, ...lower] : lower, size };
}

function layerInfo(store: Store, diffId: Digest): UnpackedLayer {
  return JSON.parse(readFile(store.sys, null, `${layerPath(store, diffId)}/layer.json`, LAYER_LIMIT)) as UnpackedLayer;
}
