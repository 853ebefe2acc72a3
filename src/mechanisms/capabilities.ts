/** Capabilities: capabilities(7). */
import {
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_RAISE,
  PR_SET_KEEPCAPS,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { CAPABILITIES } from "../spec/parse-process.ts";
import { step, type Plan, type Scene } from "../plan/step.ts";
import type { Capabilities, CapName, Process } from "../spec/spec.ts";

export function* planBoundingSet(process: Process): Plan {
  yield step("dropBoundingSet", process.capabilities.bounding, "config#configLinuxProcess");
}

export function* planCapabilities(process: Process): Plan {
  yield step("setCapabilities", process.capabilities, "config#configLinuxProcess");
}

/** Drops from the bounding set all but `keep`. Kept capabilities survive the change of ids that follows. */
export function dropBoundingSet({ sys }: Scene, keep: readonly CapName[]): void {
  for (let number = 0; ; number++) {
    const name = CAPABILITIES[number];
    if (name !== undefined && keep.includes(name)) continue;
    try {
      sys.prctl(PR_CAPBSET_DROP, number, 0);
    } catch (error) {
      if (isErrno(error, "EINVAL") && number > 0) break; // The kernel's last capability was the one before.
      // Already out of it: nothing to drop, even for a caller without CAP_SETPCAP.
      if (!isErrno(error, "EPERM") || sys.prctl(PR_CAPBSET_READ, number, 0) !== 0) throw error;
    }
  }
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
      sys.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAPABILITIES.indexOf(name));
    }
  }
}

/** 1 << number for each name. There are fewer than 53: a number holds them. */
function bitsOf(names: readonly CapName[]): number {
  let bits = 0;
  for (const name of names) {
    const number = CAPABILITIES.indexOf(name);
    if (number >= 0) bits += 2 ** number;
  }
  return bits;
}
