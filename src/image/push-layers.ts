/** The images of a push as what is to be sent: each layer, and which blobs will do for it. */
import { Failure } from "../sys/failure.ts";
import type { Part } from "./bars.ts";
import { pathOfDigest, type Digest } from "./digest.ts";
import { compressionOf, formatOf, layerType, type Compression, type Format } from "./make-manifest.ts";
import { parseManifest, typeOfManifest, type Descriptor } from "./manifest.ts";
import type { BlobOrder, PushedBlob } from "./orders.ts";
import { placesOf, type BlobPlace } from "./places.ts";
import type { Endpoint } from "./registries-conf.ts";
import { within } from "./source.ts";
import { layerPath, readBlob, type ImageRecord, type Store } from "./store.ts";

/** An image, and what it will be made of. */
export interface PushedImage {
  readonly record: ImageRecord;
  /** The manifest that it came with. */
  readonly own: string | undefined;
  readonly format: Format;
  readonly config: Omit<Descriptor, "mediaType">;
  /** Lowest first. */
  readonly layers: readonly Layer[];
}

/** A layer, and which blobs will do for it, the image's own first. */
interface Layer {
  readonly diffId: Digest;
  readonly known: readonly (Descriptor & { readonly mounts: readonly string[] })[];
}

interface Manner {
  readonly endpoint: Endpoint;
  readonly compression: Compression;
  /** As the image has it where it is not given. */
  readonly format: Format | undefined;
}

/** Repositories that a blob is asked for in. */
const MOST_MOUNTS = 3;

/** Finds out what is known of an image's blobs. Throws a Failure. */
export function describeImage(store: Store, record: ImageRecord, manner: Manner): PushedImage {
  const own = record.manifest === undefined ? undefined : readBlob(store, record.manifest);
  const format = manner.format ?? (own === undefined ? "oci" : formatOf(typeOfManifest(own)));
  const { compression, endpoint } = manner;
  if (layerType(format, compression) === undefined)
    throw new Failure(`an image with docker's media types has no ${compression} layers (--format oci gives it others)`);
  const config = { digest: record.id, size: store.sys.bytesOf(readBlob(store, record.id)).length };
  return { record, own, format, config, layers: layersOf(store, record, { own, format, endpoint }) };
}

interface Known {
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

/** All that is sent of several images, each blob once. */
export class Shipment {
  readonly orders: BlobOrder[] = [];
  /** The same, to be seen. */
  readonly parts: Part[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(
    store: Store,
    images: readonly PushedImage[],
    { compression, scratch }: { compression: Compression; scratch: string },
  ) {
    for (const { layers } of images)
      for (const layer of layers) {
        const from = { kind: "layer", path: layerPath(store, layer.diffId), compression, scratch } as const;
        const known = layer.known.map(({ digest, size, mounts }) => ({ digest, size, mounts }));
        this.#add(keyOf(layer), { known, from }, { digest: layer.diffId, size: layer.known[0]?.size });
      }
    const source = { kind: "dir", path: `${store.path}/blobs` } as const;
    for (const { config } of images) {
      const from = { kind: "member", source, scratch, member: pathOfDigest(config.digest) } as const;
      this.#add(config.digest, { known: [config], from }, config);
    }
  }

  #add(key: string, order: BlobOrder, { digest, size }: Part): void {
    if (this.#numbers.has(key)) return;
    this.#numbers.set(key, this.orders.length);
    this.orders.push(order);
    this.parts.push({ digest, size });
  }

  /** What has become of an image's layers: blobs that were known, or of the type that is made. Throws a Failure. */
  blobsOf({ layers, format }: PushedImage, sent: readonly PushedBlob[], compression: Compression): Descriptor[] {
    return layers.map((layer) => {
      const blob = sent[this.#numbers.get(keyOf(layer)) ?? -1];
      const made = layerType(format, compression);
      if (blob === undefined || made === undefined) throw new Failure("the worker has answered too little");
      const digest = blob.digest as Digest;
      return {
        mediaType: layer.known.find((each) => each.digest === digest)?.mediaType ?? made,
        digest,
        size: blob.size,
      };
    });
  }
}

/** Two images may have a layer as different blobs. */
function keyOf({ diffId, known }: Layer): string {
  return `${diffId} ${known[0]?.digest ?? ""}`;
}
