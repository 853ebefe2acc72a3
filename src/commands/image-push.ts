/** `image push`: from the store to a registry. */
import { COMPRESSIONS, type Compression, type Format } from "../image/make-manifest.ts";
import { parsePlatform } from "../image/platform.ts";
import { pushView } from "../image/push-view.ts";
import { pushImage, type PushOptions } from "../image/push.ts";
import { Worker } from "../image/worker.ts";
import { Failure } from "../sys/failure.ts";
import { accessIn } from "./access.ts";
import { isSet, option, print, type Context, type Parsed } from "./context.ts";
import { writeDigest } from "./digest-file.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys, env } = context;
  const progress = option(parsed, "progress") ?? "auto";
  const platform = option(parsed, "platform");
  const view = pushView(context, "push", { progress, quiet: isSet(parsed, "quiet") });
  const options: PushOptions = {
    ...accessIn(parsed),
    compression: oneOf<Compression>(parsed, "compression", COMPRESSIONS),
    format: oneOf<Format>(parsed, "format", ["oci", "v2s2"]),
    platform: platform === undefined ? undefined : parsePlatform(platform),
    view,
  };
  using worker = new Worker(sys, env);
  const [image = "", destination] = parsed.operands;
  const { digest } = pushImage(context, worker, { image, destination }, options);
  writeDigest(context, parsed, digest);
  if (progress !== "json" || isSet(parsed, "quiet")) print(sys, `${digest}\n`);
  view.close();
  return 0;
}

function oneOf<Word extends string>(parsed: Parsed, name: string, words: readonly Word[]): Word | undefined {
  const text = option(parsed, name);
  const word = words.find((known) => known === text);
  if (text !== undefined && word === undefined)
    throw new Failure(`--${name} must be ${words.join(" or ")}: current value is ${JSON.stringify(text)}`);
  return word;
}
