/**
 * Runs files of node:test and says what failed and what was skipped, and why; ends with the counts for `scripts/test`.
 * Usage: `node --import ./scripts/typescript.mjs scripts/suite.ts FILE...`; TSRUN_JOBS says how many at a time
 */
import { availableParallelism } from "node:os";
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

/** What takes longest, the longest first: whatever begins last should soon end. The others begin in the order in which they are named. */
const LONG = [
  "image/kills",
  "container/kill-anywhere",
  "image/stacks",
  "image/same-files",
  "image/in-vm",
  "container/in-vm",
];

function turn(path: string): number {
  const index = LONG.findIndex((name) => path.endsWith(`/${name}.test.ts`));
  return index < 0 ? LONG.length : index;
}

const files = process.argv
  .slice(2)
  .map((path) => resolve(path))
  .toSorted((one, other) => turn(one) - turn(other));
// Many wait for something most of the time.
const concurrency = Number(process.env["TSRUN_JOBS"] ?? availableParallelism() + 1);
const events = run({ files, concurrency, timeout: 1_200_000 });
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
