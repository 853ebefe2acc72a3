import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";

const HEADER = /^PROCESS +AT +TOOK +KERNEL +SCRIPT +FAULTS +PHASE$/m;
const TRACED = { TSRUN_TRACE: "phases" };

test("TSRUN_TRACE=phases prints where the time of run went, of tsrun and of init", ["tsrun"], (box) => {
  const { stderr } = runs(box, "true", TRACED);
  const lines = stderr.trimEnd().split("\n");
  assert.match(lines[0] ?? "", HEADER);
  for (const line of lines.slice(1)) assert.match(line, /^(tsrun|init) +\d+ +\d+ +\d+ +\d+ +\d+ +\S/);
  for (const phase of ["tsrun .* start", "tsrun .* clone3", "init .* mount", "init .* pivotRoot", "tsrun .* delete"]) {
    assert.match(stderr, new RegExp(`^${phase}$`, "m"));
  }
});

test("TSRUN_TRACE=phases prints the phases of create, exec and state", ["tsrun"], (box) => {
  const bundle = box.bundle(["sleep", "100"]);
  const id = box.id();
  for (const [args, processes] of [
    [
      ["create", "--bundle", bundle, id],
      ["init", "tsrun"],
    ],
    [["start", id], ["tsrun"]],
    [
      ["exec", id, "true"],
      ["init", "tsrun"],
    ],
    [["state", id], ["tsrun"]],
  ] as const) {
    const { status, stderr } = box.tsrun(args, { env: TRACED });
    assert.equal(status, 0, stderr);
    assert.match(stderr, HEADER);
    assert.deepEqual([...new Set(stderr.match(/^(tsrun|init)/gm))].toSorted(), processes);
  }
});

test("TSRUN_TRACE=phases changes neither what a container prints nor its exit code", ["tsrun"], (box) => {
  const plain = runs(box, "echo out; echo err >&2; env; exit 7", {});
  const traced = runs(box, "echo out; echo err >&2; env; exit 7", TRACED);
  assert.equal(plain.status, 7);
  assert.deepEqual([traced.status, traced.stdout], [plain.status, plain.stdout]);
  assert.equal(traced.stderr.slice(0, traced.stderr.search(HEADER)), plain.stderr);
});

test("TSRUN_TRACE=phases is told beside a failure, and the exit code is the failure's", ["tsrun"], (box) => {
  const { status, stderr } = box.tsrun(["state", "nobody"], { env: TRACED });
  assert.equal(status, 1);
  assert.match(stderr, /container does not exist/);
  assert.match(stderr, HEADER);
});

test("without TSRUN_TRACE nothing is printed", ["tsrun"], (box) => {
  for (const env of [{}, { TSRUN_TRACE: "" }]) assert.equal(runs(box, "true", env).stderr, "");
});

function runs(box: Box, program: string, env: Record<string, string>): Result {
  return box.run(program, undefined, { env });
}
