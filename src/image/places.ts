/**
 * Where a layer's blob is known to be, `layers/HEX/places.json`: in which repositories of which registries, and as which bytes.
 * So a push need not send what the registry has. It is a hint: the registry is asked before it is believed.
 */
import { openDirectory, readFileIfAny, replaceFile } from "../sys/files.ts";
import { isErrno } from "../sys/errno.ts";
import { isDigest, type Digest } from "./digest.ts";
import type { Descriptor } from "./manifest.ts";
import type { Endpoint } from "./registries-conf.ts";
import type { Found } from "./source.ts";
import { layerPath, lockStore, type Store } from "./store.ts";

/** A blob of a layer, and a repository that has it. */
export interface BlobPlace extends Descriptor {
  readonly registry: string;
  readonly repository: string;
}

const FILE = "places.json";
const LIMIT = 1 << 20;

/** The newest are kept. */
const MOST = 20;

/** The places of a layer, the newest first; none where nothing is known, or nothing that can be read. */
export function placesOf(store: Store, diffId: Digest): BlobPlace[] {
  try {
    const text = readFileIfAny(store.sys, null, `${layerPath(store, diffId)}/${FILE}`, LIMIT);
    const places = text === undefined ? [] : (JSON.parse(text) as BlobPlace[]);
    return places.filter(({ digest }) => isDigest(digest));
  } catch {
    return []; // It is a hint, and no more.
  }
}

/** Where the layers of images are that came from a repository: a push to the same registry need not send them. */
export function placesFrom({
  endpoint,
  images,
}: {
  endpoint: Endpoint;
  images: readonly Found[];
}): Map<Digest, BlobPlace> {
  const { registry, path: repository } = endpoint;
  const layers = images.flatMap(({ layers: own, mediaTypes }) =>
    own.map((layer, at) => ({ ...layer, mediaType: mediaTypes[at] ?? "" })),
  );
  return new Map(
    layers.map(({ diffId, digest, size = 0, mediaType }) => [
      diffId as Digest,
      { registry, repository, digest: digest as Digest, size, mediaType },
    ]),
  );
}

/** Notes where the blobs of layers are now. */
export function notePlaces(store: Store, noted: ReadonlyMap<Digest, BlobPlace>): void {
  using _lock = lockStore(store);
  for (const [diffId, place] of noted) {
    const others = placesOf(store, diffId).filter((other) => !isSame(other, place));
    try {
      using folder = openDirectory(store.sys, null, layerPath(store, diffId));
      replaceFile(store.sys, folder, FILE, JSON.stringify([place, ...others].slice(0, MOST)), 0o600);
    } catch (error) {
      if (!isErrno(error, "ENOENT", "EROFS", "ENOSPC", "EDQUOT")) throw error;
    }
  }
}

function isSame(one: BlobPlace, other: BlobPlace): boolean {
  return one.registry === other.registry && one.repository === other.repository && one.digest === other.digest;
}
