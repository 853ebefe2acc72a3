/** Image tests, run in the virtual machine: those that the host may not offer what they need, and layers as EROFS on its newer kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runInVm } from "../support/in-vm.ts";
import { missing, mustWork } from "../support/requirements.ts";

const here = missing(["root", "controller:memory", "controller:pids", "controller:cpu"]) === undefined;
const lacks = missing(["root", "vm"]);
const cannot = lacks !== undefined && !mustWork(["vm"]) ? lacks : false;

void test(
  "in the virtual machine the limits that flags set are in force, and none is skipped",
  { skip: here ? "the host has the controllers" : cannot },
  () => {
    const { output, failed, pass } = runInVm(["test/image/limits.test.ts"], { timeout: 300 });
    assert.deepEqual(failed, [], output);
    assert.ok(pass >= 5, output);
    assert.doesNotMatch(output, /# SKIP/);
  },
);

void test(
  "in the virtual machine what containers do with their files is the same where layers are kept as EROFS, and none is skipped",
  { skip: cannot },
  () => {
    const files = ["erofs", "run", "files", "userns", "volumes"].map((name) => `test/image/${name}.test.ts`);
    const { output, failed, pass } = runInVm(files, {
      timeout: 600,
      env: { TSRUN_SNAPSHOTTER: "erofs" },
      disk: true,
      // What takes half of the time and has to do with no layer.
      without: ["as deep as it likes", "swaps a directory", "maker was killed"],
    });
    assert.deepEqual(failed, [], output);
    assert.ok(pass >= 50, output);
    assert.doesNotMatch(output, /# SKIP needs/);
  },
);
