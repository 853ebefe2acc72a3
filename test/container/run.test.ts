import assert from "node:assert/strict";
import { existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { namespace } from "../support/config.ts";
import { eventually, run, textOf } from "../support/runtime.ts";

test("run ends with the exit code of the process", [], (box) => {
  for (const code of [0, 1, 7, 255]) assert.equal(box.run(`exit ${code}`).status, code);
});

test("run ends with 128+n, where signal n ended the process", [], (box) => {
  // A signal without a handler does not reach pid 1 of a pid namespace from inside.
  for (const signal of [9, 15]) {
    assert.equal(box.run(`kill -${signal} $$`, (config) => namespace(config, "pid")).status, 128 + signal);
  }
});

test("run hands stdin, stdout and stderr through", [], (box) => {
  const { stdout, stderr } = box.run("cat; echo to stderr >&2", undefined, { input: "from stdin\n" });
  assert.equal(stdout, "from stdin\n");
  assert.equal(stderr, "to stderr\n");
});

test("run passes a megabyte through", [], (box) => {
  const input = "0123456789abcde\n".repeat(65_536);
  assert.equal(box.run(["cat"], undefined, { input }).stdout, input);
});

test("run deletes the container when it ends", [], (box) => {
  box.run("exit 3");
  assert.deepEqual(box.settled(), []);
});

test("run --keep leaves it stopped", [], (box) => {
  const id = box.id();
  assert.equal(box.tsrun(["run", "--keep", "--bundle", box.bundle("exit 3"), id]).status, 3);
  assert.equal(box.state(id).status, "stopped");
  box.ok("delete", id);
});

test("run of an id that there is already leaves that container alone", [], (box) => {
  const { id, bundle } = box.started("sleep 100");
  assert.equal(box.tsrun(["run", "--bundle", bundle, id]).status, 1);
  assert.equal(box.state(id).status, "running");
});

test("run --detach returns while the container runs", [], async (box) => {
  const [id, bundle, pidFile] = [box.id(), box.bundle("echo ran; sleep 100"), box.path("pid")];
  const output = box.path("output");
  const args = ["run", "--detach", "--pid-file", pidFile, "--bundle", bundle, id];
  assert.equal(box.tsrun(args, { output }).status, 0);
  assert.equal(box.state(id).status, "running");
  assert.equal(readFileSync(pidFile, "utf8"), String(box.state(id).pid));
  await eventually(() => textOf(`${output}.out`) === "ran\n", "its output");
});

test("run forwards signals, and takes the code that the container's handler gives", [], async (box) => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
    const trap = `trap 'echo got; exit 9' ${signal.slice(3)}; echo ready; while :; do sleep 0.02; done`;
    const running = box.begin(["run", "--bundle", box.bundle(trap), box.id()]);
    await eventually(() => running.read().stdout.includes("ready"), "its trap");
    running.child.kill(signal);
    const { status, stdout } = await running.ended;
    assert.deepEqual([signal, stdout, status], [signal, "ready\ngot\n", 9]);
  }
});

test("run whose process cannot be found fails with 1, names it, and leaves nothing", [], (box) => {
  const { status, stderr } = box.run(["/no/such/program"]);
  assert.equal(status, 1);
  assert.match(stderr, /\/no\/such\/program/);
  assert.match(stderr, /no such file or directory/);
  assert.deepEqual(box.settled(), []);
});

test("a name that is not on the container's PATH is: executable file not found", [], (box) => {
  const { status, stderr } = box.run(["no-such-program"]);
  assert.equal(status, 1);
  assert.match(stderr, /no-such-program.*executable file not found/);
});

test("a file that may not be executed is: permission denied", [], (box) => {
  const { status, stderr } = box.run(["/etc/passwd"]);
  assert.equal(status, 1);
  assert.match(stderr, /\/etc\/passwd.*permission denied/);
});

test("a folder in place of a program is refused with a word that docker knows", [], (box) => {
  const { status, stderr } = box.run(["/etc"]);
  assert.equal(status, 1);
  assert.match(stderr, /is a directory|permission denied/);
});

test("create, and not start, says that the program is missing", [], (box) => {
  const { status, stderr } = box.tsrun(["create", "--bundle", box.bundle(["nothing"]), box.id()]);
  assert.equal(status, 1);
  assert.match(stderr, /executable file not found/);
  assert.deepEqual(box.settled(), []);
});

test("args are looked up on the PATH of the container's env, not of the caller's", [], (box) => {
  for (const [path, status] of [
    ["/bin", 0],
    ["/nowhere", 1],
  ] as const) {
    assert.equal(box.run(["true"], ({ process }) => (process.env = [`PATH=${path}`])).status, status);
  }
});

test("run --no-pivot works", [], (box) => {
  // MS_MOVE and chroot; the process must still see its own root only.
  const { status, stdout, stderr } = box.run("ls /; test ! -e /work", undefined, { flags: ["--no-pivot"] });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^bin$/m);
});

test("run --no-new-keyring keeps the caller's session keyring", [], (box) => {
  assert.equal(box.run("true", undefined, { flags: ["--no-new-keyring"] }).status, 0);
});

test("--preserve-fds 2 hands over 3 and 4, and no others", [], (box) => {
  const extra = openThree(box.file("kept", "kept\n"));
  const { stdout, stderr } = box.run("cat <&4; ls /proc/self/fd", undefined, {
    flags: ["--preserve-fds", "2"],
    extra,
  });
  assert.equal(stderr, "");
  // 5 is ls's own, on /proc/self/fd.
  assert.equal(stdout, "kept\n0\n1\n2\n3\n4\n5\n");
});

test("descriptors of the caller's are not handed over otherwise", [], (box) => {
  const extra = openThree(box.file("kept", "kept\n"));
  // 3 is ls's own.
  assert.equal(box.run("ls /proc/self/fd", undefined, { extra }).stdout, "0\n1\n2\n3\n");
});

test("--preserve-fds more than there are is refused", [], (box) => {
  const { status, stderr } = box.run("true", undefined, { flags: ["--preserve-fds", "40"] });
  assert.equal(status, 1);
  assert.match(stderr, /preserved?-fd/);
  assert.deepEqual(box.settled(), []);
});

test("a relative root.path is taken from the bundle", [], (box) => {
  const bundle = box.bundle("true", ({ root }) => (root.path = "./rootfs/../rootfs"));
  assert.equal(box.tsrun(["run", "--bundle", bundle, box.id()]).status, 0);
  assert.ok(existsSync(join(bundle, "rootfs")));
});

function openThree(path: string): number[] {
  return [openSync(path, "r"), openSync(path, "r"), openSync(path, "r")];
}

test("descriptors of LISTEN_FDS are handed over, if LISTEN_PID is the runtime's, which is 1 inside", [], (box) => {
  const path = box.file("kept", "kept\n");
  const bundle = box.bundle("echo $LISTEN_FDS $LISTEN_PID; cat <&3");
  const started = (pid: string) => {
    const script = `export LISTEN_FDS=1 LISTEN_PID=${pid}; exec "$@"`;
    const command = ["sh", "-c", script, "sh", ...box.command("run", "--bundle", bundle, box.id())];
    return run(command, box.dir, { extra: [openSync(path, "r")], env: box.environment() }).stdout;
  };
  assert.equal(started("$$"), "1 1\nkept\n");
  assert.equal(started("1"), "\n");
});

test("run takes --no-subreaper, with one dash too, as go-runc writes it", [], (box) => {
  for (const flag of ["--no-subreaper", "-no-subreaper"]) {
    const { status, stderr } = box.run("true", undefined, { flags: [flag] });
    assert.equal(status, 0, stderr);
  }
});
