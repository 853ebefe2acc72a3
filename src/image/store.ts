/**
 * The image store, a directory that only its owner may enter (CVE-2021-41091):
 *
 *     blobs/ALGORITHM/HEX      manifests and configurations, as they were loaded
 *     layers/HEX/              one directory for each diff id, shared by all images that have the layer: layer.json, and its
 *                              files in `fs` with `tree` and `recipe`, or its archive in `tar` and the index of that in `erofs`;
 *                              `places.json`: which registries have it (places.ts)
 *     stacks/HEX/fs            for an image: directories whose attributes an overlay of its layers would show wrongly
 *     refs/NAME.json           a record for each name: written last, so that what it names is whole
 *     containers/TOKEN/        a container's own files; gone with it
 *     volumes/NAME/{data,volume.json}   what containers share, and what outlives them: see volumes.ts
 *     ids.lock                 held by whoever chooses ids for a container: see userns.ts
 *     pulls/TOKEN.json         what a pull needs that is going on or was interrupted
 *     downloads/HEX            what has arrived of a blob; who has it locked fetches it
 *     tasks/TOKEN/             what a command under way needs and is making; locks/HEX: a layer that is being unpacked
 *     damaged/                 what was found damaged, until it is pruned
 *     lock                     the lock
 *     trash/                   what is being removed: renamed first, so that nothing is ever half there
 *
 * The lock is held for moments: while names change, and while it is found out what is in use. Readers never wait: they read one
 * record, and what it names stays as long as it is in use. What takes long, unpacking and removing, is done without it.
 */
import { AT_SYMLINK_NOFOLLOW, LOCK_EX, O_CREAT, O_NOFOLLOW, O_RDONLY, O_RDWR } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { makeDirectories, openDirectory, readFile, readFileIfAny, replaceFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { quote } from "../spec/reader.ts";
import { hexOf, isHex, pathOfDigest, type Digest } from "./digest.ts";
import { CONFIG_LIMIT } from "./image-config.ts";
import { canonical, parseReference, type Reference } from "./reference.ts";

export interface Store {
  readonly sys: Sys;
  /** Absolute. */
  readonly path: string;
}

/** What is known of an image under a name. */
export interface ImageRecord {
  readonly version: 1;
  /** Canonical; absent for an image that has none. */
  readonly name?: string;
  /** The digest of the configuration. */
  readonly id: Digest;
  /** Absent where it came without one. */
  readonly manifest?: Digest;
  /** The index that its name led to in a registry, if it was one: by its digest others find the same. */
  readonly index?: Digest;
  /** "linux/arm64/v8": absent for the image that the name alone means, which is mostly the one for this machine. */
  readonly platform?: string;
  /** Diff ids, lowest first. */
  readonly layers: readonly Digest[];
  /** What an overlay is made of, topmost first: directories below the store. */
  readonly lower: readonly string[];
  /** Bytes of data in the files of its layers. */
  readonly size: number;
  /** RFC 3339, "" where the image does not say. */
  readonly created: string;
  /** When it was loaded, RFC 3339. */
  readonly loaded: string;
}

/** The first one is what a store is known by. */
const FOLDERS = [
  "refs",
  "blobs",
  "layers",
  "stacks",
  "containers",
  "volumes",
  "pulls",
  "downloads",
  "tasks",
  "locks",
  "damaged",
  "trash",
];

/** A name of a file has 255 bytes at most, and replaceFile adds five. */
const MAX_FILE_NAME = 250;

/** Makes the store where it is not there. Throws a Failure. */
export function makeStore(store: Store): void {
  const { sys, path } = store;
  checkOurs(store);
  attempt(`make the image store ${path}`, () => {
    makeDirectories(sys, path, 0o700);
    // One of a store that is older than some of its folders has them made as well.
    const missing = FOLDERS.filter((folder) => !isThere({ sys }, `${path}/${folder}`));
    for (const folder of missing) makeDirectories(sys, `${path}/${folder}`, 0o700);
    if (missing.length === 0) return;
    using folder = openDirectory(sys, null, path);
    sys.fsync(folder);
  });
}

/** What another program keeps in directories of such names would be swept away, since nothing in `refs` needs it. */
function checkOurs(store: Store): void {
  const isOurs = (): boolean => isThere(store, `${store.path}/refs`);
  if (isOurs()) return;
  const strange = FOLDERS.find((folder) => namesIn(store, folder).length > 0);
  // Whoever has made it meanwhile has made that folder first.
  if (strange === undefined || isOurs()) return;
  throw new Failure(`${store.path} is no image store: it has ${strange} and no refs (is it another program's?)`);
}

/** Whether there is something at an absolute path. */
export function isThere({ sys }: Pick<Store, "sys">, path: string): boolean {
  return sys.statxIfAny(null, path, AT_SYMLINK_NOFOLLOW) !== undefined;
}

/** The lock, held for moments only; waits for it. flock(2) does not ask what a file is open for: the store may be read-only here. */
export function lockStore({ sys, path }: Store): Disposable {
  return attempt(`lock the image store ${path}`, () => {
    const file = openLock(sys, `${path}/lock`);
    sys.flock(file, LOCK_EX);
    return file;
  });
}

function openLock(sys: Sys, path: string): Fd {
  try {
    return sys.openat(null, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  } catch (error) {
    if (!isErrno(error, "EROFS")) throw error;
    return sys.openat(null, path, O_RDONLY | O_NOFOLLOW, 0);
  }
}

/** Writes the text of a manifest or configuration, whose digest the worker has verified. Throws a Failure. */
export function writeBlob({ sys, path }: Store, digest: Digest, text: string): void {
  const [algorithm = "", hex = ""] = pathOfDigest(digest).split("/");
  attempt(`write ${path}/blobs/${algorithm}/${hex}`, () => {
    makeDirectories(sys, `${path}/blobs/${algorithm}`, 0o700);
    using folder = openDirectory(sys, null, `${path}/blobs/${algorithm}`);
    replaceFile(sys, folder, hex, text, 0o600);
    using blobs = openDirectory(sys, null, `${path}/blobs`);
    sys.fsync(blobs);
  });
}

/** The text that writeBlob has written. Throws a Failure. */
export function readBlob({ sys, path }: Store, digest: Digest): string {
  return attempt(`read ${digest} in the image store`, () =>
    readFile(sys, null, `${path}/blobs/${pathOfDigest(digest)}`, CONFIG_LIMIT),
  );
}

/** Where the layer with this diff id is, or will be. */
export function layerPath({ path }: Store, diffId: Digest): string {
  return `${path}/layers/${hexOf(diffId)}`;
}

/** Where the stack of the image with this id is, below the store. */
export function stackName(id: Digest): string {
  return `stacks/${hexOf(id)}`;
}

/** Makes the image known under its name; from here on it is there. Only under the lock, as removeRecord. Throws a Failure. */
export function writeRecord({ sys, path }: Store, record: ImageRecord): void {
  const file = fileOf(record);
  attempt(`write ${path}/refs/${file}`, () => {
    using folder = openDirectory(sys, null, `${path}/refs`);
    replaceFile(sys, folder, file, JSON.stringify(record), 0o600);
  });
}

/** Takes a name away. What only it named is swept afterwards. */
export function removeRecord({ sys, path }: Store, record: ImageRecord): void {
  using folder = openDirectory(sys, null, `${path}/refs`);
  sys.unlinkat(folder, fileOf(record), 0);
  sys.fsync(folder);
}

/** The file of a record in `refs`. Throws a Failure where the name is too long for one. */
export function fileOf({ name, id, platform }: Pick<ImageRecord, "name" | "id" | "platform">): string {
  const whole = `${name ?? `@${id}`}${platform === undefined ? "" : `@${platform}`}`;
  const file = `${whole.replaceAll("/", "%")}.json`;
  if (file.length > MAX_FILE_NAME) throw new Failure(`the image name ${quote(name ?? id)} is too long for the store`);
  return file;
}

/** The image with this very name; undefined where there is none. */
export function readNamed(store: Store, reference: Reference): ImageRecord | undefined {
  return readRecord(store, fileOf({ name: canonical(reference), id: "sha256:" }));
}

/** The record as it is now; undefined where it has gone. */
export function readAgain(store: Store, record: ImageRecord): ImageRecord | undefined {
  return readRecord(store, fileOf(record));
}

/** All images of a name: the one that it means, and those for other machines. */
export function readAllNamed(store: Store, name: string): ImageRecord[] {
  const main = fileOf({ name, id: "sha256:" });
  const front = `${main.slice(0, -".json".length)}@`;
  const files = namesIn(store, "refs").filter(
    // "NAME@sha256:…" is a name of its own.
    (file) => file.startsWith(front) && file.endsWith(".json") && !file.slice(front.length).includes(":"),
  );
  return [main, ...files.toSorted()].flatMap((file) => readRecord(store, file) ?? []);
}

/** Takes what is damaged out of the way, below `damaged`: whoever has it open keeps it. */
export function setAside(store: Store, path: string): void {
  const { sys } = store;
  using _lock = lockStore(store);
  using root = openDirectory(sys, null, store.path);
  sys.renameat2(root, path, root, `damaged/${path.replaceAll("/", "%").slice(0, 200)}.${sys.randomHex(4)}`, 0);
}

function readRecord({ sys, path }: Store, file: string): ImageRecord | undefined {
  const text = attempt(`read ${path}/refs/${file}`, () => readFileIfAny(sys, null, `${path}/refs/${file}`));
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as ImageRecord;
    if (record.version === 1) return record;
  } catch {
    // Falls through: damaged is damaged.
  }
  throw new Failure(`${path}/refs/${file} is damaged ("tsrun image check --repair" sets it aside)`);
}

/** All records, by name; those without one at the end. */
export function listRecords(store: Store): ImageRecord[] {
  const files = namesIn(store, "refs")
    .filter((file) => file.endsWith(".json") && !file.startsWith("."))
    .toSorted();
  const [unnamed, named] = [
    files.filter((file) => file.startsWith("@")),
    files.filter((file) => !file.startsWith("@")),
  ];
  return [...named, ...unnamed].flatMap((file) => readRecord(store, file) ?? []);
}

/** The names in a folder of the store; none where there is no store. */
export function namesIn({ sys, path }: Store, folder: string): string[] {
  try {
    using opened = openDirectory(sys, null, `${path}/${folder}`);
    return sys.readDirectory(opened);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw new Failure(`cannot list ${path}/${folder}`, error);
  }
}

/** The image that `text` means; undefined where there is none. Throws a Failure for what can mean none, or several. */
export function findRecordIfAny(store: Store, text: string): ImageRecord | undefined {
  return lookUp(store, text)[0];
}

/** The records that `text` means: the one of a name, or all of an id or the beginning of one. Throws a Failure. */
export function findRecords(store: Store, text: string): ImageRecord[] {
  const found = lookUp(store, text);
  if (found.length === 0)
    throw new Failure(`image ${quote(text)} is not in the store ${store.path} (see "tsrun image pull" and "load")`);
  return found;
}

function lookUp(store: Store, text: string): ImageRecord[] {
  const byName = namedOr(store, text);
  if (byName !== undefined) return [byName];
  const hex = text.startsWith("sha256:") ? text.slice(7) : text;
  const found = looksLikeId(hex) ? listRecords(store).filter(({ id }) => hexOf(id).startsWith(hex)) : [];
  if (new Set(found.map(({ id }) => id)).size > 1)
    throw new Failure(`${quote(text)} is the beginning of several image ids: give more of it`);
  return found;
}

/** Whether `text` means an image by a name, which a registry may know too, and not by an id. */
export function isName(store: Store, text: string): boolean {
  return namedOr(store, text) !== undefined;
}

/** The image that `text` means. Throws a Failure. */
export function findRecord(store: Store, text: string): ImageRecord {
  const [record] = findRecords(store, text);
  return record as ImageRecord; // There is one, or findRecords has thrown.
}

function namedOr(store: Store, text: string): ImageRecord | undefined {
  if (text.startsWith("sha256:") || (looksLikeId(text) && text.length === 64)) return undefined;
  const reference = parseReference(text);
  if (reference.digest === undefined) return readNamed(store, reference);
  const { registry, path, digest } = reference;
  const pulled = readNamed(store, { registry, path, digest, tag: undefined });
  if (pulled !== undefined) return pulled;
  const isOf = ({ name }: ImageRecord): boolean => name?.startsWith(`${registry}/${path}:`) === true;
  const records = listRecords(store).filter(isOf);
  return (
    records.find(({ manifest, id }) => manifest === digest || id === digest) ??
    records.find(({ index, platform }) => index === digest && platform === undefined)
  );
}

/** A few digits may be a name as well; fewer than four are no id. */
function looksLikeId(text: string): boolean {
  return text.length >= 4 && text.length <= 128 && isHex(text);
}
