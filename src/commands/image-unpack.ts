/** `image unpack`: an image as an OCI bundle, for whoever wants to change its files or its config.json. */
import { unpackImage } from "../image/unpack.ts";
import { absolutePath, type Context, type Parsed } from "./context.ts";

export function run(context: Context, parsed: Parsed): number {
  const [image = "", destination = ""] = parsed.operands;
  unpackImage(context, image, absolutePath(context.sys, destination));
  return 0;
}
