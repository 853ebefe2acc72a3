/** The whole story of create or run, in the order in which it happens: the plan, and what is done around it. */
import type { Telling, Told, Who } from "./acts.ts";
import { plansOf, type Circumstances } from "./circumstances.ts";
import { detailsOf } from "./details.ts";
import { phraseOf } from "./phrases.ts";
import { tellAfterwards } from "./story-after.ts";
import { tellBefore, tellClone } from "./story-before.ts";
import { tellBeginning, tellHooks, tellProgram, tellTerminal } from "./story-inside.ts";
import { TOPIC_OF } from "./topics.ts";
import type { Step } from "../plan/step.ts";

/** Tells everything once. Throws a SpecError where the host lacks a controller that a limit needs. */
export function* tellStory(all: Circumstances): Telling {
  const { cgroup, host, init } = plansOf(all);
  yield* tellBefore(all, host.length + init.length);
  for (const step of host) yield tellStep(step, "parent", all);
  yield* tellClone(all, cgroup, init);
  yield* tellBeginning(all);
  for (const step of init) {
    yield tellStep(step, "init", all);
    if (step.do === "runHooks") yield* tellHooks(all);
    if (step.do === "makeTerminal") yield* tellTerminal();
  }
  yield* tellProgram(all);
  yield* tellAfterwards(all, cgroup);
}

/** A step of the plan. */
export function tellStep(step: Step, who: Who, { facts }: Pick<Circumstances, "facts">): Told {
  return {
    topic: TOPIC_OF[step.do],
    who,
    verb: step.do,
    with: step.with ?? null,
    because: step.because,
    says: phraseOf(step),
    details: detailsOf(step, facts.machine),
  };
}
