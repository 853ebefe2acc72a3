/** `image inspect`: all that the store knows of images, as an array. */
import { inspectImage } from "../image/inspect.ts";
import { forPlatform } from "../image/obtain.ts";
import { parsePlatform } from "../image/platform.ts";
import { findRecord } from "../image/store.ts";
import { option, print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const wanted = option(parsed, "platform");
  const platform = wanted === undefined ? undefined : parsePlatform(wanted);
  const images = parsed.operands.map((text) =>
    inspectImage(store, forPlatform(store, findRecord(store, text), platform), platform),
  );
  print(sys, `${JSON.stringify(images, undefined, 2)}\n`);
  return 0;
}
