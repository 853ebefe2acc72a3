import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { eventually, textOf } from "../support/runtime.ts";
import { Terminal } from "../support/terminal.ts";

test("create leaves the process waiting, and nothing of args has run", [], (box) => {
  const container = box.create("echo ran");
  assert.equal(box.state(container.id).status, "created");
  assert.equal(container.output(), "");
});

test("start runs the process", [], async (box) => {
  const container = box.started("echo ran");
  await eventually(() => container.output() === "ran\n", "its output");
});

test("exec.fifo is there exactly while the container is created", [], (box) => {
  const { id } = box.create("sleep 100");
  const fifo = join(box.root, id, "exec.fifo");
  assert.ok(statSync(fifo).isFIFO());
  box.ok("start", id);
  assert.equal(existsSync(fifo), false);
});

test("the state folder is for its owner: 0700, and 0711 for each container's", [], (box) => {
  const { id } = box.create("true");
  assert.equal(statSync(box.root).mode & 0o777, 0o700);
  assert.equal(statSync(join(box.root, id)).mode & 0o777, 0o711);
});

test("the pid file holds the pid of init, without a newline", [], (box) => {
  const path = box.path("pid");
  const { id } = box.create("sleep 100", undefined, ["--pid-file", path]);
  const pid = textOf(path);
  assert.match(pid, /^\d+$/);
  assert.equal(box.state(id).pid, Number(pid));
});

// runc since 1.3.
test("--pidfd-socket gets a pidfd of init, with the word standard", ["tsrun", "tool:python3"], async (box) => {
  const socket = box.path("pidfd.sock");
  const listening = await Terminal.listen(socket);
  box.create("sleep 100", undefined, ["--pidfd-socket", socket]);
  const { name, messages, fds, more } = await listening.received();
  assert.deepEqual({ name, messages, fds, more }, { name: "standard", messages: 1, fds: 1, more: 0 });
  listening.close();
});

test("init outlives create, and its cgroup holds it when create returns", [], (box) => {
  const { id } = box.create("sleep 100");
  const { pid } = box.state(id);
  assert.match(textOf(`/proc/${pid}/cgroup`), new RegExp(`^0::.*/${box.mark}-of\\d+$`, "m"));
});

test("without cgroupsPath the cgroup has the container's name", [], (box) => {
  const { id } = box.create("sleep 100", ({ linux }) => delete linux.cgroupsPath);
  assert.match(textOf(`/proc/${box.state(id).pid}/cgroup`), new RegExp(`^0::.*/${id}$`, "m"));
});

test("state tells version, id, pid, status, bundle, rootfs, time and annotations", [], (box) => {
  const { id, bundle } = box.started("sleep 100", (config) => {
    config.annotations = { "org.example.color": "blue", empty: "" };
  });
  const { ociVersion, created, pid, ...rest } = box.state(id);
  assert.match(ociVersion, /^1\.\d+\.\d+/);
  assert.match(created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.ok(Math.abs(Date.parse(created) - Date.now()) < 60_000, created);
  assert.ok(existsSync(`/proc/${pid}`));
  assert.deepEqual(rest, {
    id,
    status: "running",
    bundle,
    rootfs: join(bundle, "rootfs"),
    annotations: { "org.example.color": "blue", empty: "" },
    owner: "",
  });
});

test("state leaves annotations out where there are none", [], (box) => {
  assert.equal("annotations" in box.state(box.create("true").id), false);
});

test("a container whose process has ended is stopped, with pid 0", [], async (box) => {
  const { id } = box.started("true");
  const { pid } = await box.reaches(id, "stopped");
  assert.equal(pid, 0);
});

test("delete of a stopped container takes all of it away", [], async (box) => {
  const { id } = box.started("true");
  await box.reaches(id, "stopped");
  box.ok("delete", id);
  assert.deepEqual(box.settled(), []);
});

test("delete refuses a running container and leaves it alone", [], (box) => {
  const { id } = box.started("sleep 100");
  const { status, stderr } = box.tsrun(["delete", id]);
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`cannot delete container ${id} that is not stopped: running`));
  assert.equal(box.state(id).status, "running");
});

test("delete ends a container that is only created", [], (box) => {
  const { id } = box.create("sleep 100");
  box.ok("delete", id);
  assert.deepEqual(box.settled(), []);
});

test("delete --force ends a running container with all its processes", [], (box) => {
  const { id } = box.started("sleep 100 & sleep 100 & wait");
  box.ok("delete", "--force", id);
  assert.deepEqual(box.settled(), []);
});

// runc 1.1.5 leaves the cgroup.
test("delete --force also ends what outlived init, where the host's pid namespace is used", ["tsrun"], async (box) => {
  const { id } = box.started("(setsid sleep 100 &) ; sleep 0.1", ({ linux }) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== "pid");
  });
  await box.reaches(id, "stopped");
  box.ok("delete", "--force", id);
  assert.deepEqual(box.settled(), []);
});

test("delete accepts its flag after the id", [], (box) => {
  box.ok("delete", box.started("sleep 100").id, "--force");
});

test("delete of a missing container does not exist; with --force that is no error", [], (box) => {
  const { status, stderr } = box.tsrun(["delete", box.id()]);
  assert.equal(status, 1);
  assert.match(stderr, /does not exist/);
  box.ok("delete", "--force", box.id());
});

test("a second container of the same id is refused, and the first one lives on", [], (box) => {
  const { id, bundle } = box.started("sleep 100");
  const { status, stderr } = box.tsrun(["create", "--bundle", bundle, id]);
  assert.equal(status, 1);
  assert.match(stderr, /exists?/);
  assert.equal(box.state(id).status, "running");
});

test("an id can be used again after delete", [], async (box) => {
  const { id, bundle } = box.started("true");
  await box.reaches(id, "stopped");
  box.ok("delete", id);
  const again = box.tsrun(["run", "--bundle", bundle, id]);
  assert.equal(again.status, 0, again.stderr);
});

test("start of a running container is refused", [], (box) => {
  const { id } = box.started("sleep 100");
  const { status, stderr } = box.tsrun(["start", id]);
  assert.equal(status, 1);
  assert.match(stderr, /cannot start an already running container/);
});

test("start of a stopped container is refused", [], async (box) => {
  const { id } = box.started("true");
  await box.reaches(id, "stopped");
  const { status, stderr } = box.tsrun(["start", id]);
  assert.equal(status, 1);
  assert.match(stderr, /cannot start a container that has stopped/);
});

test("every command that names a missing container says that it does not exist", [], (box) => {
  for (const command of [["start"], ["state"], ["kill"], ["ps"]]) {
    const { status, stderr } = box.tsrun([...command, box.id()]);
    assert.equal(status, 1, command.join(" "));
    assert.match(stderr, /container does not exist/, command.join(" "));
  }
});

test("a bundle that is the working folder needs no --bundle", [], (box) => {
  const { status, stderr } = box.tsrun(["run", box.id()], { cwd: box.bundle("true") });
  assert.equal(status, 0, stderr);
});

test("a relative --bundle is taken from the working folder, and state knows it absolute", [], (box) => {
  const bundle = box.bundle("sleep 100");
  const id = box.id();
  const { status, stderr } = box.tsrun(["create", "--bundle", "rootfs/..", id], { cwd: bundle, output: box.path("o") });
  assert.equal(status, 0, stderr);
  assert.equal(box.state(id).bundle, bundle);
});

// runc has no lock: several win.
test("twenty creates of one id at once: one wins, and nothing of the others stays", ["tsrun"], async (box) => {
  const bundle = box.bundle("sleep 100");
  const id = box.id();
  const all = Array.from({ length: 20 }, (_, n) =>
    box.begin(["create", "--bundle", bundle, id], { output: box.path(`create${n}`) }),
  );
  const results = await Promise.all(all.map(({ ended }) => ended));
  assert.deepEqual(
    results.map(({ status }) => status).toSorted((one, other) => one - other),
    [0, ...Array.from({ length: 19 }, () => 1)],
    results.map(({ stderr }) => stderr).join(""),
  );
  assert.equal(box.state(id).status, "created");
});

test("an id has 240 characters at most, of letters, digits and _ + . -", ["tsrun"], (box) => {
  const bundle = box.bundle("true");
  const longest = `${box.mark}${"x".repeat(240 - box.mark.length)}`;
  assert.equal(box.tsrun(["run", "--bundle", bundle, longest]).status, 0);
  for (const id of [`${longest}x`, "a/b", "..", "a b", "a~deleted", "é"]) {
    const { status, stderr } = box.tsrun(["run", "--bundle", bundle, id]);
    assert.equal(status, 1, id);
    assert.match(stderr, /invalid container ID format/);
  }
});

test("annotations of more than a mebibyte are refused, and nothing is left", ["tsrun"], (box) => {
  const { status, stderr } = box.run("true", (config) => {
    config.annotations = { large: "x".repeat(1 << 20) };
  });
  assert.equal(status, 1);
  assert.match(stderr, /annotations must not be larger than 1 MiB together/);
});

test("a container of another boot has stopped, whoever has its pid now", ["tsrun"], (box) => {
  const { id } = box.started(["sleep", "1000"]);
  const file = join(box.root, id, "state.json");
  const now = readFileSync(file, "utf8");
  const state = JSON.parse(now) as { boot: string };
  writeFileSync(file, JSON.stringify({ ...state, boot: "00000000-0000-0000-0000-000000000000" }));
  assert.equal(box.state(id).status, "stopped");
  assert.equal(box.tsrun(["kill", id, "KILL"]).status, 1);
  writeFileSync(file, now);
  assert.equal(box.state(id).status, "running");
});

test("a container whose pid is a thread's now has stopped, for every command", ["tsrun"], (box) => {
  const { id } = box.started(["sleep", "1000"]);
  const file = join(box.root, id, "state.json");
  const now = readFileSync(file, "utf8");
  // The engine of the tests has several threads.
  const thread = readdirSync("/proc/self/task")
    .map(Number)
    .find((each) => each !== process.pid);
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(now) as object), pid: thread }));
  assert.equal(box.state(id).status, "stopped");
  assert.match(box.tsrun(["kill", id, "KILL"]).stderr, /container not running/);
  assert.match(box.tsrun(["exec", id, "true"]).stderr, /cannot exec in a stopped container/);
  box.ok("delete", id);
});
