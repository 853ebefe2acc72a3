/** Volumes: each is a directory with its files, `data`, and a record of it beside them. */
import { S_IFDIR, S_IFMT, AT_SYMLINK_NOFOLLOW } from "../sys/constants.ts";
import type { Check } from "./check.ts";
import { isVolumeName } from "./flags/volume-names.ts";
import { isThere, namesIn, setAside } from "./store.ts";
import { discard, emptyTrash } from "./sweep.ts";
import { isUnfinished, lockVolumes, makeData, readRecord, writeRecord, VOLUMES_LOCK } from "./volumes.ts";

/** What a volume's files say is nobody's but the containers': only whether they are there is looked at. */
export function checkVolumes(check: Check): void {
  const { store, worker, found } = check;
  if (!isThere(store, `${store.path}/volumes`)) return;
  using _lock = lockVolumes(store);
  for (const name of namesIn(store, "volumes").toSorted()) {
    if (name === VOLUMES_LOCK) continue;
    const path = `volumes/${name}`;
    if (isUnfinished(name)) {
      found(path, "was left by a command that was killed", () => {
        discard(store, path);
        emptyTrash(store, worker);
        return "removed";
      });
    } else if (!isVolumeName(name) || !isDirectory(check, path)) {
      found(path, "is no volume", () => {
        setAside(store, path);
        return "set aside in damaged";
      });
    } else checkVolume(check, name);
  }
}

function checkVolume({ store, found }: Check, name: string): void {
  const path = `volumes/${name}`;
  const record = readRecord(store, name);
  if (record === undefined || record === "damaged") {
    found(path, record === undefined ? "has no record" : "its record is damaged", () => {
      writeRecord(store, name, {});
      return "a new one is made: it has no labels any more";
    });
  }
  if (isDirectory({ store }, `${path}/data`)) return;
  found(path, "its files are missing", () => {
    makeData(store, name);
    return "it is empty now";
  });
}

function isDirectory({ store: { sys, path } }: Pick<Check, "store">, name: string): boolean {
  const stat = sys.statxIfAny(null, `${path}/${name}`, AT_SYMLINK_NOFOLLOW);
  return stat !== undefined && (stat.mode & S_IFMT) === S_IFDIR;
}
