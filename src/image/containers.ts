/** A container's own files in the store, `containers/TOKEN/`, and who may still be using them. */
import { LOCK_EX, LOCK_SH, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt } from "../sys/failure.ts";
import { openDirectory, readFileIfAny } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { dirname } from "../spec/paths.ts";
import type { IdMaps, Overlay } from "../spec/spec.ts";
import { bootId, isAlive, processStat } from "../container/state.ts";
import type { Asked } from "./asked.ts";
import type { Digest } from "./digest.ts";
import { namesIn, type ImageRecord, type Store } from "./store.ts";

/** What a container's directory says of itself: enough to know what it needs, and whether it is still needed. */
interface Use {
  readonly id: Digest;
  readonly manifest?: Digest;
  readonly lower: readonly string[];
  /** Where the container's state is, and its name there. */
  readonly root: string;
  readonly container: string;
  /** The names of the volumes that it may write to. */
  readonly volumes: readonly string[];
  /** The ids of the host that are its own, where it has a user namespace. */
  readonly idmap?: IdMaps | undefined;
  /** What is shown of it by inspect, and is nowhere else. */
  readonly asked: Asked;
  /** Who makes it: until the state is there, this process answers for it. */
  readonly maker: { readonly pid: number; readonly startTime: string; readonly boot: string };
}

const USE_FILE = "image.json";

/** Before a directory's name as long as the note is not in it. */
const UNFINISHED = ".";

/** What is used of an image. */
export type Used = Pick<ImageRecord, "id" | "manifest" | "index" | "lower"> &
  // Below a root that is opaque a layer is of no use to a container, and is part of the image all the same.
  Partial<Pick<ImageRecord, "layers">>;

/** What a container's directory is made for. */
export type Owner = Pick<Use, "root" | "container" | "volumes" | "idmap" | "asked">;

/** Where the files of a new container will be. */
export function newContainerPath({ sys, path }: Store): string {
  return `${path}/containers/${sys.randomHex(16)}`;
}

/**
 * Held by whoever makes a container until its note is there, and the name of its image still is; and by whoever looks for
 * such notes before he takes a name away. Many may begin at once, and none waits for a load or a pull.
 */
export function lockContainers({ sys, path }: Store, holder: "maker" | "remover"): Disposable {
  return attempt(`lock ${path}/containers`, () => {
    const folder = openDirectory(sys, null, `${path}/containers`);
    sys.flock(folder, holder === "maker" ? LOCK_SH : LOCK_EX);
    return folder;
  });
}

/**
 * Makes a container's directory, and in it first of all the note that it uses the image: whoever removes the image looks for
 * such notes after taking its name away, or giving it to another image, and whoever runs it looks for the name after writing the
 * note. Until the note is
 * there the directory has another name, which says who is at it.
 */
export function makeContainerFiles({ sys, path }: Store, owned: string, image: ImageRecord, owner: Owner): void {
  attempt(`make ${owned}`, () => {
    const pid = sys.getpid();
    const maker = { pid, startTime: processStat(sys, pid)?.startTime ?? "0", boot: bootId(sys) };
    const { id, manifest, lower } = image;
    const use: Use = { id, ...(manifest === undefined ? {} : { manifest }), lower, ...owner, maker };
    using containers = openDirectory(sys, null, `${path}/containers`);
    const unfinished = `${UNFINISHED}${pid}-${sys.randomHex(8)}`;
    sys.mkdirat(containers, unfinished, 0o700);
    using folder = openDirectory(sys, containers, unfinished);
    writeFile(sys, folder, USE_FILE, { text: JSON.stringify(use), mode: 0o600 });
    sys.renameat2(containers, unfinished, null, owned, 0);
  });
}

/** A new file, without waiting for the disk: after a power cut there is no such container any more. */
export function writeFile(sys: Sys, folder: Fd, name: string, { text, mode }: { text: string; mode: number }): void {
  using file = sys.openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  sys.fchmod(file, mode);
  sys.writeText(file, text);
}

/** Sorts the containers' directories: what those in use need, and the names of those that nobody answers for. */
export function lookAtContainers(store: Store): {
  readonly used: readonly (Used & Owner)[];
  readonly abandoned: readonly string[];
} {
  const used: Use[] = [];
  const abandoned: string[] = [];
  for (const token of namesIn(store, "containers")) {
    if (token.startsWith(UNFINISHED) && isInTheMaking(store.sys, token)) continue;
    const use = readUse(store, token);
    if (use !== undefined && isNeeded(store, use, token)) used.push(use);
    else abandoned.push(token);
  }
  return { used, abandoned };
}

/** Whether the process that its name begins with lives, which is enough for the moment that it has such a name. */
function isInTheMaking(sys: Sys, token: string): boolean {
  return processStat(sys, Number(token.slice(UNFINISHED.length, token.indexOf("-")))) !== undefined;
}

function readUse({ sys, path }: Store, token: string): Use | undefined {
  return readUseIn(sys, `${path}/containers/${token}`);
}

function readUseIn(sys: Sys, owned: string): Use | undefined {
  const text = readFileIfAny(sys, null, `${owned}/${USE_FILE}`);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Use);
  } catch {
    return undefined;
  }
}

/** What a container from an image is made of: a store, what it uses of it, and its overlay. Undefined for one of a bundle. */
export function originOf(sys: Sys, owned: string | undefined): Origin | undefined {
  const use = owned === undefined ? undefined : readUseIn(sys, owned);
  if (owned === undefined || use === undefined) return undefined;
  const store = dirname(dirname(owned));
  const lower = use.lower.map((path) => `${store}/${path}`);
  const overlay = { lower, upper: `${owned}/upper`, work: `${owned}/work`, idmap: use.idmap, isVolatile: false };
  return { store, use, overlay };
}

export interface Origin {
  readonly store: string;
  readonly use: Used & Owner;
  readonly overlay: Overlay;
}

/** Whether the process that makes it is still at it, or there is a container whose state names this directory. */
function isNeeded({ sys, path }: Store, { root, container, maker }: Use, token: string): boolean {
  if (maker.boot === bootId(sys) && isAlive(sys, maker)) return true;
  try {
    const text = readFileIfAny(sys, null, `${root}/${container}/state.json`);
    return text !== undefined && text.includes(JSON.stringify(`${path}/containers/${token}`));
  } catch (error) {
    // What cannot be looked at may be in use.
    return !isErrno(error, "ENOENT", "ENOTDIR");
  }
}
