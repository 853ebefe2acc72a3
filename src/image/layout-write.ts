/** A layout that is written: image-layout.md of the image specification. Nothing is named before it is whole. */
import { parseJson } from "../spec/json.ts";
import { arrayIn, asObject, stringMapIn, entryOf, type JsonObject } from "../spec/reader.ts";
import { LOCK_EX } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { makeDirectories, openDirectory, readFileIfAny, replaceFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { blobName, type Digest } from "./digest.ts";
import { checkLayout, INDEX_TYPE, MANIFEST_LIMIT, REF_NAME, type Descriptor } from "./manifest.ts";
import { within } from "./source.ts";

/** A layout's directory. */
export class LayoutWriter {
  readonly #sys: Sys;
  readonly #path: string;

  /** Makes the directory a layout, which it may be already; throws a Failure where it is something else. */
  constructor(sys: Sys, path: string) {
    this.#sys = sys;
    this.#path = path;
    attempt(`make ${path}`, () => makeDirectories(sys, path, 0o755));
    using folder = attempt(`open ${path}`, () => openDirectory(sys, null, path));
    const marker = attempt(`read ${path}/oci-layout`, () => readFileIfAny(sys, folder, "oci-layout"));
    if (marker !== undefined) within(`${path}/oci-layout`, () => checkLayout(marker));
    else if (sys.readDirectory(folder).length > 0) throw new Failure(`${path} is neither an OCI layout nor empty`);
    else attempt(`write ${path}/oci-layout`, () => replaceFile(sys, folder, "oci-layout", LAYOUT, 0o644));
  }

  /** Where the blob goes; its directory is there. */
  placeOf(digest: Digest): string {
    const path = `${this.#path}/${blobName(digest)}`;
    const folder = path.slice(0, path.lastIndexOf("/"));
    attempt(`make ${folder}`, () => makeDirectories(this.#sys, folder, 0o755));
    return path;
  }

  /** Writes a manifest or index, under its digest. Throws a Failure. */
  write({ digest, text }: Pick<Descriptor, "digest"> & { readonly text: string }): void {
    const path = this.placeOf(digest);
    attempt(`write ${path}`, () => {
      using folder = openDirectory(this.#sys, null, path.slice(0, path.lastIndexOf("/")));
      replaceFile(this.#sys, folder, path.slice(path.lastIndexOf("/") + 1), text, 0o644);
    });
  }

  /** Names what the descriptor says; what had the name before is there without it no more. Throws a Failure. */
  name(document: Descriptor, name: string | undefined): void {
    using folder = attempt(`open ${this.#path}`, () => openDirectory(this.#sys, null, this.#path));
    attempt(`lock ${this.#path}`, () => this.#sys.flock(folder, LOCK_EX));
    const text = attempt(`read ${this.#path}/index.json`, () =>
      readFileIfAny(this.#sys, folder, "index.json", MANIFEST_LIMIT),
    );
    const index = within(`${this.#path}/index.json`, () => parse(text));
    const others = index.entries.filter((entry) => !isReplaced(entry, { digest: document.digest, name }));
    const manifests = [...others.map(({ raw }) => raw), listed(document, name)];
    const written = indexText(manifests, index.document);
    attempt(`write ${this.#path}/index.json`, () => replaceFile(this.#sys, folder, "index.json", written, 0o644));
  }
}

/** What the file oci-layout says. */
export const LAYOUT = '{"imageLayoutVersion":"1.0.0"}';

/** What index.json says of a document. */
export function listed({ mediaType, digest, size }: Descriptor, name: string | undefined): object {
  return { mediaType, digest, size, ...(name === undefined ? {} : { annotations: { [REF_NAME]: name } }) };
}

/** index.json. */
export function indexText(manifests: readonly object[], others: object = {}): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, ...others, manifests });
}

interface Listed {
  readonly raw: JsonObject;
  readonly name: string | undefined;
}

function parse(text: string | undefined): { document: JsonObject; entries: Listed[] } {
  if (text === undefined) return { document: {}, entries: [] };
  const document = asObject(parseJson(text), "");
  const entries = arrayIn(document, "manifests", "").map((each, at) => {
    const raw = asObject(each, entryOf("manifests", String(at)));
    return { raw, name: stringMapIn(raw, "annotations", "")[REF_NAME] };
  });
  return { document, entries };
}

function isReplaced(
  { raw, name }: Listed,
  made: { readonly digest: Digest; readonly name: string | undefined },
): boolean {
  return made.name === undefined ? name === undefined && raw["digest"] === made.digest : name === made.name;
}
