/** What there is to say about a step of the plan beyond its phrase: a line each, or none. */
import type { Facts } from "../facts/facts.ts";
import type { Step, Verb, With } from "../plan/step.ts";
import type { Told, Who } from "./acts.ts";
import { describeDeviceRules, describeSetting } from "./cgroup-words.ts";
import {
  describeDevice,
  describeLinks,
  describeMasks,
  describeMount,
  describePropagation,
  describeRoot,
  describeSysctl,
  describeUmask,
} from "./mount-words.ts";
import { describeBoundingSet, describeCapabilities } from "./process-words.ts";
import { describeSeccomp } from "./seccomp-words.ts";
import { phraseOf } from "./phrases.ts";
import { TOPIC_OF } from "./topics.ts";
import { octal } from "./words.ts";

/** Verbs that are not here have said all. */
const DETAILS: { readonly [V in Verb]?: (options: With<V>, machine: string) => readonly string[] } = {
  makeCgroup: ({ mount, path }) => [
    `with mkdir, below ${mount}, where cgroup2 is mounted: ${mount}${path}`,
    "one that is not empty or is frozen is refused: it would be somebody else's",
  ],
  enableControllers: ({ controllers: [first = "memory"] }) => [
    `by writing words such as +${first} to cgroup.subtree_control of each cgroup above, where it is not there yet`,
    "one that cannot be offered is passed over: only a limit that needs it makes that a failure",
  ],
  writeCgroup: ({ setting }) => describeSetting(setting),
  filterDevices: ({ rules }) => describeDeviceRules(rules),
  setPropagation: (propagation) => [describePropagation(propagation)],
  mountRoot: describeRoot,
  mount: describeMount,
  sealMount: () => ["the option ro of this tmpfs had to wait: things were still to be made in it"],
  makeDevice: describeDevice,
  linkDevices: describeLinks,
  makeTerminal: ({ size, owner }) => [
    size === undefined
      ? "its size is that of the caller's terminal, or unknown"
      : `${size.width} columns, ${size.height} rows`,
    `it belongs to uid ${owner}, and is the process's standard input, output and error`,
  ],
  writeSysctl: describeSysctl,
  maskPath: describeMasks,
  makeReadonly: () => ["by a read-only copy of its mount over itself; if it does not exist it is passed over"],
  makeDirectory: (path) => [
    `with mode ${octal(0o755)}, looked up inside the root${path === "/" ? ": / is always there" : ""}`,
  ],
  pivotRoot: (how) =>
    how === "pivot"
      ? [
          'pivot_root(".", "."), then the old root, which lies over the new one now, is made a slave mount and detached (MNT_DETACH)',
        ]
      : ["asked for by --no-pivot: the host's files stay in the mount namespace, covered"],
  setUmask: describeUmask,
  loadSeccomp: describeSeccomp,
  dropBoundingSet: describeBoundingSet,
  setCapabilities: describeCapabilities,
};

/** A step of the plan, told. */
export function tellStep(step: Step, who: Who, { machine }: Pick<Facts, "machine">): Told {
  const details = DETAILS[step.do] as ((options: Step["with"], machine: string) => readonly string[]) | undefined; // step() paired them
  return {
    topic: TOPIC_OF[step.do],
    who,
    verb: step.do,
    with: step.with ?? null,
    because: step.because,
    says: phraseOf(step),
    details: details?.(step.with, machine) ?? [],
  };
}
