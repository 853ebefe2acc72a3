/** `image referrers`: what a registry has that refers to an image. */
import { listReferrers } from "../image/referrers.ts";
import { sizeText } from "../image/words.ts";
import { Worker } from "../image/worker.ts";
import { accessIn } from "./access.ts";
import { option, print, type Context, type Parsed } from "./context.ts";
import { formatOf, lineOf, table } from "./text-table.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys, env } = context;
  const isJson = formatOf(parsed) === "json";
  using worker = new Worker(sys, env);
  const asked = { access: accessIn(parsed), artifactType: option(parsed, "artifact-type") };
  const found = listReferrers(context, worker, parsed.operands[0] ?? "", asked);
  const rows = found.referrers.map(({ digest, artifactType, size }) => [digest, lineOf(artifactType), sizeText(size)]);
  print(
    sys,
    isJson ? `${JSON.stringify(found, undefined, 2)}\n` : table([["DIGEST", "ARTIFACT TYPE", "SIZE"], ...rows]),
  );
  return 0;
}
