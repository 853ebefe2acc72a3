/** Capabilities: capabilities(7). */
import { PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE, PR_SET_KEEPCAPS } from "../sys/constants.ts";
import { CAPABILITIES } from "../spec/parse-process.ts";
import { step, type Plan, type Scene } from "../plan/step.ts";
import type { Capabilities, CapName, Process } from "../spec/spec.ts";

/** CAP_* of <linux/capability.h>: a lookup where a search would compare each name with twenty others. */
const NUMBERS: ReadonlyMap<CapName, number> = new Map(CAPABILITIES.map((name, number) => [name, number]));

export function* planBoundingSet(process: Process): Plan {
  yield step("dropBoundingSet", process.capabilities.bounding, "config#configLinuxProcess");
}

export function* planCapabilities(process: Process): Plan {
  yield step("setCapabilities", process.capabilities, "config#configLinuxProcess");
}

/** Drops from the bounding set all but `keep`. Kept capabilities survive the change of ids that follows. */
export function dropBoundingSet({ sys }: Scene, keep: readonly CapName[]): void {
  sys.dropBoundingSet(bitsOf(keep));
  // Otherwise setresuid(2) to another user would clear the permitted set, from which the final sets are taken.
  sys.prctl(PR_SET_KEEPCAPS, 1, 0);
}

/** Sets the final capability sets of the process. */
export function setCapabilities({ sys }: Scene, sets: Capabilities): void {
  sys.prctl(PR_SET_KEEPCAPS, 0, 0);
  sys.capset(bitsOf(sets.effective), bitsOf(sets.permitted), bitsOf(sets.inheritable));
  sys.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0);
  for (const name of sets.ambient) {
    // A capability that is not permitted and inheritable cannot be ambient: runc leaves it out without a word.
    if (sets.permitted.includes(name) && sets.inheritable.includes(name)) {
      sys.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, numberOf(name));
    }
  }
}

/** 1 << number for each name. There are fewer than 53: a number holds them. */
function bitsOf(names: readonly CapName[]): number {
  let bits = 0;
  for (const name of names) bits += 2 ** numberOf(name);
  return bits;
}

function numberOf(name: CapName): number {
  const number = NUMBERS.get(name);
  if (number === undefined) throw new Error(`${name} is no capability`);
  return number;
}
