/** What is copied: documents, and the blobs that they name. */
import { Failure } from "../sys/failure.ts";
import type { Part } from "./bars.ts";
import type { Compression } from "./make-manifest.ts";
import { isIndex, parseBlobs, parseIndex, type Descriptor, type Entry } from "./manifest.ts";
import type { Origin } from "./orders.ts";
import type { Endpoint } from "./registries-conf.ts";
import type { Document } from "./registry.ts";
import { DEEPEST_INDEX, within } from "./source.ts";
import type { LayerEvent } from "./worker.ts";

/** Where something is copied from. */
export interface Sender {
  /** The repository, where it is one: blobs of the same registry need not be sent. */
  readonly endpoint: Endpoint | undefined;
  /** All that is to be copied. Throws a Failure. */
  parcel(wanted: Wanted): Parcel;
}

export interface Wanted {
  readonly choice: Choice;
  /** Of layers that come from where they have no digest. */
  readonly compression: Compression;
  /** These are to be copied. */
  begins(parts: readonly Part[]): void;
  /** Something has to be made of them before. */
  heard(event: LayerEvent): void;
}

/** Documents as they are, and where the worker finds their blobs. */
export interface Contents {
  /** What the name leads to. */
  readonly top: Document;
  /** What the descriptor says, and nothing else. Throws a Failure. */
  document(descriptor: Descriptor): Document;
  /** The text of a small blob. Throws a Failure. */
  text(blob: Descriptor): string;
  origin(blob: Descriptor): Origin;
}

export interface Parcel {
  readonly contents: Contents;
  /** What a document names stands before it; the last one is what the name will lead to. */
  readonly documents: readonly Document[];
  readonly top: Document;
  /** Each once. */
  readonly blobs: readonly Descriptor[];
}

/** Which image of an index, or all that it lists. */
export type Choice = "all" | ((entries: readonly Entry[]) => Entry);

/** What is chosen of the contents. Throws a Failure. */
export function collect(contents: Contents, choice: Choice): Parcel {
  const top = choice === "all" ? contents.top : chosen(contents, contents.top, choice);
  const documents = choice === "all" ? allBelow(contents, top, 0) : [top];
  const blobs = new Map(documents.flatMap(blobsOf).map((blob) => [blob.digest, blob]));
  return { contents, documents, top, blobs: [...blobs.values()] };
}

/** The manifest that an index leads to. */
function chosen(contents: Contents, document: Document, choose: (entries: readonly Entry[]) => Entry): Document {
  let at = document;
  for (let depth = 0; isIndex(at); depth++) {
    if (depth === DEEPEST_INDEX) throw tooDeep();
    at = contents.document(choose(entriesOf(at)));
  }
  return at;
}

/** A document after all that it lists. */
function allBelow(contents: Contents, document: Document, depth: number): Document[] {
  if (!isIndex(document)) return [document];
  if (depth === DEEPEST_INDEX) throw tooDeep();
  return [...entriesOf(document).flatMap((entry) => allBelow(contents, contents.document(entry), depth + 1)), document];
}

function entriesOf({ digest, text, mediaType }: Document): Entry[] {
  return within(`index ${digest}`, () => parseIndex(text, mediaType));
}

function tooDeep(): Failure {
  return new Failure(`indexes are nested more than ${DEEPEST_INDEX} times`);
}

function blobsOf(document: Document): Descriptor[] {
  if (isIndex(document)) return [];
  return within(`manifest ${document.digest}`, () => parseBlobs(document.text, document.mediaType));
}
