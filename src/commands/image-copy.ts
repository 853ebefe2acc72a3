/** `image copy`: from one place to another, past the store. */
import { copyImage, type CopyOptions } from "../image/copy.ts";
import { parsePlatform } from "../image/platform.ts";
import { pushView } from "../image/push-view.ts";
import { Worker } from "../image/worker.ts";
import { Failure } from "../sys/failure.ts";
import { accessIn } from "./access.ts";
import { isSet, option, print, variable, type Context, type Parsed } from "./context.ts";
import { writeDigest } from "./digest-file.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys, env } = context;
  const [progress, quiet] = [option(parsed, "progress") ?? "auto", isSet(parsed, "quiet")];
  const view = pushView(context, "copy", { progress, quiet });
  const options: CopyOptions = {
    source: accessIn(parsed, "src-"),
    destination: accessIn(parsed, "dest-"),
    platform: platformIn(parsed),
    scratch: variable(env, "TMPDIR") || "/var/tmp",
    view,
  };
  using worker = new Worker(sys, env);
  const [from = "", to = ""] = parsed.operands;
  const digest = copyImage(context, worker, { from, to }, options);
  writeDigest(context, parsed, digest);
  if (progress !== "json" || quiet) print(sys, `${digest}\n`);
  view.close();
  return 0;
}

function platformIn(parsed: Parsed): CopyOptions["platform"] {
  const text = option(parsed, "platform");
  if (!isSet(parsed, "all") && !isSet(parsed, "all-platforms"))
    return text === undefined ? undefined : parsePlatform(text);
  if (text !== undefined) throw new Failure("--platform and --all exclude each other");
  return "all";
}
