/** The index of images that are pushed together. */
import { parseJson } from "../spec/json.ts";
import { arrayIn, asObject, entryOf, type JsonObject } from "../spec/reader.ts";
import type { Digest } from "./digest.ts";
import { parseImageConfig } from "./image-config.ts";
import { formatOf, makeIndex, type Format } from "./make-manifest.ts";
import { typeOfManifest, type Descriptor } from "./manifest.ts";
import type { PushedImage } from "./push-layers.ts";
import type { Document } from "./registry.ts";
import { within } from "./source.ts";
import { readBlob, type Store } from "./store.ts";
import type { Worker } from "./worker.ts";

/** An image whose blobs are in the registry. */
export interface Sent {
  readonly image: PushedImage;
  readonly layers: readonly Descriptor[];
  readonly document: Document;
}

export interface Together {
  readonly store: Store;
  readonly sent: readonly Sent[];
  /** As the index has it where it is not given. */
  readonly format: Format | undefined;
  /** Whether the repository has a manifest. */
  isThere(digest: string): boolean;
}

/**
 * The index that the images came with where the repository has all that it lists, byte for byte; else one that lists those that are
 * sent: a pull does not bring what builders add about their making.
 */
export function indexFor(worker: Worker, { store, sent, format, isThere }: Together): Document {
  const own = sent[0]?.image.record.index;
  const text = own === undefined ? "" : readBlob(store, own);
  const index = within("its index", () => asObject(parseJson(text), ""));
  const listed = within("its index", () =>
    arrayIn(index, "manifests", "").map((entry, at) => asObject(entry, entryOf("manifests", String(at)))),
  );
  const mediaType = typeOfManifest(text);
  const wanted = format ?? formatOf(mediaType);
  const digests = new Map(sent.map(({ image, document }) => [image.record.manifest, document.digest]));
  const isSame = listed.every(({ digest }) => (digests.get(digest as Digest) ?? digest) === digest);
  const isAllThere = (): boolean =>
    listed.every(({ digest }) => digests.has(digest as Digest) || isThere(String(digest)));
  const made =
    wanted === formatOf(mediaType) && isSame && isAllThere()
      ? { text, mediaType }
      : makeIndex({ format: wanted, entries: sent.map((each) => entryFor(store, each, listed)), like: text });
  const { digest, size } = worker.ask("digest", { text: made.text });
  return { ...made, digest: digest as Digest, size };
}

/** As it was listed, but for what it is now. */
function entryFor(store: Store, { image, document }: Sent, listed: readonly JsonObject[]): object {
  const { mediaType, digest, size } = document;
  const old = listed.find((entry) => entry["digest"] === image.record.manifest);
  if (old !== undefined) return { ...old, mediaType, digest, size };
  const { os, architecture, variant } = parseImageConfig(readBlob(store, image.record.id)).platform;
  return { mediaType, digest, size, platform: { os, architecture, ...(variant === "" ? {} : { variant }) } };
}
