/** Named volumes: directories of the store that containers share and that outlive them. */
import { LOCK_EX, O_CREAT, O_NOFOLLOW, O_RDWR } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { makeDirectory, openDirectory, readFileIfAny, replaceFile } from "../sys/files.ts";
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

/** Who makes or removes volumes waits here for others; whoever copies into one does not hold it. */
export function lockVolumes(store: Store): Disposable {
  const { sys, path } = store;
  makeStore(store);
  return attempt(`lock the volumes of ${path}`, () => {
    const file = sys.openat(null, `${path}/volumes/.lock`, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
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
    const volume: Volume = { version: 1, name, created: timestamp(sys, false), labels };
    replaceFile(sys, folder, RECORD_FILE, JSON.stringify(volume), 0o600);
    sys.renameat2(volumes, unfinished, volumes, name, 0);
    sys.fsync(volumes);
  });
}

/** All volumes, by name. */
export function listVolumes(store: Store): Volume[] {
  return namesIn(store, "volumes")
    .filter((name) => !name.startsWith(UNFINISHED))
    .toSorted()
    .flatMap((name) => readVolume(store, name) ?? []);
}

/** Throws a Failure where there is none of this name. */
export function findVolume(store: Store, name: string): Volume {
  const found = isVolumeName(name) ? readVolume(store, name) : undefined;
  if (found === undefined) throw new Failure(`there is no volume ${quote(name)} (see "tsrun volume ls")`);
  return found;
}

function readVolume({ sys, path }: Store, name: string): Volume | undefined {
  const text = readFileIfAny(sys, null, `${path}/volumes/${name}/${RECORD_FILE}`);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Volume;
  } catch {
    throw new Failure(`${path}/volumes/${name}/${RECORD_FILE} is damaged: the volume's files are in data beside it`);
  }
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
