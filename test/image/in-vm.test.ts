/** The tests of limits, run in the virtual machine where the host has no controllers to lend. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runInVm } from "../support/in-vm.ts";
import { missing, mustWork } from "../support/requirements.ts";

const here = missing(["root", "controller:memory", "controller:pids", "controller:cpu"]) === undefined;
const lacks = missing(["root", "vm"]);
const skip = here ? "the host has the controllers" : lacks !== undefined && !mustWork(["vm"]) ? lacks : false;

void test("in the virtual machine the limits that flags set are in force, and none is skipped", { skip }, () => {
  const { output, failed, pass } = runInVm(["test/image/limits.test.ts"], 300);
  assert.deepEqual(failed, [], output);
  assert.ok(pass >= 5, output);
  assert.doesNotMatch(output, /# SKIP/);
});
