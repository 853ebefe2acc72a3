/** `image inspect`: all that the store knows of images, as an array. */
import { inspectImage } from "../image/inspect.ts";
import { findRecord } from "../image/store.ts";
import { print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const images = parsed.operands.map((text) => inspectImage(store, findRecord(store, text)));
  print(sys, `${JSON.stringify(images, undefined, 2)}\n`);
  return 0;
}
