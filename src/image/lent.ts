/** Ids that are lent: subuid(5), and which of them are still free. Pure. */
import type { IdMapping } from "../spec/spec.ts";
import { Failure } from "../sys/failure.ts";

/** Ids of the host: the first, and how many. */
export interface Range {
  readonly first: number;
  readonly count: number;
}

/** The ranges of `text`, /etc/subuid or /etc/subgid, that belong to one of `names`. */
export function rangesIn(text: string, names: readonly string[]): Range[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", first = "", count = "", ...more] = line.trim().split(":");
    if (!names.includes(name) || more.length > 0 || first === "") return [];
    const range = { first: Number(first), count: Number(count) };
    return Number.isSafeInteger(range.first) && Number.isSafeInteger(range.count) && range.count > 0 ? [range] : [];
  });
}

/** The first `count` ids in a row of `lent` that are not in `taken`. Throws a Failure. */
export function freeIn(lent: readonly Range[], taken: readonly Range[], count: number, what: "uid" | "gid"): number {
  for (const { first, count: size } of lent) {
    // The next place after each that is taken may be free.
    const starts = [first, ...taken.map((range) => range.first + range.count)].toSorted((one, other) => one - other);
    const free = starts.find(
      (start) =>
        start >= first &&
        start + count <= first + size &&
        taken.every((range) => start >= range.first + range.count || start + count <= range.first),
    );
    if (free !== undefined) return free;
  }
  throw new Failure(
    `there are no ${count} ${what}s in a row that no other container has (see "containers" in /etc/sub${what})`,
  );
}

/**
 * Maps of the ids below `size`: those of `fixed` as they say, the others from `first` on, each to the id of the host as far from
 * there as it is from 0.
 */
export function mapsOf(size: number, first: number, fixed: readonly IdMapping[]): IdMapping[] {
  const maps: IdMapping[] = [];
  let next = 0;
  const fillTo = (end: number): void => {
    if (end > next) maps.push({ containerID: next, hostID: first + next, size: end - next });
  };
  for (const mapping of fixed.toSorted((one, other) => one.containerID - other.containerID)) {
    fillTo(Math.min(mapping.containerID, size));
    maps.push(mapping);
    next = Math.max(next, mapping.containerID + mapping.size);
  }
  fillTo(size);
  return maps;
}

/** podman's least, and what no image needs more than. */
const LEAST = 1024;
const MOST = 65_536;

/**
 * How many ids an image needs, as podman counts: one more than the greatest in its passwd and group, where "nobody" is nobody's,
 * and than the process's own.
 */
export function sizeFor(
  { passwd, group }: { readonly passwd: string; readonly group: string },
  own: readonly number[],
): number {
  const ids = [...idsIn(passwd, 2), ...idsIn(group, 1)].filter((id) => Number.isSafeInteger(id) && id < MOST);
  return [...ids, ...own].reduce((size, id) => Math.max(size, id + 1), LEAST);
}

/** The `columns` after name and password. */
function idsIn(text: string, columns: 1 | 2): number[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , ...fields] = line.split(":");
    return name === "nobody" || name === "nogroup" || name.startsWith("#") ? [] : fields.slice(0, columns).map(Number);
  });
}
