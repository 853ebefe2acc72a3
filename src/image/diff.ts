/** What a container has changed of its image, without what tsrun has made for its mounts. */
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { isWithin } from "../spec/paths.ts";
import { withOriginal } from "../container/protect.ts";
import type { Held } from "../container/state.ts";
import { specOf } from "../container/start.ts";
import { originOf } from "./containers.ts";
import { becomeRootInside, enterOwnMounts } from "./rootless.ts";
import { openView } from "./view.ts";
import { passedPath, Worker, type Change } from "./worker.ts";

/** Places that are made in every root: mounts are there, and links of /dev. */
const MADE = ["/dev", "/proc", "/sys"];

/** The changes in the order of their paths. Throws a Failure. */
export function diffContainer(sys: Sys, env: readonly string[], held: Held): Change[] {
  const origin = originOf(sys, held.state.owned);
  if (origin === undefined)
    throw new Failure(`container ${held.state.id} is not from an image: there is nothing to compare it with`);
  const around = withOriginal(sys, env);
  becomeRootInside(sys);
  enterOwnMounts(sys);
  using view = openView(sys, origin.overlay.lower);
  using worker = new Worker(sys, around, [view]);
  const { changes } = worker.ask("diff", { upper: origin.overlay.upper, lower: passedPath(0) });
  const places = [...MADE, ...specOf(sys, held).mounts.map(({ destination }) => destination)];
  return withoutPlaces(changes, places);
}

/**
 * A place of a mount is no change of the container's, nor is the directory that had to be made or touched for it. From the end,
 * so that what is in a directory is known before it.
 */
export function withoutPlaces(changes: readonly Change[], places: readonly string[]): Change[] {
  const kept: Change[] = [];
  for (const change of changes.toReversed()) {
    const { kind, path, same } = change;
    const leads = places.some((place) => isWithin(place, path));
    const holds = kept.some((other) => isWithin(other.path, path));
    if (!leads || holds || kind === "D" || (kind === "C" && !same && !places.includes(path))) kept.push(change);
  }
  return kept.toReversed();
}
