/** Several commands for one id at once. */
import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { test, type Box } from "../support/box.ts";
import { TSRUN } from "../support/runtime.ts";

test("creates, starts and deletes of one id at once, for some seconds, leave nothing", ["tsrun"], (box) => {
  const bundle = box.bundle(["sleep", "1000"]);
  const id = box.id();
  const rt = `${TSRUN} --root ${box.root}`;
  const loops = [
    ...Array<string>(3).fill(`${rt} create --bundle ${bundle} ${id} </dev/null`),
    ...Array<string>(3).fill(`${rt} delete --force ${id}`),
    `${rt} start ${id}`,
  ].map((command) => `(while [ $SECONDS -lt 5 ]; do ${command}; done) >/dev/null 2>&1 &`);
  const { status } = spawnSync("bash", ["-c", `${loops.join("\n")}\nwait`], {
    timeout: 60_000,
    env: box.environment(),
  });
  assert.equal(status, 0);
  // What is left now is one whole container or none.
  box.ok("delete", "--force", id);
});

test(
  "a create that was killed before it had a process of its own does not take another container's cgroup with it",
  ["tsrun", "tool:strace"],
  (box) => {
    const cgroupsPath = `/of-${box.mark}/${box.mark}-shared`;
    const { id } = box.create(["sleep", "1000"], ({ linux }) => (linux.cgroupsPath = cgroupsPath));
    const bundle = box.bundle(["sleep", "1000"], ({ linux }) => (linux.cgroupsPath = cgroupsPath));
    const other = box.id();
    const inject = ["-qq", "-o", "/dev/null", "-e", "trace=openat2", "-e", "inject=openat2:signal=KILL:when=1"];
    spawnSync("strace", [...inject, TSRUN, "--root", box.root, "create", "--bundle", bundle, other], {
      timeout: 20_000,
      env: box.environment(),
    });
    box.ok("delete", "--force", other);
    assert.equal(box.state(id).status, "created");
  },
);

test("a cgroup that the command itself is in is refused", ["tsrun"], (box) => {
  for (const path of ["/", "/..", "."]) {
    const bundle = box.bundle("true", ({ linux }) => (linux.cgroupsPath = path));
    const { status, stderr } = box.tsrun(["create", "--bundle", bundle, box.id()]);
    assert.equal(status, 1, path);
    assert.match(stderr, /linux\.cgroupsPath/);
  }
});

/** Calls the runtime under strace, which kills whoever makes the system call `deadly`. */
function killedAt(box: Box, deadly: string, ...args: string[]): SpawnSyncReturns<string> {
  const kill = ["-f", "-o", "/dev/null", "-e", `trace=${deadly}`, "-e", `inject=${deadly}:signal=KILL`];
  return spawnSync("strace", [...kill, TSRUN, "--root", box.root, ...args], { encoding: "utf8" });
}

test("what is killed before it is ready has not run: run and exec say so", ["tsrun", "tool:strace"], (box) => {
  const ran = killedAt(box, "pivot_root", "run", "--bundle", box.bundle("true"), box.id());
  assert.equal(ran.status, 1);
  assert.match(ran.stderr, /ended before it was ready/);
  const { id } = box.started(["sleep", "1000"]);
  const executed = killedAt(box, "setresuid", "exec", id, "true");
  assert.equal(executed.status, 255);
  assert.match(executed.stderr, /ended before it was ready/);
});
