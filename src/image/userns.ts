/** The ids that a container with a user namespace of its own gets: podman's `--userns auto`. */
import { LOCK_EX, O_CREAT, O_NOFOLLOW, O_RDWR } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { readFileIfAny } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { hasAllIds } from "../mechanisms/overlay.ts";
import type { IdMapping, IdMaps } from "../spec/spec.ts";
import { lookAtContainers } from "./containers.ts";
import type { AutoWish } from "./flags/userns.ts";
import { freeIn, mapsOf, rangesIn, type Range } from "./lent.ts";
import { makeStore, type Store } from "./store.ts";

/** Whom /etc/subuid and /etc/subgid lend the ids of containers to: containers-storage.conf(5), auto-userns-user. */
const LENDER = "containers";

/** Where they say nothing of that user: the ids that podman's manual recommends for it, which no other tool gives away. */
const OTHERWISE: Range = { first: 2_147_483_647, count: 2_147_483_648 };

const FILE_LIMIT = 1 << 20;

/** Maps of ids, and the lock under which they were chosen: until it is given up nobody else chooses. */
export interface ChosenMaps extends Disposable {
  readonly maps: IdMaps;
}

/**
 * Ids that no other container of the store has, as many as `size` where `wish` does not say. Whoever has them writes them into
 * its note, and then gives up the lock, which ends with this process in any case. Throws a Failure.
 */
export function chooseMaps(store: Store, wish: AutoWish, size: number): ChosenMaps {
  const { sys, path } = store;
  if (!hasAllIds(sys))
    throw new Failure("--userns auto is for root: the kernel lets nobody else mount the layers with other ids");
  makeStore(store);
  const lock = attempt(`lock the ids of ${path}`, () => {
    const file = sys.openat(null, `${path}/ids.lock`, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    sys.flock(file, LOCK_EX);
    return file;
  });
  try {
    const count = wish.size ?? size;
    const used = lookAtContainers(store).used.flatMap(({ idmap }) => idmap ?? []);
    const maps = {
      uidMappings: choose(sys, "uid", { count, fixed: wish.uids, used: used.flatMap((map) => map.uidMappings) }),
      gidMappings: choose(sys, "gid", { count, fixed: wish.gids, used: used.flatMap((map) => map.gidMappings) }),
    };
    return { maps, [Symbol.dispose]: () => lock[Symbol.dispose]() };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

interface Choice {
  readonly count: number;
  readonly fixed: readonly IdMapping[];
  readonly used: readonly IdMapping[];
}

function choose(sys: Sys, kind: "uid" | "gid", { count, fixed, used }: Choice): IdMapping[] {
  const path = `/etc/sub${kind}`;
  const lent = rangesIn(
    attempt(`read ${path}`, () => readFileIfAny(sys, null, path, FILE_LIMIT) ?? ""),
    [LENDER],
  );
  const taken = [...used, ...fixed].map(({ hostID, size }) => ({ first: hostID, count: size }));
  return mapsOf(count, freeIn(lent.length === 0 ? [OTHERWISE] : lent, taken, count, kind), fixed);
}
