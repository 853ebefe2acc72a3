/** `image pull`: from a registry into the store. */
import { parsePlatform } from "../image/platform.ts";
import { pullImage, type PullOptions } from "../image/pull.ts";
import { SILENT, viewOf } from "../image/pull-view.ts";
import { familiar, parseReference } from "../image/reference.ts";
import { Worker } from "../image/worker.ts";
import { Failure } from "../sys/failure.ts";
import { accessIn } from "./access.ts";
import { isSet, option, print, type Context, type Parsed } from "./context.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys, env } = context;
  const progress = option(parsed, "progress") ?? "auto";
  const view = isSet(parsed, "quiet") ? SILENT : viewOf(sys, progress);
  if (view === undefined)
    throw new Failure(`--progress must be auto, plain or json: current value is ${JSON.stringify(progress)}`);
  const options: PullOptions = {
    ...accessIn(parsed),
    platform: platformIn(parsed),
    view,
  };
  using worker = new Worker(sys, env);
  const pulled = pullImage(context, worker, parsed.operands[0] ?? "", options);
  if (progress === "json" && view !== SILENT) return 0;
  for (const { record } of pulled)
    print(sys, `${record.name === undefined ? record.id : familiar(parseReference(record.name))}\n`);
  return 0;
}

function platformIn(parsed: Parsed): PullOptions["platform"] {
  const text = option(parsed, "platform");
  if (!isSet(parsed, "all-platforms")) return text === undefined ? undefined : parsePlatform(text);
  if (text !== undefined) throw new Failure("--platform and --all-platforms exclude each other");
  return "all";
}
