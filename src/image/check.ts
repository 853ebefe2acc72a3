/**
 * The store against what it should be, and mended. What can be made of what is there is made again: attributes, links and devices
 * out of a layer's list, contents out of any layer that has them, stacks and records out of layers and configurations. What cannot
 * is set aside, so that the next load or pull brings it anew.
 */
import { hexOf, isDigest, isHex, pathOfDigest, type Digest } from "./digest.ts";
import { checkRecords } from "./check-records.ts";
import { checkVolumes } from "./check-volumes.ts";
import { isThere, lockStore, namesIn, setAside, type ImageRecord, type Store } from "./store.ts";
import { discard, emptyTrash, findLeftovers } from "./sweep.ts";
import { beginTask } from "./tasks.ts";
import { CONFIG_LIMIT } from "./image-config.ts";
import { stackLayers } from "./load.ts";
import { WorkerFailure, type Worker } from "./worker.ts";

/** Layers at a time: reading and hashing share the processors. */
const THREADS = 4;

/** What was found, and what was done about it; undefined where nothing was. */
interface Fault {
  readonly what: string;
  readonly why: string;
  readonly done: string | undefined;
}

/** A check under way. */
export interface Check {
  readonly store: Store;
  readonly worker: Worker;
  /** Takes a fault in; `mend` is done if faults are to be repaired, and says what it has done. */
  found(what: string, why: string, mend?: () => string): void;
}

/** What a check amounts to. */
export interface Checked {
  readonly faults: readonly Fault[];
  readonly images: number;
  readonly layers: number;
}

const AGAIN = "load or pull the image again";

/** Throws a Failure only where the store cannot be looked at. */
export function checkStore(store: Store, worker: Worker, repair: boolean): Checked {
  const faults: Fault[] = [];
  const check: Check = {
    store,
    worker,
    found: (what, why, mend) => void faults.push({ what, why, done: repair ? mend?.() : undefined }),
  };
  checkLeftovers(check);
  const blobs = checkBlobs(check);
  const records = checkRecords(check, blobs);
  // Nobody may take away what is looked at.
  using task = beginTask(store, records);
  const layers = checkLayers(check, repair, records);
  checkVolumes(check);
  for (const record of uniqueImages(records)) checkStack(check, record, task.path);
  return { faults, images: uniqueImages(records).length, layers };
}

function uniqueImages(records: readonly ImageRecord[]): ImageRecord[] {
  return [...new Map(records.map((record) => [record.id, record])).values()];
}

function checkLeftovers({ store, worker, found }: Check): void {
  using _lock = lockStore(store);
  const clear = (path: string) => (): string => {
    discard(store, path);
    return "removed";
  };
  for (const path of findLeftovers(store)) found(path, "was left by a command that was killed", clear(path));
  for (const name of namesIn(store, "trash")) {
    found(`trash/${name}`, "was not removed to its end", () => {
      emptyTrash(store, worker);
      return "removed";
    });
  }
}

/** Gives the digests of the blobs that are whole. */
function checkBlobs(check: Check): ReadonlySet<string> {
  const { store, found } = check;
  const names = namesIn(store, "blobs").flatMap((algorithm) =>
    namesIn(store, `blobs/${algorithm}`).map((name) => `${algorithm}:${name}`),
  );
  const whole = new Set<string>();
  for (const digest of names.filter(isDigest)) {
    const path = `blobs/${pathOfDigest(digest)}`;
    const why = damageOf(check, digest);
    if (why === undefined) whole.add(digest);
    else if (isThere(store, `${store.path}/${path}`)) found(path, why, () => aside(store, path));
  }
  return whole;
}

function damageOf({ store, worker }: Check, digest: Digest): string | undefined {
  const source = { kind: "dir", path: `${store.path}/blobs` } as const;
  try {
    worker.ask("read", { source, scratch: store.path, member: pathOfDigest(digest), limit: CONFIG_LIMIT, digest });
    return undefined;
  } catch (error) {
    if (error instanceof WorkerFailure) return error.message;
    throw error;
  }
}

function aside(store: Store, path: string): string {
  setAside(store, path);
  return `set aside in damaged: ${AGAIN}`;
}

/** Gives the number of layers. */
function checkLayers(check: Check, repair: boolean, records: readonly ImageRecord[]): number {
  const { store, worker, found } = check;
  const names = ["layers", "stacks"].flatMap((folder) => namesIn(store, folder).map((name) => `${folder}/${name}`));
  const known = names.filter((path) => isHex(path.slice(path.indexOf("/") + 1)));
  for (const path of names.filter((each) => !known.includes(each) && !each.includes("/.")))
    found(path, "does not belong there", () => aside(store, path));
  const layers = known.map((path) => `${store.path}/${path}`);
  const verdicts = worker.ask("check", { layers, threads: THREADS, repair }).layers;
  verdicts.forEach(({ findings, count, whole }, index) => {
    const path = known[index] ?? "";
    // One that nobody needs may have been removed meanwhile.
    if (!isThere(store, `${store.path}/${path}`)) return;
    const mend = whole ? () => "mended" : () => aside(store, path);
    for (const why of findings) found(path, why, whole ? mend : () => "");
    if (count > findings.length) found(path, `and ${count - findings.length} more`, () => "");
    if (!whole && repair) found(path, "cannot be mended", mend);
  });
  checkPresence(check, records);
  return namesIn(store, "layers").length;
}

function checkPresence({ store, found }: Check, records: readonly ImageRecord[]): void {
  const needed = new Set(records.flatMap(({ layers }) => layers));
  for (const diffId of needed) {
    const path = `layers/${hexOf(diffId)}`;
    if (!isThere(store, `${store.path}/${path}`)) found(path, `is missing: ${AGAIN}`);
  }
}

/** A stack follows from the layers. */
function checkStack({ store, worker, found }: Check, record: ImageRecord, staging: string): void {
  const [top = ""] = record.lower;
  if (!top.startsWith("stacks/") || isThere(store, `${store.path}/${top}`) || !hasLayers(store, record.layers)) return;
  found(top.slice(0, top.lastIndexOf("/")), "is missing", () => {
    stackLayers(store, worker, { id: record.id, diffIds: record.layers, staging });
    return "made again";
  });
}

/** Whether all layers of an image are there. */
function hasLayers(store: Store, layers: readonly Digest[]): boolean {
  return layers.every((diffId) => isThere(store, `${store.path}/layers/${hexOf(diffId)}`));
}
