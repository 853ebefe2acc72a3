/** Images go from the store to a registry: distribution-spec, "Push". */
import type { Context } from "../commands/context.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { accessRegistry, type Access } from "./access.ts";
import type { Used } from "./containers.ts";
import { deliver } from "./deliver.ts";
import type { Digest } from "./digest.ts";
import { parseImageConfig } from "./image-config.ts";
import { formatOf, makeManifest, type Compression, type Format } from "./make-manifest.ts";
import { parseManifest, typeOfManifest, type Descriptor } from "./manifest.ts";
import { notePlaces, type BlobPlace } from "./places.ts";
import { chooseNamed, type Platform } from "./platform.ts";
import { indexFor, type Sent } from "./push-index.ts";
import { describeImage, Shipment, type PushedImage } from "./push-layers.ts";
import { SILENT_PUSH, type PushView } from "./push-view.ts";
import { canonical, familiar, isSameName, parseReference, type Reference } from "./reference.ts";
import { homeOf, readRegistriesConf, type Endpoint } from "./registries-conf.ts";
import type { Document } from "./registry.ts";
import { findRecord, readAllNamed, readBlob, type ImageRecord, type Store } from "./store.ts";
import { beginTask } from "./tasks.ts";
import { parseTransport, withoutScheme } from "./transport.ts";
import type { Worker } from "./worker.ts";

export interface PushOptions extends Access {
  /** Of layers that have to be compressed anew: gzip where it is not given. */
  readonly compression?: Compression | undefined;
  /** What the manifest is to be: as the image has it where it is not given. */
  readonly format?: Format | undefined;
  /** Only the image for this one. */
  readonly platform?: Platform | undefined;
  readonly view?: PushView | undefined;
}

export interface Pushed {
  readonly name: string;
  /** Of the manifest or index. */
  readonly digest: Digest;
}

/**
 * Pushes an image, to `destination` or as what it is called; one that was pulled for several platforms goes as an index with all of
 * them. Throws a Failure; no tag leads to what is not whole.
 */
export function pushImage(
  context: Context,
  worker: Worker,
  { image, destination }: { readonly image: string; readonly destination: string | undefined },
  options: PushOptions,
): Pushed {
  const store: Store = { sys: context.sys, path: context.globals.store };
  const record = findRecord(store, image);
  const reference = parseDestination(destination ?? nameOf(record, image));
  try {
    const all = meant(store, record, image);
    const records = options.platform === undefined ? all : [forOne(store, all, options.platform)];
    return push(context, worker, { store, records, reference, options });
  } catch (error) {
    throw error instanceof Failure ? new Failure(`cannot push ${familiar(reference)}: ${error.message}`) : error;
  }
}

/** A name in a registry. Throws a Failure. */
export function parseDestination(text: string): Reference {
  const name = withoutScheme(text);
  const place = name === text ? parseTransport(text) : undefined;
  if (place !== undefined)
    throw new Failure(`cannot push to ${quote(text)}: ${place.form} is no registry, see "tsrun image save" and "copy"`);
  const reference = parseReference(name);
  if (reference.digest === undefined) return reference;
  throw new Failure(`cannot push to ${quote(text)}: a digest follows from what is pushed, give a tag`);
}

function nameOf({ name }: ImageRecord, image: string): string {
  if (name !== undefined) return name;
  throw new Failure(`cannot push ${image}: it has no name, say where to`);
}

/** The images that a name or the digest of an index means: those that were pulled together. An id means one. */
function meant(store: Store, record: ImageRecord, text: string): ImageRecord[] {
  const { name, index } = record;
  if (name === undefined || index === undefined) return [record];
  if (!isSameName(text, name) && !text.endsWith(`@${index}`)) return [record];
  return readAllNamed(store, name).filter((each) => each.index === index);
}

function forOne(store: Store, records: readonly ImageRecord[], wanted: Platform): ImageRecord {
  return chooseNamed(
    records.map((record) => ({ record, platform: parseImageConfig(readBlob(store, record.id)).platform })),
    wanted,
  ).record;
}

interface Push {
  readonly store: Store;
  readonly records: readonly ImageRecord[];
  readonly reference: Reference;
  readonly options: PushOptions;
}

function push(context: Context, worker: Worker, { store, records, reference, options }: Push): Pushed {
  const conf = readRegistriesConf(context, worker);
  const endpoint = homeOf(conf, reference);
  const { compression = "gzip", format, view = SILENT_PUSH } = options;
  const images = records.map((record) => describeImage(store, record, { endpoint, compression, format }));
  const mountable = images.flatMap(({ layers }) =>
    layers.flatMap(({ known }) => known.flatMap(({ mounts }) => mounts)),
  );
  const purpose = { access: options, kept: conf, actions: "pull,push", mountable: [...new Set(mountable)] } as const;
  const registry = accessRegistry(context, worker, endpoint, purpose);
  registry.connect();
  using task = beginTask(store, records.map(needsOf));
  const shipment = new Shipment(store, images, { compression, scratch: task.path });
  view.begins(canonical(reference), shipment.parts);
  const blobs = deliver(worker, registry, shipment.orders, view);
  const sent = images.map((image): Sent => {
    const layers = shipment.blobsOf(image, blobs, compression);
    return { image, layers, document: documentOf(worker, image, layers) };
  });
  const [only] = sent;
  const isThere = (digest: string): boolean => registry.hasDocument(digest);
  const top =
    sent.length === 1 && only !== undefined ? only.document : indexFor(worker, { store, sent, format, isThere });
  for (const { document } of sent) if (document !== top) registry.putDocument(document.digest, document);
  registry.putDocument(reference.tag ?? "", top);
  notePlaces(store, new Map(sent.flatMap((each) => placesIn(each, endpoint))));
  view.ends(top.digest);
  return { name: canonical(reference), digest: top.digest };
}

function needsOf({ id, manifest, index, lower, layers }: ImageRecord): Used {
  return {
    id,
    ...(manifest === undefined ? {} : { manifest }),
    ...(index === undefined ? {} : { index }),
    lower,
    layers,
  };
}

/** A push to another repository of the registry need not send what is here now. */
function placesIn({ image, layers }: Sent, { registry, path: repository }: Endpoint): [Digest, BlobPlace][] {
  return image.layers.flatMap(({ diffId }, at) => {
    const blob = layers[at];
    return blob === undefined ? [] : [[diffId, { ...blob, registry, repository }]];
  });
}

/** The manifest that the image came with where that still is true, byte for byte; else a new one. */
function documentOf(worker: Worker, { own, format, config }: PushedImage, layers: readonly Descriptor[]): Document {
  const isSame = own !== undefined && formatOf(typeOfManifest(own)) === format && hasLayers(own, layers);
  const made = isSame
    ? { text: own, mediaType: typeOfManifest(own) }
    : makeManifest({ format, config, layers, like: own });
  const { digest, size } = worker.ask("digest", { text: made.text });
  return { ...made, digest: digest as Digest, size };
}

function hasLayers(manifest: string, blobs: readonly Descriptor[]): boolean {
  const { layers } = parseManifest(manifest, typeOfManifest(manifest));
  return layers.length === blobs.length && layers.every(({ digest }, at) => digest === blobs[at]?.digest);
}
