/**
 * Runs files of node:test and says what failed and what was skipped, and why; ends with the counts for `scripts/test`.
 * Usage: `node --import tsx scripts/suite.ts FILE...`
 */
import { resolve } from "node:path";
import { run } from "node:test";

interface Details {
  readonly name: string;
  readonly file?: string;
  readonly skip?: string | boolean;
  readonly details: { readonly type?: string; readonly error?: Error };
}

let passed = 0;
let failed = 0;
let skipped = 0;

const files = process.argv.slice(2).map((path) => resolve(path));
const events = run({ files, concurrency: Number(process.env["TSRUN_JOBS"] ?? "2"), timeout: 1_200_000 });
events.on("test:stdout", ({ message }) => process.stdout.write(message));
events.on("test:stderr", ({ message }) => process.stderr.write(message));
events.on("test:pass", (event) => {
  const { name, skip, details } = event as unknown as Details;
  if (details.type === "suite") return;
  if (skip === undefined || skip === false) passed++;
  else {
    skipped++;
    console.log(`skipped ${name}: ${String(skip)}`);
  }
});
events.on("test:fail", (event) => {
  const { name, file, details } = event as unknown as Details;
  if (details.type === "suite") return;
  failed++;
  const cause = details.error?.cause;
  const why = cause instanceof Error ? (cause.stack ?? cause.message) : (details.error?.message ?? "");
  console.log(`not ok ${file ?? ""}: ${name}\n    ${why.split("\n").join("\n    ")}`);
});
events.on("end", () => {
  console.log(`COUNTS ${passed} ${failed} ${skipped}`);
  process.exitCode = failed === 0 ? 0 : 1;
});
// The stream flows only when it is read.
events.resume();
