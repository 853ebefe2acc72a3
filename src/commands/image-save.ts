/** `image save`: images as an archive or a directory, for another store or another program. */
import { COMPRESSIONS } from "../image/make-manifest.ts";
import { pushView } from "../image/push-view.ts";
import { SAVE_FORMATS, saveImages, type SaveFormat } from "../image/save.ts";
import type { WriteDest } from "../image/write.ts";
import { PASSED, Worker } from "../image/worker.ts";
import { Failure } from "../sys/failure.ts";
import { absolutePath, isSet, option, type Context, type Parsed } from "./context.ts";

export function run(context: Context, parsed: Parsed): number {
  const format = formatIn(parsed);
  const compression = oneOf(parsed, "compression", COMPRESSIONS) ?? (format === "docker-archive" ? "none" : "gzip");
  if (format === "docker-archive" && compression !== "none")
    throw new Failure("a docker-archive has its layers as they are: --compression is for oci-archive and oci-dir");
  const { sys, env } = context;
  const output = option(parsed, "output");
  const progress = { progress: option(parsed, "progress") ?? "auto", quiet: isSet(parsed, "quiet") };
  const view = pushView(context, "save", progress);
  const save = (worker: Worker, dest: WriteDest): void =>
    saveImages(context, worker, parsed.operands, { format, compression, dest, view });
  if (output !== undefined) {
    using worker = new Worker(sys, env);
    save(worker, { kind: format === "oci-dir" ? "dir" : "archive", path: absolutePath(sys, output) });
    view.close();
    return 0;
  }
  if (progress.progress === "json" && !progress.quiet)
    throw new Failure("the archive and --progress json would both go to standard output: give --output FILE");
  if (format === "oci-dir") throw new Failure("a directory needs a place: give --output DIR");
  const stdout = sys.inherited(1);
  try {
    if (sys.isTerminal(stdout))
      throw new Failure("an archive is nothing for a terminal: give --output FILE, or lead standard output elsewhere");
    using worker = new Worker(sys, env, [stdout]);
    save(worker, { kind: "passed", fd: PASSED });
  } finally {
    stdout.take();
  }
  return 0;
}

/** "oci" is skopeo's word for a directory. */
function formatIn(parsed: Parsed): SaveFormat {
  if (option(parsed, "format") === "oci") return "oci-dir";
  return oneOf(parsed, "format", SAVE_FORMATS) ?? "docker-archive";
}

function oneOf<T extends string>(parsed: Parsed, name: string, known: readonly T[]): T | undefined {
  const text = option(parsed, name);
  const found = known.find((each) => each === text);
  if (text === undefined || found !== undefined) return found;
  throw new Failure(`--${name} must be one of ${known.join(", ")}: current value is ${JSON.stringify(text)}`);
}
