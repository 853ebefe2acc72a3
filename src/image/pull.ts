/** An image comes from a registry into the store. */
import type { Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import { accessRegistry, type Access } from "./access.ts";
import { hexOf, type Digest } from "./digest.ts";
import { lockPath } from "./layers.ts";
import { needsOf, storeImage, type Loaded } from "./load.ts";
import { isIndex, parseIndex, type Entry } from "./manifest.ts";
import { asMachine, choosePlatform, chooseNamed, nameOf, type Platform } from "./platform.ts";
import { claim, forgetPulls } from "./pulls.ts";
import { noRoomForPull } from "./room.ts";
import { SILENT, type PullView } from "./pull-view.ts";
import { canonical, familiar, parseReference, type Reference } from "./reference.ts";
import {
  endpointsOf,
  otherMeaning,
  readRegistriesConf,
  type Endpoint,
  type RegistriesConf,
} from "./registries-conf.ts";
import type { Document, Registry } from "./registry.ts";
import { combineImage, DEEPEST_INDEX, within, type Found } from "./source.ts";
import { notePlaces, placesFrom } from "./places.ts";
import {
  fileOf,
  isThere,
  layerPath,
  listRecords,
  lockStore,
  makeStore,
  readAllNamed,
  removeRecord,
  writeRecord,
  type ImageRecord,
  type Store,
} from "./store.ts";
import { sweepLeftovers, sweepUnused } from "./sweep.ts";
import { beginTask } from "./tasks.ts";
import type { PullOrder, Snapshotter } from "./orders.ts";
import { WorkerFailure, type Worker } from "./worker.ts";

export interface PullOptions extends Access {
  /** The machine's where it is not given; "all" for every one that the image is for. */
  readonly platform: Platform | "all" | undefined;
  readonly view?: PullView | undefined;
}

/** Downloads at a time: docker's number. */
const THREADS = 3;

/** What was found in a registry, and where. */
interface Remote {
  readonly registry: Registry;
  readonly endpoint: Endpoint;
  /** What the reference leads to: the index, if there is one. */
  readonly document: Document;
  readonly images: readonly Found[];
}

/** Pulls an image; gives what it is called. Throws a Failure; no name leads to anything that is not whole. */
export function pullImage(context: Context, worker: Worker, text: string, options: PullOptions): Loaded[] {
  const store: Store = { sys: context.sys, path: context.globals.store };
  const reference = parseReference(text);
  makeStore(store);
  const conf = readRegistriesConf(context, worker);
  const other = otherMeaning(conf, text, reference);
  if (other !== undefined)
    context.log.warn(`${text} is ${canonical(reference)} here; by registries.conf podman would take ${other}`);
  const remote = findRemote(context, worker, { reference, conf, options });
  return bring(store, worker, { reference, remote, options, snapshotter: context.globals.snapshotter });
}

interface Wanted {
  readonly reference: Reference;
  readonly conf: RegistriesConf;
  readonly options: PullOptions;
}

/** The first place that has it; where none has, what each said. */
function findRemote(context: Context, worker: Worker, wanted: Wanted): Remote {
  const failures: string[] = [];
  const endpoints = endpointsOf(wanted.conf, wanted.reference);
  for (const endpoint of endpoints) {
    try {
      return readRemote(context, worker, endpoint, wanted);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(endpoints.length > 1 ? `from ${endpoint.registry}: ${error.message}` : error.message);
    }
  }
  throw new Failure(`cannot pull ${familiar(wanted.reference)}: ${failures.join("; ")}`);
}

function readRemote(context: Context, worker: Worker, endpoint: Endpoint, wanted: Wanted): Remote {
  const { conf, options } = wanted;
  const { platform } = options;
  const registry = accessRegistry(context, worker, endpoint, { access: options, kept: conf });
  const { digest, tag } = wanted.reference;
  const document = digest === undefined ? registry.document(tag ?? "") : registry.document(digest, { digest });
  const machine = asMachine(context.sys.uname().machine);
  const choose = (entries: readonly Entry[]): Entry[] => {
    if (platform === "all") return imagesAmong(entries);
    return [platform === undefined ? choosePlatform(entries, machine) : chooseNamed(entries, platform)];
  };
  const images = readImages(registry, document, choose, 0);
  if (typeof platform === "object") checkPlatform(images[0], platform);
  return { registry, endpoint, document, images };
}

/** What BuildKit adds to an image about its making is no image. */
function imagesAmong(entries: readonly Entry[]): Entry[] {
  return entries.filter(({ platform }) => platform?.os !== "unknown");
}

function checkPlatform(image: Found | undefined, wanted: Platform): void {
  const found = image?.config.platform;
  if (found !== undefined && (found.os !== wanted.os || found.architecture !== wanted.architecture))
    throw new Failure(`the image is for ${nameOf(found)}, and not for ${nameOf(wanted)}`);
}

function readImages(
  registry: Registry,
  document: Document,
  choose: (entries: readonly Entry[]) => Entry[],
  depth: number,
): Found[] {
  if (!isIndex(document)) return [readImage(registry, document)];
  if (depth === DEEPEST_INDEX) throw new Failure(`indexes are nested more than ${DEEPEST_INDEX} times`);
  const entries = within(`index ${document.digest}`, () => parseIndex(document.text, document.mediaType));
  return choose(entries).flatMap((entry) =>
    readImages(registry, registry.document(entry.digest, entry), choose, depth + 1),
  );
}

function readImage(registry: Registry, document: Document): Found {
  return combineImage(document, (config) => registry.blob(config), []);
}

interface Order {
  readonly reference: Reference;
  readonly remote: Remote;
  readonly options: PullOptions;
  readonly snapshotter: Snapshotter;
}

function bring(store: Store, worker: Worker, order: Order): Loaded[] {
  sweepLeftovers(store, worker);
  let loaded: Loaded[];
  try {
    loaded = bringClaimed(store, worker, order);
  } finally {
    sweepLeftovers(store, worker);
    sweepUnused(store, worker);
  }
  order.options.view?.done();
  return loaded;
}

/** What it needs is not swept meanwhile. */
function bringClaimed(store: Store, worker: Worker, { reference, remote, options, snapshotter }: Order): Loaded[] {
  const { registry, images, document } = remote;
  const { digest } = document;
  const index = isIndex(document) ? document : undefined;
  const name = nameIn(reference);
  const layers = [...new Map(images.flatMap((image) => image.layers.map((layer) => [layer.diffId, layer]))).values()];
  using task = beginTask(
    store,
    images.map((image) => needsOf(image, index?.digest)),
  );
  using pulling = begin(store, {
    name,
    layers: layers.map(({ diffId }) => hexOf(diffId as Digest)),
    downloads: layers.map((layer) => hexOf(layer.digest as Digest)),
  });
  const view = options.view ?? SILENT;
  const isHere = ({ diffId }: Found["layers"][number]): boolean => isThere(store, layerPath(store, diffId as Digest));
  const known = readAllNamed(store, name);
  const isKnown = ({ id }: Found): boolean => known.some((each) => each.id === id && each.index === index?.digest);
  const isUpToDate = images.every(isKnown) && layers.every(isHere);
  view.found({ name, digest, isUpToDate, layers: layers.map((layer) => ({ ...layer, isThere: isHere(layer) })) });
  try {
    const missing = layers.filter((layer) => !isHere(layer));
    fetchLayers(store, worker, registry, { layers, missing, view, staging: task.path, snapshotter });
    const main = chosen(images, store);
    const loaded = images.flatMap((image, at) => {
      const platform = at === main ? undefined : nameOf(image.config.platform);
      return storeImage(store, worker, { image, names: [name], task, index, platform });
    });
    leaveUnnamed(
      store,
      known,
      loaded.map(({ record }) => record),
    );
    notePlaces(store, placesFrom(remote));
    withdraw(store, pulling, name);
    return loaded;
  } catch (error) {
    // What can be tried again goes on where it stopped; what is wrong leaves nothing.
    if (!(error instanceof WorkerFailure) || !PASSING.includes(error.kind)) withdraw(store, pulling, undefined);
    throw error instanceof Failure ? new Failure(`cannot pull ${familiar(reference)}: ${error.message}`) : error;
  }
}

/** What the name led to before and does not any more has no name now, as with docker: "image prune" removes it. */
function leaveUnnamed(store: Store, before: readonly ImageRecord[], now: readonly ImageRecord[]): void {
  using _lock = lockStore(store);
  const files = new Set(now.map(fileOf));
  for (const old of before) if (!files.has(fileOf(old))) removeRecord(store, old);
  const named = new Set(listRecords(store).map(({ id }) => id));
  for (const { name: _, platform: _platform, ...old } of before) if (!named.has(old.id)) writeRecord(store, old);
}

/** Kinds of failures that the same request may not meet again. */
const PASSING = ["network", "io", "plain"];

/** From here on nothing that the pull needs is swept. */
function begin(store: Store, wanted: Parameters<typeof claim>[1]): ReturnType<typeof claim> {
  using _lock = lockStore(store);
  return claim(store, wanted);
}

/** What the pull has brought need not be kept for another try; of `done`, the name that was pulled, no try's. */
function withdraw(store: Store, pulling: ReturnType<typeof claim>, done: string | undefined): void {
  using _lock = lockStore(store);
  pulling.withdraw();
  if (done !== undefined) forgetPulls(store, done);
}

/** Of images for several machines the name leads to the one for this machine, or else to the first. */
function chosen(images: readonly Found[], { sys }: Store): number {
  if (images.length === 1) return 0;
  const entries = images.map((image, index) => ({ platform: image.config.platform, index }));
  try {
    return choosePlatform(entries, asMachine(sys.uname().machine)).index;
  } catch (error) {
    if (error instanceof Failure) return 0;
    throw error;
  }
}

/** A digest says all: a tag beside it would be a promise about another time. */
function nameIn(reference: Reference): string {
  return canonical(reference.digest === undefined ? reference : { ...reference, tag: undefined });
}

interface Fetching {
  readonly layers: Found["layers"];
  readonly missing: Found["layers"];
  readonly view: PullView;
  readonly staging: string;
  readonly snapshotter: Snapshotter;
}

function fetchLayers(
  store: Store,
  worker: Worker,
  registry: Registry,
  { layers, missing, view, staging, snapshotter }: Fetching,
): void {
  if (missing.length === 0) return;
  const { header, renewal } = registry.authorization ?? {};
  const order: PullOrder = {
    ...(header === undefined ? {} : { authorization: header }),
    ...(renewal === undefined ? {} : { renewal }),
    staging,
    snapshotter,
    threads: THREADS,
    layers: missing.map(({ digest = "", size = 0, diffId }) => ({
      url: registry.address(`blobs/${digest}`),
      digest,
      size,
      diffId,
      dest: layerPath(store, diffId as Digest),
      spool: `${store.path}/downloads/${hexOf(digest as Digest)}`,
      lock: lockPath(store, diffId as Digest),
    })),
  };
  const numbers = missing.map((layer) => layers.indexOf(layer));
  try {
    worker.ask("pull", { network: registry.network, ask: order }, (event) =>
      view.heard({ ...event, layer: numbers[event.layer] ?? 0 }),
    );
  } catch (error) {
    if (!(error instanceof WorkerFailure) || error.kind !== "no-space") throw error;
    view.heard({ event: "note", layer: 0, what: "full", reason: "the disk is full: finding out how much is missing" });
    throw noRoomForPull(store, worker, { network: registry.network, ask: order });
  }
}
