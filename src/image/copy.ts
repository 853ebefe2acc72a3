/** An image goes from one place to another, past the store: every blob and document keeps its bytes. */
import type { Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import type { Access } from "./access.ts";
import { openDestination } from "./copy-destination.ts";
import { openLayoutSource, openRegistrySource, type Asking, type CopySource } from "./copy-source.ts";
import type { Digest } from "./digest.ts";
import { isIndex, parseBlobs, parseIndex, type Descriptor, type Entry } from "./manifest.ts";
import { asMachine, choosePlatform, chooseNamed, type Platform } from "./platform.ts";
import { SILENT_PUSH, type PushView } from "./push-view.ts";
import type { Document } from "./registry.ts";
import { DEEPEST_INDEX, within } from "./source.ts";
import { parseTransport } from "./transport.ts";
import type { Worker } from "./worker.ts";

export interface CopyOptions {
  readonly source: Access;
  readonly destination: Access;
  /** "all": an index goes with all that it lists. The machine's where it is not given. */
  readonly platform: Platform | "all" | undefined;
  /** A directory for what is on its way. */
  readonly scratch: string;
  readonly view?: PushView | undefined;
}

/** Copies what `from` names to `to`; gives the digest of what is there now. Throws a Failure; no name leads to what is not whole. */
export function copyImage(
  context: Context,
  worker: Worker,
  { from, to }: { readonly from: string; readonly to: string },
  options: CopyOptions,
): Digest {
  try {
    return copy(context, worker, { from, to }, options);
  } catch (error) {
    throw error instanceof Failure ? new Failure(`cannot copy ${from} to ${to}: ${error.message}`) : error;
  }
}

function copy(
  context: Context,
  worker: Worker,
  { from, to }: { readonly from: string; readonly to: string },
  options: CopyOptions,
): Digest {
  const { platform, view = SILENT_PUSH } = options;
  const machine = asMachine(context.sys.uname().machine);
  const asking = { access: options.source, machine, scratch: options.scratch };
  const source = openSource(context, worker, from, asking);
  const choose = (entries: readonly Entry[]): Entry =>
    typeof platform === "object" ? chooseNamed(entries, platform) : choosePlatform(entries, machine);
  const top = platform === "all" ? source.top : chosen(source, source.top, choose);
  const found = platform === "all" ? allBelow(source, top, 0) : [top];
  const blobs = new Map(found.flatMap(blobsOf).map((blob) => [blob.digest, blob]));
  const access = options.destination;
  const destination = openDestination(context, worker, to, { access, from: source.endpoint });
  view.begins(to, blobs.size);
  destination.takeBlobs([...blobs.values()], source, view);
  // What a document names is there before it: the lowest come first, and the name last.
  for (const document of found.slice(0, -1)) destination.takeDocument(document);
  destination.takeTop(top);
  view.ends(top.digest);
  return top.digest;
}

function openSource(context: Context, worker: Worker, text: string, asking: Asking): CopySource {
  const place = parseTransport(withoutScheme(text));
  if (place === undefined) return openRegistrySource(context, worker, withoutScheme(text), asking);
  if (place.form !== "docker-archive") return openLayoutSource(context, worker, place, asking);
  throw new Failure("a docker-archive has no manifest to copy: load it, and push or save the image");
}

/** "docker://" is skopeo's and podman's word for a registry. */
function withoutScheme(text: string): string {
  return text.startsWith("docker://") ? text.slice("docker://".length) : text;
}

/** The manifest that an index leads to. */
function chosen(source: CopySource, document: Document, choose: (entries: readonly Entry[]) => Entry): Document {
  let at = document;
  for (let depth = 0; isIndex(at); depth++) {
    if (depth === DEEPEST_INDEX) throw tooDeep();
    at = source.document(choose(entriesOf(at)));
  }
  return at;
}

/** A document after all that it lists. */
function allBelow(source: CopySource, document: Document, depth: number): Document[] {
  if (!isIndex(document)) return [document];
  if (depth === DEEPEST_INDEX) throw tooDeep();
  return [...entriesOf(document).flatMap((entry) => allBelow(source, source.document(entry), depth + 1)), document];
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
