/** SIGKILL of a command at any of its system calls, then one `delete --force`: nothing of the container is left. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import { eventually, start, textOf } from "../support/runtime.ts";

const NEEDS = ["tsrun", "tool:strace"] as const; // runc and crun lose the container: they write its state too late.

interface Case {
  /** At how many moments the command is killed. */
  readonly moments: number;
  /** Makes ready, and gives the arguments of the command that is killed. */
  readonly prepare: (box: Box, id: string) => string[];
}

const bundles = new WeakMap<Box, string>();

function bundle(box: Box): string {
  const made = bundles.get(box) ?? box.bundle(["sleep", "1000"]);
  bundles.set(box, made);
  return made;
}

function make(box: Box, id: string): void {
  const created = box.tsrun(["create", "--bundle", bundle(box), id], { output: box.path("create") });
  assert.equal(created.status, 0, created.stderr);
}

const CASES: Record<string, Case> = {
  create: { moments: 60, prepare: (box, id) => ["create", "--bundle", bundle(box), id] },
  start: {
    moments: 30,
    prepare: (box, id) => {
      make(box, id);
      return ["start", id];
    },
  },
  exec: {
    moments: 20, // Each takes as long as the host's pid 1 takes to collect what was executed: a second here.
    prepare: (box, id) => {
      make(box, id);
      box.ok("start", id);
      return ["exec", "--detach", id, "sleep", "1000"];
    },
  },
  kill: {
    moments: 30,
    prepare: (box, id) => {
      make(box, id);
      box.ok("start", id);
      return ["kill", id, "KILL"];
    },
  },
  delete: {
    moments: 30,
    prepare: (box, id) => {
      make(box, id);
      box.ok("start", id);
      return ["delete", "--force", id];
    },
  },
};

/** Runs a command under strace. With `follow` its children are under it too, each with a count of its own. */
async function traced(box: Box, args: readonly string[], follow: boolean, ...strace: string[]): Promise<string> {
  const trace = box.path("trace");
  rmSync(trace, { force: true });
  const tracer = ["strace", ...(follow ? ["-f"] : []), "-q", "-I", "2", "-o", trace, ...strace];
  const running = start([...tracer, ...box.command(...args)], box.dir, {
    env: box.environment(),
    output: box.path("traced"),
  });
  if (follow) {
    // It would stay for as long as anything lives that the command has started.
    await eventually(() => isOver(textOf(trace)), "the end of the command");
    running.child.kill("SIGTERM");
  }
  await running.ended;
  return textOf(trace);
}

/** Whether the first process of a trace has ended. */
function isOver(trace: string): boolean {
  const pid = trace.split(" ")[0] ?? "";
  return new RegExp(`^${pid} +\\+\\+\\+ (exited|killed)`, "m").test(trace);
}

/** A system call of the command: the nth of its name, in the process that makes it. */
interface Call {
  readonly name: string;
  readonly nth: number;
}

/** The system calls that the command makes, or with `follow` those of all its processes. strace counts by name. */
async function callsOf(box: Box, args: readonly string[], follow: boolean): Promise<Call[]> {
  const trace = await traced(box, args, follow);
  const counts = new Map<string, number>();
  return trace.split("\n").flatMap((line) => {
    const [, pid = "", name] = /^(\d+ +)?(\w+)\(/.exec(line) ?? [];
    // execve is strace's own start of the command: killed there, nothing has begun.
    if (name === undefined || name === "execve") return [];
    const nth = (counts.get(pid + name) ?? 0) + 1;
    counts.set(pid + name, nth);
    return [{ name, nth }];
  });
}

/** The calls that were made both times: how often it is asked whether processes have gone depends on how long they take. */
function steady(calls: readonly Call[], again: readonly Call[]): Call[] {
  const made = new Set(again.map(({ name, nth }) => `${name} ${nth}`));
  return calls.filter(({ name, nth }) => made.has(`${name} ${nth}`));
}

function spread(calls: readonly Call[], wanted: number): Call[] {
  const moments = Math.min(wanted, calls.length);
  return Array.from({ length: moments }, (_, n) => calls[Math.floor((n * calls.length) / moments)]).filter(
    (each) => each !== undefined,
  );
}

for (const [command, { moments, prepare }] of Object.entries(CASES)) {
  for (const follow of command === "create" || command === "exec" ? [false, true] : [false]) {
    const whom = follow ? "the runtime's processes, each" : "the command";
    test(
      `${command}: SIGKILL of ${whom} at up to ${moments} moments, then delete --force, leaves nothing`,
      NEEDS,
      async (box) => {
        const record = async (): Promise<Call[]> => {
          const id = box.id();
          const calls = await callsOf(box, prepare(box, id), follow);
          box.ok("delete", "--force", id);
          return calls;
        };
        const chosen = spread(steady(await record(), await record()), moments);
        const wrong: string[] = [];
        let struck = 0;
        for (const { name, nth } of chosen) {
          const id = box.id();
          const args = prepare(box, id);
          const trace = await traced(box, args, follow, "-e", `inject=${name}:signal=KILL:when=${nth}`);
          if (trace.includes("+++ killed by SIGKILL +++")) struck += 1;
          const began = Date.now();
          const { status, stderr } = box.tsrun(["delete", "--force", id]);
          const last = trace.trimEnd().split("\n").at(-2)?.slice(0, 100) ?? "";
          const at = `${name} ${nth} (${last})`;
          if (status !== 0) wrong.push(`${at}: delete --force: ${stderr}`);
          const left = box.settled();
          if (left.length > 0) wrong.push(`${at}: ${left.join("; ")}`);
          if (Date.now() - began > 5000) wrong.push(`${at}: ${Date.now() - began} ms`);
          if (wrong.length > 3) break;
        }
        assert.deepEqual(wrong, []);
        // A call may fall away from one run to the next.
        assert.ok(struck >= chosen.length * 0.85, `${struck} of ${chosen.length} were killed`);
      },
    );
  }
}
