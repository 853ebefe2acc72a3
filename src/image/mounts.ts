/** The mounts of a container from an image: the default ones, its volumes, and what the command line asks for. Pure. */
import { cleanPath, isWithin } from "../spec/paths.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import type { ImageProcess } from "./image-config.ts";
import { hasOwn, isHosts } from "./flags/namespaces.ts";
import type { Options } from "./flags/options.ts";
import { DEFAULT_MOUNTS } from "./profile.ts";
import type { RawMount, VolumeWish, Wish } from "./flags/wish.ts";

/** Where the files are that are mounted into a container. */
export interface Places {
  /** The named volumes: see volumePath. */
  readonly store: string;
  /** Volumes of the container's own; their number is the name. */
  readonly volumes: string;
  /** Its own files of /etc, and which there are. */
  readonly etc: { readonly path: string; readonly names: readonly string[] };
  /** Its own copy of the program that --init makes the first one. */
  readonly init: string;
  /** Where the container has a user namespace: what the ids of its files are to the host. */
  readonly idmap: object | undefined;
}

/** Where that is inside. */
export const INIT = "/sbin/tsrun-init";

/** The files of a named volume. */
function volumePath(store: string, name: string): string {
  return `${store}/volumes/${name}/data`;
}

/** A volume that a container uses. */
export interface UsedVolume extends VolumeWish {
  readonly destination: string;
  readonly source: string;
}

/** Throws a Failure. */
export function mountsOf(image: ImageProcess, options: Options, places: Places): RawMount[] {
  checkTwice(options.mounts);
  const volumes = usedVolumes(image, options, places);
  const sources = new Map(volumes.map(({ destination, source }) => [destination, source]));
  const own = volumes.filter(({ destination }) => !options.mounts.some((wish) => wish.destination === destination));
  const sealed = options.readonlyRoot ? ["ro"] : [];
  // What is the container's own belongs inside to whom it belongs on the disk.
  const mapped = places.idmap === undefined ? [] : ["idmap"];
  const files = places.etc.names.map((name) =>
    bind(`${places.etc.path}/${name}`, `/etc/${name}`, ...sealed, ...mapped),
  );
  const init = options.init ? [bind(places.init, INIT, "ro")] : [];
  const wishes = options.mounts.map(({ destination, type, source, options: words }) => ({
    destination,
    type,
    source: sources.get(destination) ?? source,
    options: sources.has(destination) ? [...words, ...mapped] : words,
  }));
  const asked = [
    ...own.map(({ source, destination }) => bind(source, destination, ...mapped)),
    ...files,
    ...init,
    ...wishes,
  ];
  // One that is asked for takes the place of a default one, and of all below it: those would be covered.
  const defaults = defaultMounts(options, places.idmap !== undefined).filter(
    ({ destination }) =>
      !(options.withoutShm && destination === "/dev/shm") &&
      !asked.some((mount) => isWithin(destination, mount.destination)),
  );
  return [...defaults, ...asked.toSorted((left, right) => depthOf(left) - depthOf(right))];
}

function bind(source: string, destination: string, ...more: readonly string[]): RawMount {
  return { destination, type: "bind", source, options: ["rbind", "rprivate", ...more] };
}

function defaultMounts(options: Options, inUserNamespace: boolean): RawMount[] {
  const { security, shmSize, namespaces, readonlyRoot, scratch } = options;
  // Message queues of another ipc namespace can be had by their system calls only: mq_overview(7).
  const wanted = DEFAULT_MOUNTS.filter(
    ({ type }) => type !== "mqueue" || !inUserNamespace || hasOwn(namespaces, "ipc"),
  );
  const mounts = wanted.map((mount) => {
    // The memory that processes share belongs to their ipc namespace.
    if (isHosts(namespaces, "ipc") && mount.destination === "/dev/shm") return bind("/dev/shm", "/dev/shm");
    const shows = SHOWING.get(mount.type);
    if (inUserNamespace && shows !== undefined && !hasOwn(namespaces, shows))
      return bind(mount.destination, mount.destination, ...mount.options);
    const sized = mount.destination === "/dev/shm" && shmSize !== undefined;
    const words = mount.options.filter((word) => !(security.privileged && word === "ro"));
    return {
      ...mount,
      options: sized ? words.map((word) => (word.startsWith("size=") ? `size=${shmSize}` : word)) : words,
    };
  });
  return readonlyRoot && scratch ? [...mounts, ...SCRATCH.map(scratchAt)] : mounts;
}

/**
 * File systems that show a namespace, which may be mounted only from a user namespace that owns that: user_namespaces(7). Of
 * another's namespace the host's mount is bound.
 */
const SHOWING: ReadonlyMap<string, "network" | "pid"> = new Map([
  ["sysfs", "network"],
  ["proc", "pid"],
] as const);

/** What podman leaves writable where the image is not. */
const SCRATCH = ["/run", "/tmp", "/var/tmp"];

function scratchAt(destination: string): RawMount {
  return { destination, type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "tmpcopyup"] };
}

/** Where the runtime's own mounts are: a volume of an image is left out there (images made for systemd have such). */
const RESERVED = ["/proc", "/sys", "/dev"];

/** The volumes that a container uses: those of the image that nothing else is mounted on, and those of the command line. */
export function usedVolumes(
  { volumes }: ImageProcess,
  { mounts }: Options,
  places: Pick<Places, "store" | "volumes">,
): UsedVolume[] {
  const ofImage = [...new Set(volumes.map((path) => cleanPath(`/${path}`)))]
    .filter((path) => !isReserved(path) && !mounts.some(({ destination }) => destination === path))
    .map((destination) => ({ destination, name: "", copy: true, labels: {} }));
  const asked = mounts.flatMap((wish: Wish) =>
    wish.volume === undefined ? [] : [{ destination: wish.destination, ...wish.volume }],
  );
  let own = 0;
  return [...ofImage, ...asked].map((volume) => ({
    ...volume,
    source: volume.name === "" ? `${places.volumes}/${own++}` : volumePath(places.store, volume.name),
  }));
}

function isReserved(path: string): boolean {
  return path === "/" || RESERVED.some((directory) => isWithin(path, directory));
}

function checkTwice(mounts: readonly RawMount[]): void {
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) throw new Failure(`two mounts have the destination ${quote(destination)}`);
    seen.add(destination);
  }
}

function depthOf({ destination }: RawMount): number {
  return destination.split("/").length;
}
