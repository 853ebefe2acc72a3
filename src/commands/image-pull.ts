/** `image pull`: from a registry into the store. */
import { parsePlatform } from "../image/platform.ts";
import { pullImage, type PullOptions } from "../image/pull.ts";
import { printLoaded, viewFor } from "../image/progress.ts";
import { Worker } from "../image/worker.ts";
import { Failure } from "../sys/failure.ts";
import { accessIn } from "./access.ts";
import { withoutScheme } from "../image/transport.ts";
import { isSet, option, type Context, type Parsed } from "./context.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys, env } = context;
  const view = viewFor(context, parsed, "pull");
  const options: PullOptions = { ...accessIn(parsed), platform: platformIn(parsed), view };
  using worker = new Worker(sys, env);
  printLoaded(context, parsed, pullImage(context, worker, withoutScheme(parsed.operands[0] ?? ""), options));
  view.close();
  return 0;
}

function platformIn(parsed: Parsed): PullOptions["platform"] {
  const text = option(parsed, "platform");
  if (!isSet(parsed, "all-platforms")) return text === undefined ? undefined : parsePlatform(text);
  if (text !== undefined) throw new Failure("--platform and --all-platforms exclude each other");
  return "all";
}
