/** Named volumes: directories of the store that containers share and that outlive them. */
import { LOCK_EX, O_CREAT, O_NOFOLLOW, O_RDWR } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { makeDirectory, openDirectory, readFileIfAny, replaceFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { timestamp } from "../sys/time.ts";
import { quote } from "../spec/reader.ts";
import { lookAtContainers } from "./containers.ts";
import { isVolumeName, VOLUME_NAME } from "./flags/volume-names.ts";
import { becomeRootInside } from "./rootless.ts";
import { makeStore, namesIn, type Store } from "./store.ts";

/** What is known of a volume, in `volume.json`. */
export interface Volume {
  readonly version: 1;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
}

const RECORD_FILE = "volume.json";

/** Before the name of one that is in the making. */
const UNFINISHED = ".";

/** A file beside the volumes. */
export const VOLUMES_LOCK = ".lock";

export function isUnfinished(name: string): boolean {
  return name.startsWith(UNFINISHED);
}

/** Who makes or removes volumes waits here for others; whoever copies into one does not hold it. */
export function lockVolumes(store: Store): Disposable {
  const { sys, path } = store;
  makeStore(store);
  return attempt(`lock the volumes of ${path}`, () => {
    const file = sys.openat(null, `${path}/volumes/${VOLUMES_LOCK}`, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    sys.flock(file, LOCK_EX);
    return file;
  });
}

/** docker's mark of a volume that nobody gave a name. */
const ANONYMOUS = "com.docker.volume.anonymous";

/** Makes a volume with a name that nobody has, which it gives; under the lock. Throws a Failure. */
export function makeAnonymousVolume(store: Store, labels: Volume["labels"]): string {
  const name = store.sys.randomHex(32);
  makeVolume(store, name, { ...labels, [ANONYMOUS]: "" });
  return name;
}

export function isAnonymous({ labels }: Volume): boolean {
  return Object.hasOwn(labels, ANONYMOUS);
}

/** Makes the volume unless it is there; under the lock. Throws a Failure. */
export function makeVolume({ sys, path }: Store, name: string, labels: Volume["labels"]): void {
  if (!isVolumeName(name)) throw new Failure(`${quote(name)} is no name of a volume: ${VOLUME_NAME}`);
  if (sys.statxIfAny(null, `${path}/volumes/${name}`, 0) !== undefined) return;
  attempt(`make the volume ${name}`, () => {
    using volumes = openDirectory(sys, null, `${path}/volumes`);
    const unfinished = `${UNFINISHED}${name}`;
    sys.removeTree(volumes, unfinished); // Of a maker that was killed: there is one at a time.
    using folder = makeDirectory(sys, volumes, unfinished, 0o700);
    makeDirectory(sys, folder, "data", 0o755)[Symbol.dispose]();
    writeIn(sys, folder, name, labels);
    sys.renameat2(volumes, unfinished, volumes, name, 0);
    sys.fsync(volumes);
  });
}

function writeIn(sys: Sys, folder: Fd, name: string, labels: Volume["labels"]): void {
  const volume: Volume = { version: 1, name, created: timestamp(sys, false), labels };
  replaceFile(sys, folder, RECORD_FILE, JSON.stringify(volume), 0o600);
}

/** The record of a volume anew, in the place of what is there; under the lock. Throws a Failure. */
export function writeRecord({ sys, path }: Store, name: string, labels: Volume["labels"]): void {
  attempt(`write the record of the volume ${name}`, () => {
    using folder = openDirectory(sys, null, `${path}/volumes/${name}`);
    writeIn(sys, folder, name, labels);
  });
}

/** An empty directory for the files of a volume, where there is none; under the lock. Throws a Failure. */
export function makeData({ sys, path }: Store, name: string): void {
  attempt(`make the files of the volume ${name}`, () => {
    using folder = openDirectory(sys, null, `${path}/volumes/${name}`);
    makeDirectory(sys, folder, "data", 0o755)[Symbol.dispose]();
    sys.fsync(folder);
  });
}

/** All volumes, by name. */
export function listVolumes(store: Store): Volume[] {
  return namesIn(store, "volumes")
    .filter((name) => !isUnfinished(name))
    .toSorted()
    .flatMap((name) => readVolume(store, name) ?? []);
}

/** Throws a Failure where there is none of this name. */
export function findVolume(store: Store, name: string): Volume {
  const found = isVolumeName(name) ? readVolume(store, name) : undefined;
  if (found === undefined) throw new Failure(`there is no volume ${quote(name)} (see "tsrun volume ls")`);
  return found;
}

function readVolume(store: Store, name: string): Volume | undefined {
  const record = readRecord(store, name);
  if (record !== "damaged") return record;
  const path = `${store.path}/volumes/${name}`;
  throw new Failure(`${path}/${RECORD_FILE} is damaged ("tsrun image check --repair" makes it anew)`);
}

/** What the record of a volume says; undefined where there is none. */
export function readRecord({ sys, path }: Store, name: string): Volume | "damaged" | undefined {
  const text = readFileIfAny(sys, null, `${path}/volumes/${name}/${RECORD_FILE}`);
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as Partial<Volume> | null;
    const isShaped = record?.version === 1 && typeof record.created === "string" && isLabels(record.labels);
    return isShaped && record.name === name ? (record as Volume) : "damaged";
  } catch {
    return "damaged";
  }
}

function isLabels(labels: unknown): boolean {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) return false;
  return Object.values(labels).every((value) => typeof value === "string");
}

/** The ids of the containers that use each volume. */
export function usersOfVolumes(store: Store): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>();
  for (const { container, volumes } of lookAtContainers(store).used) {
    for (const name of volumes) users.set(name, [...(users.get(name) ?? []), container]);
  }
  return users;
}

/**
 * Removes a volume; under the lock. A container notes what it uses before it makes sure, under this lock, that it is there: so
 * either its note is seen here, or it makes the volume anew. Throws a Failure.
 */
export function removeVolume(store: Store, { name }: Volume): void {
  const { sys, path } = store;
  const [user] = usersOfVolumes(store).get(name) ?? [];
  if (user !== undefined) throw new Failure(`cannot remove the volume ${name}: container ${user} uses it`);
  becomeRootInside(sys);
  attempt(`remove the volume ${name}`, () => {
    const trash = `${path}/trash/${sys.randomHex(8)}`;
    sys.renameat2(null, `${path}/volumes/${name}`, null, trash, 0);
    sys.removeTree(null, trash);
  });
}
