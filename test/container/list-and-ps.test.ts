import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import type { State } from "../support/box.ts";
import { run, TSRUN } from "../support/runtime.ts";

test("list has a header and a line for each container", [], async (box) => {
  const { id, bundle } = box.started("sleep 100");
  const stopped = box.started("true").id;
  await box.reaches(stopped, "stopped");
  const [header, ...lines] = box.ok("list").stdout.trimEnd().split("\n");
  assert.match(header ?? "", /^ID\s+PID\s+STATUS\s+BUNDLE\s+CREATED\s+OWNER$/);
  assert.equal(lines.length, 2);
  const line = lines.find((each) => each.startsWith(id)) ?? "";
  assert.match(line, new RegExp(`^${id}\\s+${box.state(id).pid}\\s+running\\s+${bundle}\\s+\\S+Z\\s+root$`));
  assert.match(lines.find((each) => each.startsWith(stopped)) ?? "", /\s0\s+stopped\s/);
});

test("list --quiet prints ids only", [], (box) => {
  const ids = [box.create("true").id, box.create("true").id];
  assert.deepEqual(box.ok("list", "--quiet").stdout.trimEnd().split("\n").toSorted(), ids.toSorted());
  assert.deepEqual(box.ok("list", "-q").stdout, box.ok("list", "--quiet").stdout);
});

test("list --format json is an array of states with their owner, or null", [], (box) => {
  box.ok("delete", "--force", box.create("true").id);
  assert.equal(box.ok("list", "--format", "json").stdout.trim(), "null");
  const { id } = box.create("true");
  const [state, more] = JSON.parse(box.ok("list", "--format=json").stdout) as State[];
  assert.equal(more, undefined);
  assert.deepEqual({ ...state, owner: "" }, box.state(id));
  assert.equal(state?.owner, "root");
});

test("list refuses another format", [], (box) => {
  box.create("true");
  assert.equal(box.tsrun(["list", "--format", "xml"]).status, 1);
});

// runc 1.1.5 makes the folder.
test("list of a state folder that does not exist is an error", ["tsrun"], (box) => {
  assert.equal(run([TSRUN, "--root", box.path("nothing"), "list"], box.dir).status, 1);
});

test("ps --format json is an array of the host's pids", [], (box) => {
  const { id } = box.started(["sleep", "100"]);
  const pids = () => JSON.parse(box.ok("ps", "--format", "json", id).stdout) as number[];
  assert.deepEqual(pids(), [box.state(id).pid]);
});

test("ps prints the host's table with the container's processes only", ["ps"], (box) => {
  const { id } = box.started(["sleep", "100"]);
  const lines = box.ok("ps", id).stdout.trimEnd().split("\n");
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? "", /\bPID\b/);
  assert.match(lines[1] ?? "", new RegExp(`\\b${box.state(id).pid}\\b.*sleep 100$`));
});

test("ps hands further arguments to the host's ps", ["ps"], (box) => {
  const { id } = box.started(["sleep", "100"]);
  const lines = box.ok("ps", id, "-e", "-o", "pid,comm").stdout.trimEnd().split("\n");
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? "", /^\s*\d+ sleep$/);
});

test("features has what CRI-O and containerd look for", [], (box) => {
  const features = JSON.parse(run([TSRUN, "features"], box.dir).stdout);
  assert.match(features.ociVersionMin, /^1\./);
  assert.match(features.ociVersionMax, /^1\./);
  assert.deepEqual(features.hooks, [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
  ]);
  for (const option of ["ro", "rbind", "nosuid", "rprivate", "rslave", "tmpcopyup"]) {
    assert.ok(features.mountOptions.includes(option), option);
  }
  for (const type of ["pid", "network", "mount", "ipc", "uts", "user", "cgroup"]) {
    assert.ok(features.linux.namespaces.includes(type), type);
  }
  assert.ok(features.linux.capabilities.includes("CAP_CHECKPOINT_RESTORE"));
  assert.equal(features.linux.cgroup.v2, true);
  assert.equal(features.linux.seccomp.enabled, true);
});

// Since runc 1.1: rro stands for recursive read-only mounts of Kubernetes.
test("features names rro and the annotations that may be unsafe", ["tsrun"], (box) => {
  const features = JSON.parse(run([TSRUN, "features"], box.dir).stdout);
  assert.ok(features.mountOptions.includes("rro"));
  assert.equal(features.linux.cgroup.v1, false);
  assert.ok(Array.isArray(features.potentiallyUnsafeConfigAnnotations));
});
