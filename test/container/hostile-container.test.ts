/**
 * A test for each published attack of ../shared/reference/security-rules.md that a hostile container, a neighbour with
 * a shared volume, or a hostile config.json makes. What must not happen is checked on the host.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { victim } from "../support/attacks.ts";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import { ownUsers } from "../support/config.ts";
import type { Config } from "../support/config.ts";
import { eventually, run, textOf, TSRUN } from "../support/runtime.ts";
import { Terminal } from "../support/terminal.ts";

test("CVE-2024-21626: a working folder /proc/self/fd/N never lies outside the root", [], (box) => {
  for (const fd of [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    const { status, stdout } = box.run(
      "cat ../../../../../../../../../../../../etc/hostname; ls /proc/self/cwd/",
      ({ process }) => {
        process.cwd = `/proc/self/fd/${fd}`;
      },
    );
    assert.notEqual(status, 0, stdout);
    assert.equal(stdout, "", String(fd));
  }
});

test("CVE-2024-21626: exec --cwd /proc/self/fd/N never lies outside the root", [], (box) => {
  const { id } = box.started(["sleep", "1000"]);
  for (const fd of [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    const flags = ["--cwd", `/proc/self/fd/${fd}`];
    const { stdout } = box.exec(id, "cat ../../../../../../../../../../../../etc/hostname; ls -d work boot lib64", {
      flags,
    });
    assert.equal(stdout, "", String(fd));
  }
});

test("CVE-2024-21626: a working folder that is a symlink to a descriptor is no better", [], (box) => {
  const { id, bundle } = box.started(["sleep", "1000"]);
  for (const fd of [3, 5, 7, 8, 9]) {
    symlinkSync(`/proc/self/fd/${fd}`, join(bundle, "rootfs", `link${fd}`));
    const { stdout } = box.exec(id, "ls -d ../../../../../../../../../../work", { flags: ["--cwd", `/link${fd}`] });
    assert.equal(stdout, "", String(fd));
  }
});

// runc 1.1.5 makes folders on the host here: CVE-2024-45310.
test(
  "CVE-2021-30465: a mount point that a neighbour swaps for a symlink changes nothing outside",
  ["tsrun", "tool:python3"],
  async (box) => {
    const { path, untouched } = victim(box);
    const volume = box.file("volume");
    box.file("volume/dir");
    symlinkSync(path, join(volume, "link"));
    const swapper = startSwapper(box, join(volume, "dir"), join(volume, "link"));
    try {
      const end = Date.now() + 3000;
      for (let round = 0; round < 400 && Date.now() < end; round += 1) {
        const { stdout } = box.run(["cat", "/proc/self/mountinfo"], ({ mounts }) => {
          mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["rbind"] });
          mounts.push({ destination: `/volume/dir/made${round}`, type: "tmpfs", source: "tmpfs" });
          mounts.push({ destination: "/volume/dir", type: "tmpfs", source: "swapped" });
        });
        for (const line of stdout.split("\n").filter((each) => each.includes("swapped"))) {
          assert.match(line.split(" ")[4] ?? "", /^\/volume\/|^\/dev\/shm\/|^\/.*victim/);
        }
        untouched();
      }
    } finally {
      swapper.kill();
    }
  },
);

test("CVE-2019-5736: a container cannot write to the runtime's binary", [], async (box) => {
  const runtime = box.path("runtime");
  copyFileSync(TSRUN, runtime);
  chmodSync(runtime, 0o755);
  const before = readFileSync(runtime);
  const call = (...args: string[]) =>
    run([runtime, "--root", box.root, ...args], box.dir, { env: box.environment(), output: box.path(`o${args[0]}`) });
  const id = box.id();
  const bundle = box.bundle(OVERWRITES_WHOEVER_COMES, ({ process }) =>
    process.capabilities.bounding.push("CAP_SYS_PTRACE"),
  );
  symlinkSync("/proc/self/exe", join(bundle, "rootfs/bin/self"));
  assert.equal(call("create", "--bundle", bundle, id).status, 0);
  assert.equal(call("start", id).status, 0);
  for (let round = 0; round < 20; round += 1) {
    call("exec", id, "true");
    call("exec", id, "/proc/self/exe");
    call("exec", id, "self");
  }
  call("run", "--bundle", box.bundle(["/proc/self/exe", "--version"]), box.id());
  assert.ok(readFileSync(runtime).equals(before));
  call("delete", "--force", id);
});

test("CVE-2016-9962, LXC CVE-2015-1334: exec does not trust the container's /proc", [], async (box) => {
  const fake =
    "mount -t tmpfs none /proc && mkdir -p /proc/self/attr /proc/self/fd /proc/thread-self/attr /proc/1 && echo ready; sleep 1000";
  const { id, output } = box.started(fake, (config) => {
    for (const set of ["bounding", "effective", "permitted"] as const)
      config.process.capabilities[set].push("CAP_SYS_ADMIN");
    config.linux.readonlyPaths = [];
    config.linux.maskedPaths = [];
  });
  await eventually(() => output() === "ready\n", "the false /proc");
  const pidFile = box.path("pid");
  const { status } = box.tsrun(["exec", "--detach", "--pid-file", pidFile, "--user", "1000", id, "sleep", "900"], {
    output: box.path("o"),
  });
  if (status === 0) {
    const inside = textOf(`/proc/${textOf(pidFile)}/status`);
    assert.match(inside, /^Uid:\s*1000\s/m);
    assert.match(inside, /^CapEff:\s*0{16}$/m);
    assert.match(inside, /^Groups:\s*$/m);
  }
});

test(
  "CVE-2022-29162, CVE-2022-27650, CVE-2025-27612: no capability becomes inheritable that config.json does not name",
  [],
  (box) => {
    assert.match(box.prints("grep CapInh /proc/self/status"), /0{16}/);
    const { id } = box.started(["sleep", "1000"]);
    const flags = ["--cap", "CAP_NET_ADMIN"];
    assert.match(box.exec(id, "grep CapInh /proc/self/status", { flags }).stdout, /0{16}/);
  },
);

test(
  "CVE-2017-5226: exec without a terminal has no controlling one, even if its caller has",
  ["tool:python3"],
  async (box) => {
    const { id } = box.started(["sleep", "1000"]);
    const command = box.command("exec", id, "sh", "-c", "(: < /dev/tty) 2>&1; cut -d' ' -f7 /proc/self/stat");
    const terminal = Terminal.run(command, box.path("tty"), box.environment());
    await terminal.ended();
    assert.match(terminal.shown(), /No such device or address\r\n0\r\n$/);
  },
);

test("CVE-2022-0811: a sysctl with more than a name and a value is refused", ["tsrun"], (box) => {
  for (const [key, value] of [
    ["kernel.shm_rmid_forced", "1+kernel.core_pattern=|/evil"],
    ["net.ipv4.ip_forward", "1\nkernel.core_pattern=x"],
    ["net.ipv4/../../kernel/panic", "1"],
    ["net.ipv4.ip_forward\0x", "1"],
  ] as const) {
    const { status } = box.run("true", ({ linux }) => (linux.sysctl = { [key]: value }));
    assert.equal(status, 1, key);
    assert.deepEqual(box.settled(), []);
  }
});

test(
  "CVE-2023-25809: in a user namespace without a cgroup namespace /sys/fs/cgroup is read-only, if that was asked for",
  ["userns"],
  (box) => {
    const { stdout, stderr } = box.run(
      "(echo 1 > /sys/fs/cgroup/cgroup.procs) 2>&1; grep /sys/fs/cgroup /proc/mounts",
      (config: Config) => {
        ownUsers(config);
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "cgroup");
      },
    );
    assert.doesNotMatch(stdout, /\/sys\/fs\/cgroup \S+ rw/, stderr);
  },
);

test("a runtime that is set-user-id refuses to run", ["tsrun", "tool:setpriv"], (box) => {
  const runtime = box.path("runtime");
  copyFileSync(TSRUN, runtime);
  chmodSync(runtime, 0o4755);
  const { status } = run(["setpriv", "--reuid=1000", "--clear-groups", runtime, "--version"], box.dir);
  assert.notEqual(status, 0);
});

test("config.json of great depth or size is an error, not a crash", ["tsrun"], (box) => {
  const bundle = box.bundle("true");
  const path = join(bundle, "config.json");
  for (const text of [
    '{"a":'.repeat(5000),
    `{"annotations":{"a":"${"x".repeat(70 << 20)}"}}`,
    '"\\ud800"',
    "\0".repeat(1000),
  ]) {
    writeFileSync(path, text);
    const { status, stderr } = box.tsrun(["create", "--bundle", bundle, box.id()]);
    assert.equal(status, 1, text.slice(0, 20));
    assert.ok(stderr.length < 4096 + 100);
    assert.deepEqual(box.settled(), []);
  }
});

/** Inside: whatever runs here that is not busybox has its binary opened, and written to as soon as that works. */
const OVERWRITES_WHOEVER_COMES = `
  while :; do
    for p in /proc/[0-9]*; do
      case "$(readlink $p/exe)" in /bin/busybox|"") ;; *)
        (exec 3< $p/exe && for i in 1 2 3 4 5 6 7 8 9; do (echo overwritten > /proc/self/fd/3); sleep 0.02; done) 2>/dev/null &
      esac
    done
  done`;

/** Exchanges two names over and over, as a hostile neighbour with a shared volume does. */
function startSwapper(box: Box, one: string, other: string) {
  const script = [
    "import ctypes, sys",
    "libc, exchange = ctypes.CDLL(None), 2",
    "while True: libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), exchange)",
  ].join("\n");
  return spawn("/usr/bin/python3", ["-c", script, one, other], { stdio: "ignore", cwd: box.dir });
}
