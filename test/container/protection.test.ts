/** The runtime's own file, out of reach: by a copy of it that no container can write to, or because nobody can write to it. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync } from "node:fs";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Tweak } from "../support/config.ts";
import { TSRUN } from "../support/runtime.ts";

const NEEDS = ["tsrun", "tool:strace"] as const;

const mayTakeAway: Tweak = ({ process }) => process.capabilities.bounding.push("CAP_LINUX_IMMUTABLE");

/** How often the runtime becomes itself again while it runs a container; with `immutable` its file has that attribute. */
function restarts(box: Box, immutable: boolean, tweak?: Tweak): number {
  const runtime = box.path("runtime");
  const trace = box.path("trace");
  copyFileSync(TSRUN, runtime);
  chmodSync(runtime, 0o755);
  if (immutable) assert.equal(spawnSync("chattr", ["+i", runtime]).status, 0);
  try {
    const bundle = box.bundle("true", tweak);
    const command = [runtime, "--root", box.root, "run", "--bundle", bundle, box.id()];
    const { status } = spawnSync("strace", ["-f", "-o", trace, "-e", "trace=execveat", ...command]);
    assert.equal(status, 0);
  } finally {
    if (immutable) spawnSync("chattr", ["-i", runtime]);
  }
  return readFileSync(trace, "utf8").split("execveat(").length - 1;
}

test("CVE-2019-5736: a file that can be written to is left for a copy that cannot", [...NEEDS], (box) => {
  assert.equal(restarts(box, false), 1);
});

test("a file that nobody can write to needs no copy: chattr(1) +i", [...NEEDS, "immutable"], (box) => {
  assert.equal(restarts(box, true), 0);
});

test(
  "a container that may take the attribute away, by CAP_LINUX_IMMUTABLE, gets the copy",
  [...NEEDS, "immutable"],
  (box) => {
    assert.equal(restarts(box, true, mayTakeAway), 1);
  },
);
