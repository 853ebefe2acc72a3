/** Counts the system calls of a command: what it asks of the kernel does not depend on what else the machine does. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { textOf } from "../support/runtime.ts";

/** How many system calls the first process of a command makes, by strace(1); the command must succeed. Writes into `scratch`. */
export function countCalls(command: readonly string[], scratch: string, env: NodeJS.ProcessEnv): number {
  const summary = join(scratch, "calls");
  const args = ["-I", "2", "-c", "-U", "calls,name", "-o", summary, ...command];
  const { status } = spawnSync("strace", args, { cwd: scratch, env, stdio: "ignore" });
  assert.equal(status, 0, command.join(" "));
  return Number(/^ *(\d+) total$/m.exec(textOf(summary))?.[1]);
}
