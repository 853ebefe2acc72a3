/** `--image` with a name that the store has not, or with `--pull always`. */
import type { Context } from "../commands/context.ts";
import type { Loaded } from "./load.ts";
import type { Platform } from "./platform.ts";
import { pullImage } from "./pull.ts";
import { viewOf } from "./pull-view.ts";
import { Worker } from "./worker.ts";

/** Pulls for this machine, or for the platform that is asked for, with what the files of the host say. Throws a Failure. */
export function pullForRun(context: Context, text: string, platform: Platform | undefined): Loaded[] {
  using worker = new Worker(context.sys, context.env);
  return pullImage(context, worker, text, { platform, verify: true, view: viewOf(context, "auto", "pull") });
}
