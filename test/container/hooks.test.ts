import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import type { Box, State } from "../support/box.ts";
import type { Config, Hook, HookStage } from "../support/config.ts";
import { eventually, textOf } from "../support/runtime.ts";

const STAGES: HookStage[] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/** A hook that runs a script of the host's sh, with the stage in $1. */
function hook(stage: HookStage, script: string, more: Partial<Hook> = {}): Hook {
  return { path: "/bin/sh", args: ["sh", "-c", script, "hook", stage], env: ["PATH=/bin:/usr/bin"], ...more };
}

/** The same hook for each stage. All of them find the log, also those that run inside: it is bound there. */
function logged(box: Box, script: string, stages: readonly HookStage[] = STAGES) {
  const log = box.path("log");
  box.file("log", "");
  chmodSync(log, 0o666);
  const tweak = (config: Config) => {
    config.mounts.push({ destination: log, type: "bind", source: log, options: ["bind"] });
    config.hooks = Object.fromEntries(stages.map((stage) => [stage, [hook(stage, script.replaceAll("LOG", log))]]));
  };
  return { log, tweak, lines: () => textOf(log).trimEnd().split("\n").filter(Boolean) };
}

test("all six hooks run, each in its order and at its command", [], async (box) => {
  const { tweak, lines } = logged(box, "cat > /dev/null; echo $1 >> LOG");
  const { id } = box.create(["sleep", "1000"], tweak);
  const atCreate = lines();
  assert.deepEqual(atCreate.slice(0, 3), ["prestart", "createRuntime", "createContainer"]);
  box.ok("start", id);
  await eventually(() => lines().length === 5, "the hooks of start");
  assert.deepEqual([...lines()].toSorted(), STAGES.filter((stage) => stage !== "poststop").toSorted());
  box.ok("delete", "--force", id);
  assert.deepEqual(lines().slice(5), ["poststop"]);
});

// runc 1.1.5 runs them at the end of create, which #5186 corrects.
test("poststart hooks run at start, when the process has been started, with status running", ["tsrun"], (box) => {
  const { tweak, lines } = logged(box, 'echo $1 $(grep -o \'"status": *"[a-z]*"\') >> LOG', [
    "startContainer",
    "poststart",
  ]);
  const { id } = box.create(["sleep", "1000"], tweak);
  assert.deepEqual(lines(), []);
  box.ok("start", id);
  const [first = "", second = "", ...more] = lines();
  assert.match(first, /^startContainer /);
  assert.match(second, /^poststart .*"running"$/);
  assert.deepEqual(more, []);
});

test("run calls them all", [], (box) => {
  const { tweak, lines } = logged(box, "cat > /dev/null; echo $1 >> LOG");
  assert.equal(box.run("sleep 0.3", tweak).status, 0);
  assert.deepEqual(lines().toSorted(), [...STAGES].toSorted());
});

test("several hooks of one stage run in the order of config.json", [], (box) => {
  const log = box.path("log");
  box.create("true", (config) => {
    config.hooks = { createRuntime: [1, 2, 3].map((n) => hook("createRuntime", `echo ${n} >> ${log}`)) };
  });
  assert.equal(readFileSync(log, "utf8"), "1\n2\n3\n");
});

test("each hook has the state on stdin: version, id, status, pid, bundle, annotations", [], async (box) => {
  const { tweak, lines } = logged(box, 'printf "%s\\t%s\\n" $1 "$(cat | tr -d "\\n")" >> LOG');
  const { id, bundle } = box.create(["sleep", "1000"], (config) => {
    tweak(config);
    config.annotations = { color: "blue" };
  });
  const { pid } = box.state(id);
  box.ok("start", id);
  await eventually(() => lines().length === 5, "the hooks of start");
  box.ok("delete", "--force", id);
  const states = new Map(
    lines().map((line) => [line.split("\t")[0] ?? "", JSON.parse(line.split("\t")[1] ?? "") as State]),
  );
  assert.deepEqual([...states.keys()].toSorted(), [...STAGES].toSorted());
  for (const [stage, state] of states) {
    assert.equal(state.id, id, stage);
    assert.equal(state.bundle, bundle, stage);
    assert.deepEqual(state.annotations, { color: "blue" }, stage);
    assert.match(state.ociVersion, /^1\./, stage);
  }
  assert.equal(states.get("prestart")?.pid, pid);
  assert.equal(states.get("createRuntime")?.pid, pid);
  assert.equal(states.get("poststart")?.pid, pid);
  const status = (stage: string) => states.get(stage)?.status as string;
  assert.match(status("createRuntime"), /^creat(ing|ed)$/);
  assert.match(status("createContainer"), /^creat(ing|ed)$/);
  assert.match(status("startContainer"), /^(created|running)$/);
  assert.equal(status("poststop"), "stopped");
});

test("a hook has the environment and the arguments of config.json only", [], (box) => {
  const log = box.path("log");
  const path = box.file("hook", `#!/bin/sh\n{ echo "$0|$1|$2"; tr '\\0' '\\n' < /proc/$$/environ; } > ${log}\n`);
  chmodSync(path, 0o755);
  box.create(
    "true",
    (config) => (config.hooks = { createRuntime: [{ path, args: ["zero", "a b", ""], env: ["ONLY=this"] }] }),
  );
  const [args, ...env] = readFileSync(log, "utf8").trimEnd().split("\n");
  assert.match(args ?? "", /\|a b\|$/);
  assert.deepEqual(env, ["ONLY=this"]);
});

// runc gives it the runtime's own.
test("a hook without env has none of the runtime's", ["tsrun"], (box) => {
  const log = box.path("log");
  box.create("true", (config) => {
    const args = ["sh", "-c", `/bin/busybox tr '\\0' '\\n' < /proc/$$/environ > ${log}`];
    config.hooks = { createRuntime: [{ path: "/bin/sh", args }] };
  });
  assert.doesNotMatch(readFileSync(log, "utf8"), /TSRUN_TEST|PATH=|HOME=/);
});

test(
  "prestart and createRuntime run in the host's namespaces, createContainer and startContainer in the container's",
  [],
  async (box) => {
    const { tweak, lines } = logged(box, "cat > /dev/null; echo $1 $(readlink /proc/self/ns/mnt) >> LOG");
    const { id } = box.create(["sleep", "1000"], tweak);
    const inside = box.exec(id, "readlink /proc/self/ns/mnt").stdout.trim();
    box.ok("start", id);
    await eventually(() => lines().length === 5, "the hooks of start");
    box.ok("delete", "--force", id);
    const seen = Object.fromEntries(lines().map((line) => line.split(" "))) as Record<string, string>;
    const host = seen["prestart"];
    assert.notEqual(host, inside);
    assert.deepEqual(seen, {
      prestart: host,
      createRuntime: host,
      createContainer: inside,
      startContainer: inside,
      poststart: host,
      poststop: host,
    });
  },
);

test("createContainer sees the host's root still, startContainer the container's", [], (box) => {
  const { tweak, lines } = logged(
    box,
    `cat > /dev/null; test -e ${box.dir}/bundle1 && echo $1 host >> LOG || echo $1 own >> LOG`,
    ["createContainer", "startContainer"],
  );
  assert.equal(box.run("true", tweak).status, 0);
  assert.deepEqual(lines(), ["createContainer host", "startContainer own"]);
});

test("a createRuntime hook reaches the new network namespace by the pid of the state", [], (box) => {
  const log = box.path("log");
  const script = `pid=$(cat | sed 's/.*"pid": *\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/net > ${log}`;
  const { id } = box.create(["sleep", "1000"], (config) => {
    config.hooks = { createRuntime: [hook("createRuntime", script)] };
  });
  assert.equal(box.exec(id, "readlink /proc/self/ns/net").stdout, readFileSync(log, "utf8"));
});

for (const stage of ["prestart", "createRuntime", "createContainer"] as const) {
  test(`a ${stage} hook that fails makes create fail, and nothing is left`, [], (box) => {
    const bundle = box.bundle("true", (config) => {
      config.hooks = { [stage]: [hook(stage, "cat > /dev/null; echo because >&2; exit 3")] };
    });
    const { status, stderr } = box.tsrun(["create", "--bundle", bundle, box.id()]);
    assert.equal(status, 1);
    assert.match(stderr, /hook/);
    assert.deepEqual(box.settled(), []);
  });
}

test("a startContainer hook that fails keeps the process from running", [], async (box) => {
  const container = box.create("echo ran", (config) => {
    config.hooks = { startContainer: [hook("startContainer", "exit 3")] };
  });
  box.tsrun(["start", container.id]);
  await box.reaches(container.id, "stopped");
  assert.equal(container.output(), "");
});

test("a poststop hook that fails does not keep delete from its work", [], (box) => {
  const { id } = box.create("true", (config) => (config.hooks = { poststop: [hook("poststop", "exit 3")] }));
  box.ok("delete", "--force", id);
  assert.deepEqual(box.settled(), []);
});

// runc 1.1.5 does not.
test("poststop hooks run too, where create failed after the runtime's hooks", ["tsrun"], (box) => {
  const { tweak, lines } = logged(box, "cat > /dev/null; echo $1 >> LOG", ["createRuntime", "poststop"]);
  assert.equal(box.run(["/no/such/program"], tweak).status, 1);
  assert.deepEqual(lines(), ["createRuntime", "poststop"]);
});

test("a hook that takes longer than its timeout is killed, and has failed", [], (box) => {
  const bundle = box.bundle("true", (config) => {
    config.hooks = { createRuntime: [hook("createRuntime", "exec sleep 50", { timeout: 1 })] };
  });
  const began = Date.now();
  const { status } = box.tsrun(["create", "--bundle", bundle, box.id()]);
  assert.equal(status, 1);
  assert.ok(Date.now() - began < 15_000);
  assert.deepEqual(box.settled(), []);
});

test("a hook that does not read its stdin is no failure", [], (box) => {
  assert.equal(box.run("true", (config) => (config.hooks = { createRuntime: [{ path: "/bin/true" }] })).status, 0);
});

test("a hook of a relative path, or one that is missing, is refused", [], (box) => {
  for (const path of ["bin/true", "/no/such/hook"]) {
    assert.equal(box.run("true", (config) => (config.hooks = { createRuntime: [{ path }] })).status, 1, path);
    assert.deepEqual(box.settled(), []);
  }
});

test("a startContainer hook is a program of the container's", [], (box) => {
  const bundle = box.bundle("cat /made", (config) => {
    config.hooks = { startContainer: [{ path: "/hooks/make", args: ["make"], env: ["PATH=/bin"] }] };
  });
  mkdirSync(join(bundle, "rootfs/hooks"));
  writeFileSync(join(bundle, "rootfs/hooks/make"), "#!/bin/sh\necho made > /made\n", { mode: 0o755 });
  assert.equal(box.tsrun(["run", "--bundle", bundle, box.id()]).stdout, "made\n");
});

test("a timeout counts, too, where a hook does not read a state that is larger than a pipe", [], (box) => {
  const bundle = box.bundle("true", (config) => {
    config.annotations = { large: "x".repeat(200_000) };
    config.hooks = { createRuntime: [hook("createRuntime", "exec sleep 50", { timeout: 1 })] };
  });
  const began = Date.now();
  assert.equal(box.tsrun(["create", "--bundle", bundle, box.id()]).status, 1);
  assert.ok(Date.now() - began < 15_000);
});

test("a hook reads all of a state that is larger than a pipe", [], (box) => {
  const log = box.path("log");
  box.create("true", (config) => {
    config.annotations = { large: "x".repeat(200_000) };
    config.hooks = { createRuntime: [hook("createRuntime", `sleep 0.2; tr -dc x | wc -c > ${log}`)] };
  });
  assert.ok(Number(readFileSync(log, "utf8")) >= 200_000);
});

// runc waits for the end of the pipes.
test("a hook has ended when its process has, though a child of it writes on", ["tsrun"], (box) => {
  const began = Date.now();
  const result = box.run("true", (config) => {
    config.hooks = { createRuntime: [hook("createRuntime", "(while :; do echo on; done) & echo because >&2; exit 3")] };
  });
  assert.equal(result.status, 1);
  assert.match(result.stderr, /stderr: because/);
  assert.ok(Date.now() - began < 5000);
  assert.deepEqual(box.settled(), []);
});

test("hooks of the runtime's run in the bundle", ["tsrun"], async (box) => {
  const stages = STAGES.filter((stage) => stage !== "startContainer");
  const { tweak, lines } = logged(box, "cat > /dev/null; echo $1 $(pwd) >> LOG", stages);
  const { id, bundle } = box.create(["sleep", "1000"], tweak);
  box.ok("start", id);
  await eventually(() => lines().length === 4, "the hooks of start");
  box.ok("delete", "--force", id);
  assert.deepEqual(lines().toSorted(), stages.map((stage) => `${stage} ${bundle}`).toSorted());
});
