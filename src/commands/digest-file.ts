/** `--digestfile` of `image push` and `image copy`. */
import { O_CREAT, O_TRUNC, O_WRONLY } from "../sys/constants.ts";
import { attempt } from "../sys/failure.ts";
import { absolutePath, option, type Context, type Parsed } from "./context.ts";

/**
 * Writes the digest of what was sent to the file that is asked for, if one is: into what is there, which may be /dev/stdout, and
 * not in its place. Throws a Failure.
 */
export function writeDigest({ sys }: Context, parsed: Parsed, digest: string): void {
  const path = option(parsed, "digestfile");
  if (path === undefined) return;
  attempt(`write ${path}`, () => {
    using file = sys.openat(null, absolutePath(sys, path), O_WRONLY | O_CREAT | O_TRUNC, 0o644);
    sys.writeText(file, digest);
  });
}
