/** What is in a tree of files, in full, so that two can be compared. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { REPOSITORY } from "./runtime.ts";

/** A line for each file below `root`: kind, mode, owner, time in ns, content, target, device, other names, attributes. */
export function treeOf(root: string, leftOut: readonly string[] = []): string[] {
  const { status, stdout, stderr } = spawnSync(
    "python3",
    [join(REPOSITORY, "test/support/tree.py"), root, ...leftOut],
    {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    },
  );
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split("\n");
}

/** Fails with the lines that only one of them has. */
export function assertSameTree(found: readonly string[], wanted: readonly string[], which: string): void {
  const [has, needs] = [new Set(found), new Set(wanted)];
  const surplus = found.filter((line) => !needs.has(line)).slice(0, 8);
  const missing = wanted.filter((line) => !has.has(line)).slice(0, 8);
  assert.deepEqual({ surplus, missing }, { surplus: [], missing: [] }, which);
}
