/** The whole story of create or run, in the order in which it happens: the plan, and what is done around it. */
import type { Telling } from "./acts.ts";
import { plansOf, type Circumstances } from "./circumstances.ts";
import { tellStep } from "./details.ts";
import { tellAfterwards } from "./story-after.ts";
import { tellBefore, tellClone } from "./story-before.ts";
import {
  tellBeginning,
  tellHooks,
  tellLimits,
  tellMeanwhile,
  tellOutliving,
  tellProgram,
  tellTerminal,
} from "./story-inside.ts";

/** Tells everything once. Throws a SpecError where the host lacks a controller that a limit needs. */
export function* tellStory(all: Circumstances): Telling {
  const { cgroup, host, beside, init, credentials } = plansOf(all);
  yield* tellBefore(all, host.length + beside.length + init.length + credentials.length);
  for (const step of host) yield tellStep(step, "parent", all.facts);
  yield* tellClone(all, cgroup, init);
  yield* tellBeginning(all);
  for (const step of init) {
    if (step.do === "awaitParent") yield* tellMeanwhile(all, beside);
    yield tellStep(step, "init", all.facts);
    if (step.do === "awaitParent") yield* tellOutliving();
    if (step.do === "runHooks") yield* tellHooks(all);
    if (step.do === "makeTerminal") yield* tellTerminal();
  }
  yield* tellLimits(all);
  for (const step of credentials) yield tellStep(step, "init", all.facts);
  yield* tellProgram(all);
  yield* tellAfterwards(all, cgroup);
}
