/** `image check`: the store against what it was, a line for each fault. */
import { countOf } from "../spec/text.ts";
import { checkStore } from "../image/check.ts";
import { makeStore } from "../image/store.ts";
import { Worker } from "../image/worker.ts";
import { Failure } from "../sys/failure.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals, env }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const repair = isSet(parsed, "repair");
  makeStore(store);
  using worker = new Worker(sys, env);
  const { faults, images, layers } = checkStore(store, worker, repair);
  for (const { what, why, done } of faults)
    print(sys, `${what}: ${why}${done === undefined || done === "" ? "" : ` (${done})`}\n`);
  const left = faults.filter(({ done }) => done === undefined);
  print(
    sys,
    `${countOf(images, "image")}, ${countOf(layers, "layer")}: ${countOf(faults.length, "fault")}${repair ? `, ${faults.length - left.length} dealt with` : ""}\n`,
  );
  if (left.length === 0) return 0;
  const hint = repair ? "what is missing must be loaded or pulled again" : 'see "tsrun image check --repair"';
  throw new Failure(`the image store ${store.path} is not whole: ${countOf(left.length, "fault")} (${hint})`);
}
