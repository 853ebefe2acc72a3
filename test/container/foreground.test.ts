import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Tweak } from "../support/config.ts";
import { eventually, run } from "../support/runtime.ts";
import type { Result } from "../support/runtime.ts";
import { Terminal } from "../support/terminal.ts";

const onTerminal: Tweak = ({ process }) => (process.terminal = true);

/** Has sh call the runtime, where `script` writes "$@". */
function inShell(box: Box, script: string, command: readonly string[]): Result {
  return run(["sh", "-c", script, "sh", ...command], box.dir, { env: box.environment() });
}

function runOnTerminal(box: Box, script: string, program: string): Result {
  return inShell(box, script, box.command("run", "--bundle", box.bundle(program, onTerminal), box.id()));
}

test("what the caller ignores or blocks the process does not, nor does one of exec", [], (box) => {
  const ignoring = "trap '' TERM PIPE CHLD USR1; exec \"$@\"";
  const shows = ["/bin/busybox", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];
  const nothing = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";
  const id = box.id();
  assert.equal(inShell(box, ignoring, box.command("run", "--bundle", box.bundle(shows), id)).stdout, nothing);
  const { id: running } = box.started(["sleep", "1000"]);
  assert.equal(inShell(box, ignoring, box.command("exec", running, ...shows)).stdout, nothing);
});

test(
  "what a terminal shows is complete, where the caller's stdout is non-blocking and read late",
  ["tool:python3"],
  (box) => {
    const late = `
import os, subprocess, sys, time
ours, theirs = os.pipe()
os.set_blocking(theirs, False)
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=theirs)
os.close(theirs)
time.sleep(1)
print(sum(iter(lambda: len(os.read(ours, 65536)), 0)), child.wait())
`;
    const bundle = box.bundle("seq 1 40000; exit 6", onTerminal);
    const command = ["python3", "-c", late, ...box.command("run", "--bundle", bundle, box.id())];
    // 228,894 digits, and \r\n for each line.
    assert.equal(run(command, box.dir, { env: box.environment() }).stdout, "268894 6\n");
  },
);

test("a process on a terminal goes on when the caller's stdout is closed", [], (box) => {
  const { stdout, stderr } = runOnTerminal(
    box,
    '{ "$@"; echo "ended with $?" >&2; } | head -n 1',
    "trap '' PIPE; seq 1 100000; exit 7",
  );
  assert.equal(stdout, "1\r\n");
  assert.equal(stderr, "ended with 7\n");
});

test("exec on a terminal ends with its process, whatever that has left behind", ["tsrun"], (box) => {
  const { id } = box.started(["sleep", "1000"]);
  const program = "trap '' HUP; yes & sleep 0.2; exit 3";
  const began = Date.now();
  assert.equal(box.exec(id, program, { flags: ["--tty"] }).status, 3);
  assert.ok(Date.now() - began < 3000);
});

test(
  "when the caller's terminal hangs up, the container is deleted at its end all the same",
  ["tool:python3"],
  async (box) => {
    const bundle = box.bundle("trap 'exit 4' HUP; echo ready; while :; do sleep 0.05; done", onTerminal);
    const terminal = Terminal.run(box.command("run", "--bundle", bundle, box.id()), box.path("tty"), box.environment());
    await terminal.shows("ready");
    terminal.close();
    await eventually(() => box.leftovers().length === 0, "the end of everything");
  },
);

test("an input that cannot be read has ended", [], (box) => {
  for (const redirection of ["0>/dev/null", "0<&-", "0</"]) {
    const { status, stdout, stderr } = runOnTerminal(box, `"$@" ${redirection}`, "cat; echo ended; exit 5");
    assert.deepEqual([redirection, stderr, status], [redirection, "", 5]);
    assert.match(stdout, /ended\r\n$/);
  }
  assert.deepEqual(box.settled(), []);
});

test("an output that cannot be written to is no reason to end", ["tool:python3"], (box) => {
  assert.equal(runOnTerminal(box, '"$@" >/dev/full', "seq 1 10000; exit 5").status, 5);
  assert.deepEqual(box.settled(), []);
});

// The numbers would go to files of the runtime's own, and its messages into those.
test("descriptors 0 to 2 that the caller has closed are /dev/null", [], (box) => {
  const bundle = box.bundle(
    `for n in 0 1 2; do readlink /proc/self/fd/$n; done > /tmp/fds; ls /proc/self/fd > /tmp/all`,
  );
  const command = box.command("run", "--bundle", bundle, box.id());
  const script = '"$@" <&- >&- 2>&-; code=$?; cat "$BUNDLE"/rootfs/tmp/fds "$BUNDLE"/rootfs/tmp/all; exit $code';
  const env = box.environment({ BUNDLE: bundle });
  const { status, stdout } = run(["sh", "-c", script, "sh", ...command], box.dir, { env });
  assert.equal(status, 0);
  assert.match(stdout, /^\/dev\/null\n/);
  assert.match(stdout, /\n0\n1\n2\n3\n$/);
});

test("a process begins with all signals at their default, whatever its caller ignores", ["tool:python3"], (box) => {
  const ignoring = "import os, signal, sys; signal.signal(34, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])";
  const bundle = box.bundle(["cat", "/proc/self/status"]);
  const command = ["python3", "-c", ignoring, ...box.command("run", "--bundle", bundle, box.id())];
  const { stdout } = run(command, box.dir, { env: box.environment() });
  assert.match(stdout, /^SigBlk:\t0+\nSigIgn:\t0+$/m);
});

test("hooks in the container leave its signals alone", [], (box) => {
  const stdout = box.prints(["cat", "/proc/self/status"], (config) => {
    config.hooks = { createContainer: [{ path: "/bin/true" }] };
  });
  assert.match(stdout, /^SigIgn:\t0+$/m);
});
