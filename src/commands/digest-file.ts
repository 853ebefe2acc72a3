/** `--digestfile` of `image push` and `image copy`. */
import { basename, dirname } from "../spec/paths.ts";
import { attempt } from "../sys/failure.ts";
import { openDirectory, replaceFile } from "../sys/files.ts";
import { absolutePath, option, type Context, type Parsed } from "./context.ts";

/** Writes the digest of what was sent to the file that is asked for, if one is. Throws a Failure. */
export function writeDigest({ sys }: Context, parsed: Parsed, digest: string): void {
  const file = option(parsed, "digestfile");
  if (file === undefined) return;
  const path = absolutePath(sys, file);
  attempt(`write ${path}`, () => {
    using folder = openDirectory(sys, null, dirname(path));
    replaceFile(sys, folder, basename(path), digest, 0o644);
  });
}
