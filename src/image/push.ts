/** An image goes from the store to a registry: distribution-spec, "Push". */
import type { Context } from "../commands/context.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { accessRegistry, type Access } from "./access.ts";
import { deliver } from "./deliver.ts";
import { pathOfDigest, type Digest } from "./digest.ts";
import { compressionOf, formatOf, layerType, makeManifest, type Compression, type Format } from "./make-manifest.ts";
import { parseManifest, typeOfManifest, type Descriptor } from "./manifest.ts";
import { notePlaces, placesOf, type BlobPlace } from "./places.ts";
import { SILENT_PUSH, type PushView } from "./push-view.ts";
import { canonical, familiar, parseReference, type Reference } from "./reference.ts";
import { homeOf, readRegistriesConf, type Endpoint } from "./registries-conf.ts";
import { within } from "./source.ts";
import { findRecord, layerPath, readBlob, type ImageRecord, type Store } from "./store.ts";
import { beginTask } from "./tasks.ts";
import type { BlobOrder, PushedBlob } from "./orders.ts";
import type { Worker } from "./worker.ts";

export interface PushOptions extends Access {
  /** Of layers that have to be compressed anew: gzip where it is not given. */
  readonly compression?: Compression | undefined;
  /** What the manifest is to be: as the image has it where it is not given. */
  readonly format?: Format | undefined;
  readonly view?: PushView | undefined;
}

export interface Pushed {
  readonly name: string;
  /** Of the manifest. */
  readonly digest: Digest;
}

/** A layer, and which blobs will do for it, the image's own first. */
interface Layer {
  readonly diffId: Digest;
  readonly known: readonly (Descriptor & { readonly mounts: readonly string[] })[];
}

/** Repositories that a blob is asked for in. */
const MOST_MOUNTS = 3;

/** Pushes an image, to `destination` or as what it is called. Throws a Failure; no tag leads to what is not whole. */
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
    return push(context, worker, { store, record, reference, options });
  } catch (error) {
    throw error instanceof Failure ? new Failure(`cannot push ${familiar(reference)}: ${error.message}`) : error;
  }
}

/** A name in a registry; "docker://" is skopeo's and podman's word for that. Throws a Failure. */
export function parseDestination(text: string): Reference {
  const reference = parseReference(text.startsWith("docker://") ? text.slice("docker://".length) : text);
  if (reference.digest === undefined) return reference;
  throw new Failure(`cannot push to ${quote(text)}: a digest follows from what is pushed, give a tag`);
}

function nameOf({ name }: ImageRecord, image: string): string {
  if (name !== undefined) return name;
  throw new Failure(`cannot push ${image}: it has no name, say where to`);
}

interface Push {
  readonly store: Store;
  readonly record: ImageRecord;
  readonly reference: Reference;
  readonly options: PushOptions;
}

function push(context: Context, worker: Worker, { store, record, reference, options }: Push): Pushed {
  const endpoint = homeOf(readRegistriesConf(context, worker), reference);
  const own = record.manifest === undefined ? undefined : readBlob(store, record.manifest);
  const format = options.format ?? (own === undefined ? "oci" : formatOf(typeOfManifest(own)));
  const { compression = "gzip", view = SILENT_PUSH } = options;
  if (layerType(format, compression) === undefined)
    throw new Failure(`an image with docker's media types has no ${compression} layers (--format oci gives it others)`);
  const layers = layersOf(store, record, { own, format, endpoint });
  const mountable = new Set(layers.flatMap(({ known }) => known.flatMap(({ mounts }) => mounts)));
  const purpose = { access: options, actions: "pull,push", mountable: [...mountable] } as const;
  const registry = accessRegistry(context, worker, endpoint, purpose);
  registry.connect();
  const { id, manifest, lower } = record;
  using task = beginTask(store, [{ id, ...(manifest === undefined ? {} : { manifest }), lower }]);
  const orders = layers.map(({ diffId, known }): BlobOrder => {
    const from = { kind: "layer", path: layerPath(store, diffId), compression, scratch: task.path } as const;
    return { known: known.map(({ digest, size, mounts }) => ({ digest, size, mounts })), from };
  });
  const config = { digest: id, size: context.sys.bytesOf(readBlob(store, id)).length };
  view.begins(canonical(reference), orders.length + 1);
  const sent = deliver(worker, registry, [...orders, configOrder(store, config)], view);
  const blobs = layers.map(({ known }, at) => described(sent[at], known, layerType(format, compression)));
  const document = documentOf(worker, { own, format, config, blobs });
  registry.putDocument(reference.tag ?? "", document);
  notePlaces(store, new Map(layers.flatMap(({ diffId }, at) => placeAt(diffId, blobs[at], endpoint))));
  view.ends(document.digest);
  return { name: canonical(reference), digest: document.digest };
}

interface Known {
  /** The manifest that the image came with. */
  readonly own: string | undefined;
  readonly format: Format;
  readonly endpoint: Endpoint;
}

function layersOf(store: Store, { layers }: ImageRecord, { own, format, endpoint }: Known): Layer[] {
  const manifest =
    own === undefined ? undefined : within("its manifest", () => parseManifest(own, typeOfManifest(own)));
  return layers.map((diffId, at) => {
    const places = placesOf(store, diffId);
    const descriptor = manifest?.layers[at];
    const known = new Map<Digest, Descriptor>();
    for (const { mediaType, digest, size } of [...(descriptor === undefined ? [] : [descriptor]), ...places]) {
      const type = layerType(format, compressionOf(mediaType));
      // The same bytes have another name in the other family.
      if (type !== undefined && !known.has(digest)) known.set(digest, { mediaType: type, digest, size });
    }
    return {
      diffId,
      known: [...known.values()].map((each) => ({ ...each, mounts: mountsOf(places, each, endpoint) })),
    };
  });
}

/** Other repositories of the registry that have the blob. */
function mountsOf(places: readonly BlobPlace[], { digest }: Descriptor, { registry, path }: Endpoint): string[] {
  const others = places.filter((place) => place.digest === digest && place.registry === registry);
  const names = others.map(({ repository }) => repository).filter((repository) => repository !== path);
  return [...new Set(names)].slice(0, MOST_MOUNTS);
}

function configOrder({ path }: Store, { digest, size }: Omit<Descriptor, "mediaType">): BlobOrder {
  const source = { kind: "dir", path: `${path}/blobs` } as const;
  return {
    known: [{ digest, size }],
    from: { kind: "member", source, scratch: path, member: pathOfDigest(digest) },
  };
}

/** The layer's blob as it is there now: one that was known, or one of the type `made`. */
function described(blob: PushedBlob | undefined, known: Layer["known"], made: string | undefined): Descriptor {
  if (blob === undefined || made === undefined) throw new Failure("the worker has answered too little");
  const { digest, size } = blob;
  const old = known.find((each) => each.digest === digest);
  return { mediaType: old?.mediaType ?? made, digest: digest as Digest, size };
}

function placeAt(diffId: Digest, blob: Descriptor | undefined, endpoint: Endpoint): [Digest, BlobPlace][] {
  if (blob === undefined) return [];
  return [[diffId, { ...blob, registry: endpoint.registry, repository: endpoint.path }]];
}

interface Parts {
  readonly own: string | undefined;
  readonly format: Format;
  readonly config: Omit<Descriptor, "mediaType">;
  readonly blobs: readonly Descriptor[];
}

/** The manifest that the image came with where that still is true, byte for byte; else a new one. */
function documentOf(
  worker: Worker,
  { own, format, config, blobs }: Parts,
): { text: string; mediaType: string; digest: Digest } {
  const isSame = own !== undefined && formatOf(typeOfManifest(own)) === format && hasLayers(own, blobs);
  const document = isSame
    ? { text: own, mediaType: typeOfManifest(own) }
    : makeManifest({ format, config, layers: blobs, like: own });
  return { ...document, digest: worker.ask("digest", { text: document.text }).digest as Digest };
}

function hasLayers(manifest: string, blobs: readonly Descriptor[]): boolean {
  const { layers } = parseManifest(manifest, typeOfManifest(manifest));
  return layers.length === blobs.length && layers.every(({ digest }, at) => digest === blobs[at]?.digest);
}
