/** What tsrun does not do yet it refuses by name, before it has done anything: nothing is silently left out. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";

/** Where it stands in config.json, and what is written there. */
const NOT_DONE: [path: string, value: unknown][] = [
  ["process.apparmorProfile", "profile"],
  ["process.selinuxLabel", "system_u:system_r:container_t:s0"],
  ["process.scheduler", { policy: "SCHED_FIFO", priority: 10 }],
  ["process.ioPriority", { class: "IOPRIO_CLASS_IDLE", priority: 0 }],
  ["process.execCPUAffinity", { initial: "0" }],
  ["linux.timeOffsets", { monotonic: { secs: 1, nanosecs: 0 } }],
  ["linux.intelRdt", { l3CacheSchema: "L3:0=f" }],
  ["linux.personality", { domain: "LINUX32" }],
  ["linux.mountLabel", "system_u:object_r:container_file_t:s0"],
  ["linux.resources.rdma", { mlx5_1: { hcaHandles: 3 } }],
  ["linux.resources.network", { classID: 1_048_577 }],
  ["linux.memoryPolicy", { mode: "MPOL_DEFAULT" }],
  ["linux.netDevices", { eth9: {} }],
  ["linux.seccomp.listenerPath", "/run/listener.sock"],
  ["linux.namespaces.0.type", "time"],
  ["linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY"],
];

for (const [path, value] of NOT_DONE) {
  // runc does some of these. A line goes away when tsrun does it too.
  test(`${path} ${JSON.stringify(value)} is refused by its name`, ["tsrun"], (box) => {
    const bundle = box.bundle("true", ({ linux }) => {
      linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] };
    });
    const file = join(bundle, "config.json");
    const config: Record<string, unknown> = JSON.parse(readFileSync(file, "utf8"));
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    const parent = keys.reduce((object, key) => object[key] as Record<string, unknown>, config);
    parent[last] = value;
    writeFileSync(file, JSON.stringify(config));
    const { status, stderr } = box.tsrun(["create", "--bundle", bundle, box.id()], { output: box.path("create") });
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`\\b${last}\\b`));
    assert.deepEqual(box.settled(), []);
  });
}

test("--systemd-cgroup is refused with a clear word", ["tsrun"], (box) => {
  const bundle = box.bundle("true", ({ linux }) => (linux.cgroupsPath = `system.slice:tsrun:${box.mark}`));
  const { status, stderr } = box.tsrun(["--systemd-cgroup", "run", "--bundle", bundle, box.id()]);
  assert.equal(status, 1);
  assert.match(stderr, /systemd/);
  assert.deepEqual(box.settled(), []);
});

test("a field of an unknown name is passed over, as the specification asks", [], (box) => {
  const bundle = box.bundle("echo ran");
  const file = join(bundle, "config.json");
  const config: Record<string, unknown> = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...config, "org.example.unknown": { any: [1, "thing"] } }));
  assert.equal(box.tsrun(["run", "--bundle", bundle, box.id()]).stdout, "ran\n");
});
