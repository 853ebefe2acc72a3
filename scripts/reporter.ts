/** A reporter for node:test that says what failed and what was skipped, and why; and the counts for `scripts/test`. */
import type { TestEvent } from "node:test/reporters";

interface Details {
  readonly name: string;
  readonly file?: string;
  readonly nesting: number;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details: { readonly type?: string; readonly error?: { readonly message: string; readonly cause?: unknown } };
}

export default async function* reporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const event of source) {
    if (event.type === "test:stderr" || event.type === "test:stdout") yield event.data.message;
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const data = event.data as unknown as Details;
    if (data.details.type === "suite") continue;
    if (event.type === "test:fail") {
      failed++;
      yield `not ok ${data.file ?? ""}: ${data.name}\n${indent(textOf(data.details.error))}\n`;
    } else if (data.skip !== undefined && data.skip !== false) {
      skipped++;
      yield `skipped ${data.name}: ${String(data.skip)}\n`;
    } else passed++;
  }
  yield `COUNTS ${passed} ${failed} ${skipped}\n`;
}

function textOf(error: Details["details"]["error"]): string {
  const cause = error?.cause;
  return cause instanceof Error ? (cause.stack ?? cause.message) : (error?.message ?? "");
}

function indent(text: string): string {
  return text.split("\n").map((line) => `    ${line}`).join("\n");
}
