/** Limits that flags set: they need cgroup controllers, which the virtual machine has where the host has not. */
import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import { Store } from "./images.ts";

/** Takes so much memory in one process, for a block. */
const TAKE_90_MB = "dd if=/dev/zero of=/dev/null bs=90000000 count=1 2>/dev/null && echo survived";

test(
  "flags become the files of the cgroup",
  ["controller:memory", "controller:pids", "controller:cpu"],
  async (box) => {
    const store = new Store(box);
    await store.load();
    const flags = ["--memory", "64m", "--pids-limit", "20", "--cpus", "1.5"];
    const seen = store.says("cd /sys/fs/cgroup; cat memory.max pids.max cpu.max", ...flags);
    assert.equal(seen, `${64 << 20}\n20\n150000 100000`);
  },
);

test("a container that takes more memory than --memory is killed", ["controller:memory"], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.equal(store.sh(TAKE_90_MB, ["--memory", "32m"]).status, 137);
  assert.equal(store.sh(TAKE_90_MB, ["--memory", "512m"]).stdout, "survived\n");
});

test("a container has no more processes than --pids-limit", ["controller:pids"], async (box) => {
  const store = new Store(box);
  await store.load();
  const { stderr } = store.sh("for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait", ["--pids-limit", "5"]);
  assert.match(stderr, /can't fork/);
});

test("a container that takes more time than --cpus is throttled", ["controller:cpu"], async (box) => {
  const store = new Store(box);
  await store.load();
  const spin = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; sed -n 's/^nr_throttled //p' /sys/fs/cgroup/cpu.stat";
  assert.ok(Number(store.says(spin, "--cpus", "0.1")) > 0);
});

test("a device that is not among the default ones is denied", [], async (box) => {
  const store = new Store(box);
  await store.load();
  // Anybody with CAP_MKNOD may make it; the device filter says what it is good for.
  assert.match(store.sh("mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg").stderr, /not permitted/);
  assert.equal(store.says("mknod /tmp/zero c 1 5 && head -c 3 /tmp/zero | wc -c"), "3");
});
