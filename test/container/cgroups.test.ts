import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeeded, test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Tweak } from "../support/config.ts";
import { cgroupMount } from "../support/leftovers.ts";
import { eventually, run, textOf } from "../support/runtime.ts";

/** Where a container's cgroup is, in the file system. */
function cgroupOf(box: Box, id: string): string {
  const path = /^0::(.*)$/m.exec(textOf(`/proc/${box.state(id).pid}/cgroup`))?.[1] ?? "";
  return join(cgroupMount() ?? "", path);
}

function setting(box: Box, id: string, file: string): string {
  return readFileSync(join(cgroupOf(box, id), file), "utf8").trim();
}

test("an absolute cgroupsPath starts at the root of cgroup2", [], (box) => {
  const { id } = box.create("true", ({ linux }) => (linux.cgroupsPath = `/of-${box.mark}/deep/${box.mark}-own`));
  assert.equal(cgroupOf(box, id), join(cgroupMount() ?? "", `of-${box.mark}/deep/${box.mark}-own`));
});

test("a relative cgroupsPath ends in what it says", [], (box) => {
  const { id } = box.create("true", ({ linux }) => (linux.cgroupsPath = `of-${box.mark}/${box.mark}-own`));
  assert.match(cgroupOf(box, id), new RegExp(`/of-${box.mark}/${box.mark}-own$`));
});

test("a cgroupsPath with .. does not leave the hierarchy", [], (box) => {
  const { id } = box.create("true", ({ linux }) => (linux.cgroupsPath = `/../../of-${box.mark}/x/../${box.mark}-own`));
  assert.equal(cgroupOf(box, id), join(cgroupMount() ?? "", `of-${box.mark}/${box.mark}-own`));
});

// runc 1.1.5 warns; refused since 1.2.
test("a cgroup that has processes in it already is refused, and they live on", ["tsrun"], (box) => {
  const first = box.started(["sleep", "1000"]);
  const path = cgroupOf(box, first.id).slice((cgroupMount() ?? "").length);
  const { status } = box.run("true", ({ linux }) => (linux.cgroupsPath = path));
  assert.equal(status, 1);
  assert.equal(box.state(first.id).status, "running");
});

test("an empty cgroup that there is already is used", [], (box) => {
  const path = `/of-${box.mark}/${box.mark}-made`;
  mkdirSync(join(cgroupMount() ?? "", path), { recursive: true });
  const { id } = box.create("true", ({ linux }) => (linux.cgroupsPath = path));
  assert.equal(cgroupOf(box, id), join(cgroupMount() ?? "", path));
});

test("cgroups that the container made below its own go away with it", [], (box) => {
  const { id } = box.started(["sleep", "1000"]);
  mkdirSync(join(cgroupOf(box, id), "below/deeper"), { recursive: true });
  box.ok("delete", "--force", id);
  assert.deepEqual(box.settled(), []);
});

// Each is a folder to make and to remove, and a path of thousands could not be named again. 600 can, should the rule be gone.
test("a cgroupsPath of more than 1024 bytes is refused, and makes none", ["tsrun"], (box) => {
  const path = `/of-${box.mark}`;
  const { status, stderr } = box.run("true", ({ linux }) => (linux.cgroupsPath = path + "/a".repeat(600)));
  assert.equal(status, 1);
  assert.match(stderr, /linux\.cgroupsPath must not be longer/);
  assert.ok(!existsSync(join(cgroupMount() ?? "", path)));
  box.prints("true", ({ linux }) => (linux.cgroupsPath = path + "/a".repeat(20)));
});

test("a cgroup that cannot be made leaves nothing of what leads to it", ["tsrun"], (box) => {
  const top = join(cgroupMount() ?? "", `of-${box.mark}`);
  mkdirSync(top);
  writeFileSync(join(top, "cgroup.max.depth"), "2");
  const { status } = box.run("true", ({ linux }) => (linux.cgroupsPath = `/of-${box.mark}/one/two/three/four`));
  assert.equal(status, 1);
  assert.ok(!existsSync(join(top, "one")));
});

test("cgroups nested deeper than descriptors suffice are seen by ps and kill, and removed", ["tsrun"], async (box) => {
  const { id } = box.started(["sleep", "1000"]);
  const { pid } = box.state(id);
  const deepest = join(cgroupOf(box, id), "d/".repeat(300));
  mkdirSync(deepest, { recursive: true });
  writeFileSync(join(deepest, "cgroup.procs"), String(pid));
  const few = (...args: string[]) => {
    const command = ["sh", "-c", 'ulimit -n 32; exec "$@"', "sh", ...box.command(...args)];
    return succeeded(args, run(command, box.dir, { env: box.environment() }));
  };
  assert.deepEqual(JSON.parse(few("ps", "--format", "json", id).stdout), [pid]);
  few("kill", "--all", id, "KILL");
  await box.reaches(id, "stopped");
  few("delete", "--force", id);
  assert.deepEqual(box.settled(), []);
});

test("a threaded cgroup of the container's is no obstacle to ps, kill and delete", ["tsrun"], async (box) => {
  const { id } = box.started("trap 'exit 3' TERM; while :; do sleep 0.01; done");
  const { pid } = box.state(id);
  const threads = join(cgroupOf(box, id), "threads");
  mkdirSync(threads);
  writeFileSync(join(threads, "cgroup.type"), "threaded");
  writeFileSync(join(threads, "cgroup.procs"), String(pid));
  const pids = JSON.parse(box.ok("ps", "--format", "json", id).stdout) as number[];
  assert.equal(pids.filter((each) => each === pid).length, 1, String(pids));
  box.ok("kill", "--all", id, "TERM");
  await box.reaches(id, "stopped");
  box.ok("delete", id);
  assert.deepEqual(box.settled(), []);
});

test("delete kills also what gets into the cgroup meanwhile", ["tsrun"], async (box) => {
  const { id } = box.started(["sleep", "1000"]);
  const cgroup = cgroupOf(box, id);
  // Faster than a removal between two of them: only who kills again gets anywhere before it ends.
  const feed = 'while [ $(date +%s) -lt "$2" ]; do sleep 1000 & echo $! > "$1/cgroup.procs" || exit; done';
  const script = `{ ${feed}; } & { ${feed}; } & { ${feed}; } & { ${feed}; } & wait`;
  const end = String(Math.ceil(Date.now() / 1000) + 2);
  const feeder = spawn("sh", ["-c", script, "sh", cgroup, end], { detached: true, stdio: "ignore" });
  try {
    await eventually(() => setting(box, id, "cgroup.procs").split("\n").length > 2, "more processes");
    box.ok("delete", "--force", id);
    assert.ok(!existsSync(cgroup));
  } finally {
    if (feeder.pid !== undefined) process.kill(-feeder.pid, "SIGKILL");
  }
});

test("unified writes the file that it names", [], (box) => {
  const { id } = box.create("true", ({ linux }) => (linux.resources.unified = { "cgroup.max.descendants": "7" }));
  assert.equal(setting(box, id, "cgroup.max.descendants"), "7");
});

// Our own words; runc joins the path.
test("a name with / or .. in unified or hugepageLimits is refused", ["tsrun"], (box) => {
  for (const key of ["../cgroup.max.depth", "a/b", "..", "", "cgroup.procs/../x"]) {
    assert.equal(box.run("true", ({ linux }) => (linux.resources.unified = { [key]: "1" })).status, 1, key);
    assert.deepEqual(box.settled(), []);
  }
  const limits = [{ pageSize: "../2MB", limit: 0 }];
  assert.equal(box.run("true", ({ linux }) => (linux.resources.hugepageLimits = limits)).status, 1);
});

test("a limit whose controller is not there is refused by its name, and nothing is left", ["lacks:memory"], (box) => {
  const { status, stderr } = box.run("true", ({ linux }) => (linux.resources.memory = { limit: 1 << 24 }));
  assert.equal(status, 1);
  assert.match(stderr, /memory/);
  assert.deepEqual(box.settled(), []);
});

test("the container sees its own cgroup at /sys/fs/cgroup, and may not write to it", [], (box) => {
  const printed = box.prints(
    "cat /sys/fs/cgroup/cgroup.procs | head -1; (echo 1 > /sys/fs/cgroup/cgroup.procs) 2>&1; true",
  );
  assert.match(printed, /^1\n.*Read-only file system/);
});

// Devices

/** Opens kmsg for writing, which needs no capability. */
const KMSG = "mknod /tmp/kmsg c 1 11 && (: > /tmp/kmsg && echo writable) 2>&1; true";

test("a device that no rule allows is denied", [], (box) => {
  assert.match(box.prints(KMSG), /Operation not permitted/);
});

test("a device that a rule allows may be used", [], (box) => {
  const printed = box.prints(KMSG, ({ linux }) => {
    linux.resources.devices.push({ allow: true, type: "c", major: 1, minor: 11, access: "rwm" });
  });
  assert.equal(printed, "writable\n");
});

test("a rule that allows reading only denies writing", [], (box) => {
  const printed = box.prints(KMSG, ({ linux }) => {
    linux.resources.devices.push({ allow: true, type: "c", major: 1, minor: 11, access: "rm" });
  });
  assert.match(printed, /Operation not permitted/);
});

test("any device may be made, though not opened", [], (box) => {
  assert.equal(box.prints("mknod /tmp/a c 99 99 && mknod /tmp/b b 99 99 && echo made"), "made\n");
});

test("a later rule overrides an earlier one", [], (box) => {
  const printed = box.prints(KMSG, ({ linux }) => {
    linux.resources.devices.push({ allow: true, type: "c", major: 1, minor: 11, access: "rwm" });
    linux.resources.devices.push({ allow: false, type: "c", major: 1, minor: 11, access: "w" });
  });
  assert.match(printed, /Operation not permitted/);
});

test("with no device rules at all, all but the default devices are denied", [], (box) => {
  const printed = box.prints(
    `echo ok > /dev/null && echo null; ${KMSG}`,
    ({ linux }) => (linux.resources.devices = []),
  );
  assert.match(printed, /^null\n.*Operation not permitted/);
});

test("an executed process is under the same device rules", [], (box) => {
  const { id } = box.started(["sleep", "1000"]);
  assert.match(box.exec(id, KMSG).stdout, /Operation not permitted/);
});

// Controllers

const atMost16MiB: Tweak = ({ linux }) => (linux.resources.memory = { limit: 16 << 20, swap: 16 << 20 });

test("memory.limit is memory.max, and who takes more is killed: 137", ["controller:memory"], (box) => {
  assert.equal(box.prints("cat /sys/fs/cgroup/memory.max", atMost16MiB), `${16 << 20}\n`);
  const { status } = box.run("tail /dev/zero; exit $?", atMost16MiB);
  assert.equal(status, 137);
});

test("when the whole container is killed for its memory, run says 137", ["controller:memory"], (box) => {
  const { status } = box.run(["busybox", "tail", "/dev/zero"], atMost16MiB);
  assert.equal(status, 137);
});

test("memory.reservation is memory.low", ["controller:memory"], (box) => {
  const { id } = box.create("true", ({ linux }) => (linux.resources.memory = { reservation: 8 << 20 }));
  assert.equal(setting(box, id, "memory.low"), String(8 << 20));
});

test("pids.limit is pids.max, and one more cannot be started", ["controller:pids"], (box) => {
  const { stdout, stderr } = box.run(
    "cat /sys/fs/cgroup/pids.max; for i in 1 2 3 4 5 6 7 8; do sleep 5 & done",
    ({ linux }) => {
      linux.resources.pids = { limit: 5 };
    },
  );
  assert.match(stdout, /^5\n/);
  assert.match(stderr, /fork/);
});

test("a pids.limit of -1 is max", ["controller:pids"], (box) => {
  const { id } = box.create("true", ({ linux }) => (linux.resources.pids = { limit: -1 }));
  assert.equal(setting(box, id, "pids.max"), "max");
});

test("cpu.quota and period are cpu.max, and throttle", ["controller:cpu"], async (box) => {
  const { id } = box.started("while :; do :; done", ({ linux }) => {
    linux.resources.cpu = { quota: 10_000, period: 100_000 };
  });
  assert.equal(setting(box, id, "cpu.max"), "10000 100000");
  await eventually(() => Number(/nr_throttled (\d+)/.exec(setting(box, id, "cpu.stat"))?.[1] ?? 0) > 2, "throttling");
});

test("cpu.shares are cpu.weight, more for more", ["controller:cpu"], (box) => {
  const weight = (shares: number) =>
    Number(setting(box, box.create("true", ({ linux }) => (linux.resources.cpu = { shares })).id, "cpu.weight"));
  assert.equal(weight(2), 1);
  assert.equal(weight(262_144), 10_000);
  assert.ok([39, 100].includes(weight(1024)), "by the old or the new formula of runc");
});

test("a unified value wins over the others", ["controller:pids"], (box) => {
  const { id } = box.create("true", ({ linux }) => {
    linux.resources.pids = { limit: 5 };
    linux.resources.unified = { "pids.max": "77" };
  });
  assert.equal(setting(box, id, "pids.max"), "77");
});

test("blockIO throttles are io.max, and slow a writer down", ["controller:io", "loop"], (box) => {
  const { folder, device, release } = loopDisk(box);
  try {
    const [major = 0, minor = 0] = device;
    const script = "cat /sys/fs/cgroup/io.max; dd if=/dev/zero of=/disk/x bs=1M count=4 conv=fsync 2>/dev/null";
    const began = Date.now();
    const printed = box.prints(script, (config) => {
      config.mounts.push({ destination: "/disk", type: "bind", source: folder, options: ["bind"] });
      config.linux.resources.blockIO = { throttleWriteBpsDevice: [{ major, minor, rate: 2 << 20 }] };
    });
    assert.match(printed, new RegExp(`^${major}:${minor} .*wbps=${2 << 20}`));
    assert.ok(Date.now() - began > 1000, "4 MiB at 2 MiB a second");
  } finally {
    release();
  }
});

/** An ext4 file system on a loop device, mounted. */
function loopDisk(box: Box) {
  const [image, folder] = [box.path("disk.img"), box.file("disk")];
  const command = (...args: string[]) => succeeded(args, run(args, box.dir)).stdout.trim();
  writeFileSync(image, "");
  command("truncate", "-s", "64M", image);
  command("mkfs.ext4", "-q", "-O", "^has_journal", image);
  const loop = command("losetup", "--find", "--show", image);
  command("mount", loop, folder);
  const device = command("stat", "-c", "%Hr %Lr", loop).split(" ").map(Number);
  const release = () => {
    command("umount", folder);
    command("losetup", "-d", loop);
    if (existsSync(join(folder, "lost+found"))) rmdirSync(folder);
  };
  return { folder, device, release };
}
