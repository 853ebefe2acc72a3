/**
 * Pulls that are going on or were interrupted, `pulls/TOKEN.json` in the store: what they have brought so far stays, though no
 * name needs it yet. The lock on the file says that its pull is alive; a dead one counts for a day.
 */
import { LOCK_EX, LOCK_NB, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt } from "../sys/failure.ts";
import { readFileIfAny } from "../sys/files.ts";
import { timestamp } from "../sys/time.ts";
import { namesIn, type Store } from "./store.ts";
import { secondsOf } from "./words.ts";

/** What a pull needs of the store. */
export interface Claim {
  /** What is pulled. */
  readonly name: string;
  /** Names in `layers/`. */
  readonly layers: readonly string[];
  /** Names in `downloads/`. */
  readonly downloads: readonly string[];
}

/** As long as it may take somebody to try again: containerd's leases last so long. */
const KEPT_SECONDS = 86_400;

/** Notes a pull, until it is disposed of. To be called under the store's lock. */
export function claim({ sys, path }: Store, wanted: Claim): Disposable & { withdraw(): void } {
  const name = `${path}/pulls/${sys.randomHex(8)}.json`;
  const withdraw = (): void => void sys.unlinkIfAny(null, name, 0);
  return attempt(`make ${name}`, () => {
    const file = sys.openat(null, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      sys.flock(file, LOCK_EX);
      sys.writeText(file, JSON.stringify({ ...wanted, started: timestamp(sys, false) }));
    } catch (error) {
      withdraw();
      file[Symbol.dispose]();
      throw error;
    }
    return { withdraw, [Symbol.dispose]: () => file[Symbol.dispose]() };
  });
}

/** What all pulls need. To be called under the store's lock. */
export function lookAtPulls(store: Store): {
  layers: ReadonlySet<string>;
  downloads: ReadonlySet<string>;
} {
  const [layers, downloads] = [new Set<string>(), new Set<string>()];
  for (const name of namesIn(store, "pulls")) {
    const isAlive = isLocked(store, name);
    const wanted = readClaim(store, name);
    if (!isAlive && (wanted === undefined || isOld(store, wanted.started))) {
      store.sys.unlinkIfAny(null, `${store.path}/pulls/${name}`, 0);
      continue;
    }
    for (const layer of wanted?.layers ?? []) layers.add(layer);
    for (const download of wanted?.downloads ?? []) downloads.add(download);
  }
  return { layers, downloads };
}

/** Forgets interrupted pulls of the same image: it is there now. Under the store's lock. */
export function forgetPulls(store: Store, name: string): void {
  for (const file of namesIn(store, "pulls")) {
    if (!isLocked(store, file) && readClaim(store, file)?.name === name)
      store.sys.unlinkIfAny(null, `${store.path}/pulls/${file}`, 0);
  }
}

function isLocked({ sys, path }: Store, name: string): boolean {
  const opened = sys.openIfAny(null, `${path}/pulls/${name}`, O_RDWR | O_NOFOLLOW);
  if (opened === undefined) return false;
  using file = opened;
  try {
    sys.flock(file, LOCK_EX | LOCK_NB);
    return false;
  } catch (error) {
    if (isErrno(error, "EAGAIN")) return true;
    throw error;
  }
}

function readClaim({ sys, path }: Store, name: string): (Claim & { readonly started: string }) | undefined {
  const text = readFileIfAny(sys, null, `${path}/pulls/${name}`);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Claim & { readonly started: string });
  } catch {
    return undefined; // It was killed while it wrote this, and has brought nothing.
  }
}

function isOld({ sys }: Store, started: string): boolean {
  const age = (sys.clockRealtime()[0] ?? 0) - (secondsOf(started) ?? 0);
  return age < 0 || age > KEPT_SECONDS;
}
