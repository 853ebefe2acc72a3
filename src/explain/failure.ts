/** What a step that failed is told as. Loaded when one does: success needs no words. */
import { Failure } from "../sys/failure.ts";
import type { Step } from "../plan/step.ts";
import { hintFor } from "./hints.ts";
import { phraseOf } from "./phrases.ts";

/** The failure of `step`: what could not be done, why, and a hint where the reason misleads. */
export function failureOf(step: Step, cause: unknown): Failure {
  return new Failure(`cannot ${phraseOf(step)}`, cause, hintFor(step, cause));
}
