/** Carries out a plan. */
import { Failure } from "../sys/failure.ts";
import type { Scene, Step } from "./step.ts";
import { verbs } from "./verbs.ts";

/** Does the steps one after the other. Throws a Failure that names the step and the reason; later steps are not done. */
export function execute(steps: Iterable<Step>, scene: Scene): void {
  for (const step of steps) {
    const verb = verbs[step.do] as (scene: Scene, options: Step["with"], step: Step) => void; // step() paired them
    scene.sys.phase(step.do);
    try {
      verb(scene, step.with, step);
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      throw scene.sys.load("explain-failure").failureOf(step, cause);
    }
  }
}
