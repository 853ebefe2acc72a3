/** What a place outside of the store holds: the images in it, read and checked, but none of their layers. */
import { quote } from "../spec/reader.ts";
import { absolutePath } from "../commands/context.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { asDigest, blobName, type Digest } from "./digest.ts";
import { CONFIG_LIMIT, parseImageConfig, type ImageConfig } from "./image-config.ts";
import {
  checkLayout,
  isIndex,
  MANIFEST_LIMIT,
  parseIndex,
  parseManifest,
  parseSaved,
  type Descriptor,
  type Entry,
  type Saved,
} from "./manifest.ts";
import { choosePlatform, type Machine } from "./platform.ts";
import { isSameName } from "./reference.ts";
import { severalImages, STANDARD_INPUT, type Form, type Place } from "./transport.ts";
import type { FromSource, LayerOrder, Source } from "./orders.ts";
import { passedPath, type Worker } from "./worker.ts";

/** An image that can be loaded. */
export interface Found {
  /** The digest of its configuration, which everything else about it follows from. */
  readonly id: Digest;
  readonly configText: string;
  readonly config: ImageConfig;
  /** Undefined for docker save's archives, which have none. */
  readonly manifest: { readonly digest: Digest; readonly text: string } | undefined;
  readonly layers: readonly Omit<LayerOrder, "dest">[];
  /** Those of the layers, where there is a manifest to say it. */
  readonly mediaTypes: readonly string[];
  /** What the source calls it: a whole name or a tag, the fullest first. */
  readonly names: readonly string[];
}

export interface Opened {
  readonly source: Source;
  readonly images: readonly Found[];
}

/** Deeper nests no honest index. */
export const DEEPEST_INDEX = 4;

/** Who reads, and from where. */
interface Reading extends FromSource {
  readonly worker: Worker;
}

/** The same, and for which machine. */
interface Reader extends Reading {
  readonly machine: Machine;
}

/**
 * Reads the images of a place; with a name in it just that one. `scratch` is a directory for what has to be decompressed first.
 * Throws a Failure that begins with the place.
 */
export function openPlace(
  sys: Sys,
  worker: Worker,
  place: Place,
  given: { scratch: string; machine: Machine },
): Opened {
  const source = sourceOf(sys, place);
  const path = place === STANDARD_INPUT ? "standard input" : source.path;
  const reader: Reader = { worker, source, ...given };
  try {
    const form = place.form === "any" ? formOf(reader) : place.form;
    const images = form === "docker-archive" ? readSaved(reader, place.name) : readLayout(reader, place.name);
    return { source: reader.source, images };
  } catch (error) {
    if (!(error instanceof Error) || error.name === "SysError") throw error;
    throw new Failure(`cannot load ${path}: ${error.message}`);
  }
}

function sourceOf(sys: Sys, place: Place): Source {
  if (place === STANDARD_INPUT) return { kind: "stream", path: passedPath(0) };
  const path = absolutePath(sys, place.path);
  const stat = attempt(`open ${path}`, () => sys.statx(null, path, 0));
  const kind = stat.mode & S_IFMT;
  const isDirectory = kind === S_IFDIR;
  if (!isDirectory && kind !== S_IFREG)
    throw new Failure(
      `cannot load ${path}: it is no regular file and no directory (a pipe is read from standard input)`,
    );
  checkForm(place.form, path, isDirectory);
  return { kind: isDirectory ? "dir" : "archive", path };
}

function checkForm(form: Form, path: string, isDirectory: boolean): void {
  if (form === "oci" && !isDirectory)
    throw new Failure(`cannot read oci:${path}: it is not a directory (is it an oci-archive?)`);
  if (form.endsWith("-archive") && isDirectory) throw new Failure(`cannot read ${form}:${path}: it is a directory`);
}

/** New archives of docker save are both; the layout has the digests, so it goes first. */
function formOf({ worker, source, scratch }: Reader): Form {
  if (source.kind === "dir") return "oci";
  const { members } = worker.ask("list", { source, scratch });
  if (members.includes("oci-layout")) return "oci-archive";
  if (members.includes("manifest.json")) return "docker-archive";
  throw new Failure("it is no image: it has neither oci-layout nor manifest.json");
}

function readLayout(reader: Reader, name: string | undefined): Found[] {
  return readGroups(reader, name).map((group) => readEntry(reader, choosePlatform(group, reader.machine)));
}

/** What index.json lists, by name: all of it, or that of one name. */
function readGroups(reader: Reading, name: string | undefined): Entry[][] {
  within("oci-layout", () => checkLayout(readMember(reader, "oci-layout", undefined).text));
  const entries = within("index.json", () => parseIndex(readMember(reader, "index.json", undefined).text, undefined));
  const groups = Map.groupBy(entries, (entry) => entry.names[0] ?? "");
  const wanted = [...groups].filter(([, [first]]) => name === undefined || first?.names.includes(name) === true);
  if (wanted.length === 0) throw notThere([...groups.keys()], name);
  return wanted.map(([, group]) => group);
}

/** A layout whose parts are wanted as they are. */
export interface Layout {
  readonly from: FromSource;
  /** What index.json lists, by name. */
  readonly groups: readonly (readonly Entry[])[];
  /** Where a blob is. */
  memberOf(digest: Digest): string;
}

/** Opens a layout, a directory or an archive; with a name in the place just that image. Throws a Failure. */
export function openLayout(sys: Sys, worker: Worker, place: Place, scratch: string): Layout {
  const from = { source: sourceOf(sys, place), scratch };
  return { from, groups: readGroups({ worker, ...from }, place.name), memberOf: blobName };
}

/** A text of a layout, as its descriptor promises it. Throws a Failure. */
export function readLayoutBlob({ from }: Layout, worker: Worker, descriptor: Descriptor): string {
  return readBlob({ worker, ...from }, descriptor);
}

function notThere(names: readonly string[], name: string | undefined): Failure {
  if (name === undefined) return new Failure("there is no image in it");
  const list = names
    .filter((each) => each !== "")
    .map(quote)
    .join(", ");
  return new Failure(`there is no image ${quote(name)} in it${list === "" ? "" : `: there is ${list}`}`);
}

function readEntry(reader: Reader, entry: Entry): Found {
  let at: Descriptor = entry;
  for (let depth = 0; isIndex(at); depth++) {
    if (depth === DEEPEST_INDEX) throw new Failure(`indexes are nested more than ${DEEPEST_INDEX} times`);
    const { digest, mediaType } = at;
    const text = readBlob(reader, at);
    at = choosePlatform(
      within(`index ${digest}`, () => parseIndex(text, mediaType)),
      reader.machine,
    );
  }
  return combineImage({ ...at, text: readBlob(reader, at) }, (config) => readBlob(reader, config), entry.names);
}

/** The image of a manifest, whose configuration `read` gives. Throws a Failure. */
export function combineImage(
  { digest, mediaType, text }: Descriptor & { readonly text: string },
  read: (config: Descriptor) => string,
  names: readonly string[],
): Found {
  const manifest = within(`manifest ${digest}`, () => parseManifest(text, mediaType));
  const configText = read(manifest.config);
  const config = within(`configuration ${manifest.config.digest}`, () => parseImageConfig(configText));
  if (manifest.layers.length !== config.diffIds.length) {
    throw new Failure(
      `manifest ${digest} has ${manifest.layers.length} layers, and its configuration ${config.diffIds.length}`,
    );
  }
  const layers = manifest.layers.map((layer, index) => ({
    member: blobName(layer.digest),
    digest: layer.digest,
    size: layer.size,
    diffId: config.diffIds[index] ?? "",
  }));
  const mediaTypes = manifest.layers.map((layer) => layer.mediaType);
  return { id: manifest.config.digest, configText, config, manifest: { digest, text }, layers, mediaTypes, names };
}

/** A text of the layout, as its descriptor promises it. */
function readBlob(reader: Reading, { digest, size }: Descriptor): string {
  const answer = readMember(reader, blobName(digest), digest);
  if (answer.size !== size) throw new Failure(`${digest} has ${answer.size} bytes: its descriptor says ${size}`);
  return answer.text;
}

function readSaved(reader: Reader, name: string | undefined): Found[] {
  return savedIn(reader, name).map((image) =>
    readImage(reader, name === undefined ? image : { ...image, names: [name] }),
  );
}

/** What manifest.json lists: all of it, or those of one name. */
function savedIn(reader: Reading, name: string | undefined): Saved[] {
  const images = within("manifest.json", () => parseSaved(readMember(reader, "manifest.json", undefined).text));
  const isMeant = ({ names }: Saved): boolean => name === undefined || names.some((each) => isSameName(each, name));
  const wanted = images.filter(isMeant);
  if (wanted.length > 0) return wanted;
  throw notThere(
    images.flatMap(({ names }) => names),
    name,
  );
}

/** An image of docker's archive whose parts are wanted as they are. */
export interface SavedImage {
  readonly from: FromSource;
  readonly image: Found;
  /** Its configuration's member. */
  readonly member: string;
}

/** Opens an archive of docker's in which one image is meant. Throws a Failure. */
export function openSavedImage(sys: Sys, worker: Worker, place: Place, scratch: string): SavedImage {
  const from = { source: sourceOf(sys, place), scratch };
  const found = savedIn({ worker, ...from }, place.name);
  const [saved] = found;
  if (saved === undefined || found.length > 1)
    throw severalImages(
      place,
      found.map(({ names }) => names[0] ?? "without a name"),
    );
  return { from, image: readImage({ worker, ...from }, saved), member: saved.config };
}

/** Its layers have no digests but the diff ids, which are checked all the same. */
function readImage(reader: Reading, { config: member, layers, names }: Saved): Found {
  const { text, digest } = readMember(reader, member, undefined);
  const config = within(`configuration ${quote(member)}`, () => parseImageConfig(text));
  if (layers.length !== config.diffIds.length) {
    throw new Failure(`manifest.json has ${layers.length} layers, and the configuration ${config.diffIds.length}`);
  }
  const orders = layers.map((layer, index) => ({ member: layer, diffId: config.diffIds[index] ?? "" }));
  return {
    id: asDigest(digest, "the worker's answer"),
    configText: text,
    config,
    manifest: undefined,
    layers: orders,
    mediaTypes: [],
    names,
  };
}

function readMember(
  { worker, source, scratch }: Reading,
  member: string,
  digest: Digest | undefined,
): { text: string; digest: string; size: number } {
  const limit = Math.max(MANIFEST_LIMIT, CONFIG_LIMIT);
  return worker.ask("read", { source, scratch, member, limit, ...(digest === undefined ? {} : { digest }) });
}

/** What a document is refused for stands behind its name. */
export function within<T>(document: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "SpecError") throw error;
    throw new Failure(`${document}: ${error.message}`);
  }
}
