import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";

const MANY = 200;

test(`${MANY} containers are created at once, started, and deleted at once, and nothing is left`, [], async (box) => {
  const bundle = box.bundle(["sleep", "1000"], ({ linux }) => delete linux.cgroupsPath);
  const ids = Array.from({ length: MANY }, () => box.id());
  const all = async (args: (id: string) => string[]): Promise<Result[]> =>
    Promise.all(
      ids.map((id) => box.begin(args(id), { output: box.path(`${id}.${args("")[0]}`), timeout: 120_000 }).ended),
    );

  assert.deepEqual(failures(await all((id) => ["create", "--bundle", bundle, id])), []);
  assert.equal(box.ok("list", "--quiet").stdout.trimEnd().split("\n").length, MANY);
  assert.deepEqual(failures(await all((id) => ["start", id])), []);
  const states = JSON.parse(box.ok("list", "--format", "json").stdout) as { status: string; pid: number }[];
  assert.deepEqual([...new Set(states.map(({ status }) => status))], ["running"]);
  assert.equal(new Set(states.map(({ pid }) => pid)).size, MANY);
  assert.deepEqual(failures(await all((id) => ["delete", "--force", id])), []);
  assert.deepEqual(box.settled(), []);
});

test("a container that is created, started and deleted a hundred times leaves nothing", [], async (box) => {
  const bundle = box.bundle(["true"]);
  for (let round = 0; round < 100; round += 1) {
    const { status, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
    assert.equal(status, 0, stderr);
  }
  assert.deepEqual(box.settled(), []);
});

test("fifty execs at once each give their own code and output", [], async (box) => {
  const { id } = box.started(["sleep", "1000"]);
  const all = Array.from({ length: 50 }, (_, n) =>
    box.begin(["exec", id, "sh", "-c", `echo ${n}; exit ${n}`], { output: box.path(`exec${n}`) }),
  );
  const results = await Promise.all(all.map(({ ended }) => ended));
  assert.deepEqual(
    results.map(({ status, stdout }) => [status, stdout]),
    all.map((_, n) => [n, `${n}\n`]),
  );
});

function failures(results: readonly Result[]): string[] {
  return results.filter(({ status }) => status !== 0).map(({ stderr }) => stderr);
}
