/** The tests that need cgroup controllers, run in the virtual machine where the host has none to lend. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInVm } from "../support/in-vm.ts";
import { missing, mustWork } from "../support/requirements.ts";
import type { Requirement } from "../support/requirements.ts";

const CONTROLLERS: Requirement[] = ["root", "controller:memory", "controller:pids", "controller:cpu", "controller:io"];

const here = missing(CONTROLLERS) === undefined;
const lacks = missing(["root", "vm"]);
const skip = here ? "the host has the controllers" : lacks !== undefined && !mustWork(["vm"]) ? lacks : false;

void test(
  "in the virtual machine the tests of cgroups and of many containers hold, and none is skipped for a controller",
  { skip },
  () => {
    const { output, failed, pass } = runInVm(["test/container/cgroups.test.ts", "test/container/many.test.ts"], {
      timeout: 300,
    });
    assert.deepEqual(failed, [], output);
    assert.ok(pass > 25, output);
    assert.doesNotMatch(output, /# SKIP needs the cgroup controller/);
  },
);
