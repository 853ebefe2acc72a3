import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeeded, test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Mount } from "../support/config.ts";
import { run } from "../support/runtime.ts";

interface Seen {
  options: string[];
  propagation: string;
  type: string;
  superOptions: string[];
}

/** Mounts more in a container and gives what its mountinfo says of `point`. */
function seen(box: Box, point: string, ...more: Mount[]): Seen {
  const text = box.prints(["cat", "/proc/self/mountinfo"], ({ mounts }) => void mounts.push(...more));
  const lines = text.split("\n").filter((line) => line.split(" ")[4] === point);
  assert.equal(lines.length, 1, text);
  const [left = "", right = ""] = (lines[0] ?? "").split(" - ");
  const [, , , , , options = "", ...propagation] = left.split(" ");
  const [type = "", , superOptions = ""] = right.split(" ");
  return {
    options: options.split(","),
    propagation: propagation.join(" "),
    type,
    superOptions: superOptions.split(","),
  };
}

function bind(box: Box, ...options: string[]): Mount {
  return { destination: "/bound", type: "bind", source: box.file("shared"), options };
}

function tmpfs(...options: string[]): Mount {
  return { destination: "/fs", type: "tmpfs", source: "tmpfs", options };
}

for (const [on, off] of [
  ["ro", "rw"],
  ["nosuid", "suid"],
  ["nodev", "dev"],
  ["noexec", "exec"],
] as const) {
  test(`${on} and ${off} are set on a bind and on a new file system, and the last one wins`, [], (box) => {
    assert.ok(seen(box, "/bound", bind(box, "bind", on)).options.includes(on));
    assert.ok(!seen(box, "/bound", bind(box, "bind", off)).options.includes(on));
    assert.ok(seen(box, "/fs", tmpfs(on)).options.includes(on));
    assert.ok(seen(box, "/fs", tmpfs(off, on)).options.includes(on));
    assert.ok(!seen(box, "/fs", tmpfs(on, off)).options.includes(on));
  });
}

for (const atime of ["noatime", "relatime", "nodiratime"]) {
  test(`${atime} is set`, [], (box) => {
    assert.ok(seen(box, "/fs", tmpfs(atime)).options.includes(atime));
    assert.ok(seen(box, "/bound", bind(box, "bind", atime)).options.includes(atime));
  });
}

test("strictatime leaves neither relatime nor noatime", [], (box) => {
  const { options } = seen(box, "/fs", tmpfs("strictatime"));
  assert.ok(!options.includes("relatime") && !options.includes("noatime"), options.join());
});

test("the data of a file system reaches it", [], (box) => {
  const { superOptions } = seen(box, "/fs", tmpfs("size=1024k", "mode=750", "uid=7", "gid=8", "nr_inodes=64"));
  for (const option of ["size=1024k", "mode=750", "uid=7", "gid=8", "nr_inodes=64"]) {
    assert.ok(superOptions.includes(option), `${option}: ${superOptions.join()}`);
  }
});

test("an option that a file system does not know is refused", [], (box) => {
  const { status } = box.run("true", ({ mounts }) => void mounts.push(tmpfs("frobnicate=1")));
  assert.equal(status, 1);
});

for (const [option, line] of [
  ["private", ""],
  ["rprivate", ""],
  ["shared", "shared:"],
  ["rshared", "shared:"],
] as const) {
  test(`propagation ${option} is set`, [], (box) => {
    const { propagation } = seen(box, "/bound", bind(box, "rbind", option));
    assert.equal(propagation.replace(/\d+/, ""), line);
  });
}

test("unbindable is set", [], (box) => {
  assert.equal(seen(box, "/bound", bind(box, "rbind", "unbindable")).propagation, "unbindable");
});

test("bind shows a folder of the host's, and what the container writes is there", [], (box) => {
  box.file("shared");
  box.file("shared/from-host", "host\n");
  const printed = box.prints("cat /bound/from-host; echo inside > /bound/from-container", ({ mounts }) => {
    mounts.push(bind(box, "bind"));
  });
  assert.equal(printed, "host\n");
  assert.equal(readFileSync(box.path("shared/from-container"), "utf8"), "inside\n");
});

test("bind of a single file", [], (box) => {
  const source = box.file("single", "text\n");
  const printed = box.prints("cat /etc/single; echo more >> /etc/single || echo refused", ({ mounts }) => {
    mounts.push({ destination: "/etc/single", type: "bind", source, options: ["bind", "ro"] });
  });
  assert.equal(printed, "text\nrefused\n");
});

test("the type may be none, or missing, where the options say bind", [], (box) => {
  const source = box.file("single", "text\n");
  for (const type of ["none", undefined]) {
    const mount = { destination: "/one", source, options: ["rbind"], ...(type === undefined ? {} : { type }) };
    assert.equal(
      box.prints("cat /one", ({ mounts }) => void mounts.push(mount)),
      "text\n",
    );
  }
});

test("a relative source is taken from the bundle", [], (box) => {
  const bundle = box.bundle("cat /one", ({ mounts }) => {
    mounts.push({ destination: "/one", type: "bind", source: "beside", options: ["bind"] });
  });
  writeFileSync(join(bundle, "beside"), "beside\n");
  assert.equal(box.tsrun(["run", "--bundle", bundle, box.id()], { cwd: "/" }).stdout, "beside\n");
});

test("bind leaves out what is mounted below, rbind does not", [], (box) => {
  const source = box.file("tree");
  box.file("tree/below");
  succeeded(["mount"], run(["mount", "-t", "tmpfs", "below", join(source, "below")], box.dir));
  try {
    writeFileSync(join(source, "below/file"), "deep\n");
    const print = (option: string) =>
      box.prints("cat /tree/below/file 2>/dev/null || echo none", ({ mounts }) => {
        mounts.push({ destination: "/tree", type: "bind", source, options: [option] });
      });
    assert.equal(print("bind"), "none\n");
    assert.equal(print("rbind"), "deep\n");
  } finally {
    run(["umount", join(source, "below")], box.dir);
  }
});

test("ro holds for the top only, rro for what is mounted below too", [], (box) => {
  const source = box.file("tree");
  box.file("tree/below");
  succeeded(["mount"], run(["mount", "-t", "tmpfs", "below", join(source, "below")], box.dir));
  try {
    const print = (...options: string[]) =>
      box.prints(
        "for f in /tree/a /tree/below/a; do (: > $f) 2>/dev/null && echo rw || echo ro; done",
        ({ mounts }) => {
          mounts.push({ destination: "/tree", type: "bind", source, options: ["rbind", ...options] });
        },
      );
    assert.equal(print("ro"), "ro\nrw\n");
    assert.equal(print("rro"), "ro\nro\n");
  } finally {
    run(["umount", join(source, "below")], box.dir);
  }
});

test("the other recursive options reach below too", [], (box) => {
  const source = box.file("tree");
  box.file("tree/below");
  succeeded(["mount"], run(["mount", "-t", "tmpfs", "below", join(source, "below")], box.dir));
  try {
    for (const option of ["nosuid", "nodev", "noexec", "noatime"]) {
      const mount = { destination: "/tree", type: "bind", source, options: ["rbind", `r${option}`] };
      for (const point of ["/tree", "/tree/below"]) assert.ok(seen(box, point, mount).options.includes(option), option);
    }
  } finally {
    run(["umount", join(source, "below")], box.dir);
  }
});

test("a mount on the host reaches an rslave bind, and not an rprivate one", [], (box) => {
  const source = box.file("shared-tree");
  box.file("shared-tree/later");
  succeeded(["mount"], run(["mount", "--bind", "--make-shared", source, source], box.dir));
  try {
    const containers = ["rslave", "rprivate"].map((option) =>
      box.started(["sleep", "1000"], (config) => {
        config.linux.rootfsPropagation = "rslave";
        config.mounts.push({ destination: "/tree", type: "bind", source, options: ["rbind", option] });
      }),
    );
    succeeded(["mount"], run(["mount", "-t", "tmpfs", "later", join(source, "later")], box.dir));
    const [slave, unrelated] = containers.map(
      ({ id }) => box.exec(id, "grep -c /tree/later /proc/self/mountinfo").stdout,
    );
    assert.deepEqual([slave, unrelated], ["1\n", "0\n"]);
    for (const { id } of containers) box.ok("delete", "--force", id);
  } finally {
    run(["umount", "-R", source], box.dir);
  }
});

test("tmpcopyup puts what was in the folder into the tmpfs", [], (box) => {
  const bundle = box.bundle("cat /etc/passwd | head -1; cat /etc/deep/er/file; rm -r /etc/deep", ({ mounts }) => {
    mounts.push({ destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
  });
  mkdirSync(join(bundle, "rootfs/etc/deep/er"), { recursive: true });
  writeFileSync(join(bundle, "rootfs/etc/deep/er/file"), "deep\n");
  const { stdout, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
  assert.equal(stdout, "root:x:0:0:root:/root:/bin/sh\ndeep\n", stderr);
  assert.ok(existsSync(join(bundle, "rootfs/etc/deep/er/file")), "the image's own is as it was");
});

test("tmpcopyup gives the tmpfs the folder's owner and mode, where its options do not", [], (box) => {
  for (const [options, expected] of [
    [["tmpcopyup"], "1000:1001 2750\n"],
    [["tmpcopyup", "uid=7", "mode=700"], "7:1001 700\n"],
  ] as const) {
    const bundle = box.bundle("stat -c '%u:%g %a' /data", ({ mounts }) => {
      mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: [...options] });
    });
    const data = join(bundle, "rootfs/data");
    mkdirSync(data);
    chownSync(data, 1000, 1001);
    chmodSync(data, 0o2750);
    const { stdout, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
    assert.equal(stdout, expected, stderr);
  }
});

test("mounts are made in the order of config.json: a later one covers", [], (box) => {
  const printed = box.prints("ls /over; ls /over/below 2>&1 || true", ({ mounts }) => {
    mounts.push({ destination: "/over/below", type: "tmpfs", source: "tmpfs" });
    mounts.push({ destination: "/over", type: "tmpfs", source: "tmpfs" });
    mounts.push({ destination: "/over/second", type: "tmpfs", source: "tmpfs" });
  });
  assert.match(printed, /^second\n.*No such file/);
});

test("a missing source is refused, and named", [], (box) => {
  const { status, stderr } = box.run("true", ({ mounts }) => {
    mounts.push({ destination: "/x", type: "bind", source: "/no/such/source", options: ["bind"] });
  });
  assert.equal(status, 1);
  assert.match(stderr, /\/no\/such\/source/);
  assert.deepEqual(box.settled(), []);
});

test("mounts of the container do not show on the host", [], (box) => {
  box.started(["sleep", "1000"], ({ mounts }) => void mounts.push(tmpfs(), bind(box, "rbind", "rshared")));
  assert.deepEqual(
    box.leftovers().filter((each) => each.startsWith("mount")),
    [],
  );
});

test("mqueue, devpts, sysfs, proc and cgroup are what their names say", [], (box) => {
  const text = box.prints(["cat", "/proc/mounts"]);
  for (const [point, type] of [
    ["/proc", "proc"],
    ["/sys", "sysfs"],
    ["/dev/mqueue", "mqueue"],
    ["/dev/pts", "devpts"],
    ["/sys/fs/cgroup", "cgroup2"],
  ] as const) {
    assert.match(text, new RegExp(`^\\S+ ${point} ${type} `, "m"));
  }
});

test("an idmapped bind shows the owners that its maps make of those on the disk", ["userns"], (box) => {
  const source = box.file("shared");
  chownSync(box.file("shared/x", "1"), 5, 6);
  const maps = [{ containerID: 0, hostID: 1000, size: 1000 }];
  const printed = box.prints("stat -c %u:%g /bound/x", ({ mounts }) => {
    mounts.push({
      destination: "/bound",
      type: "bind",
      source,
      options: ["bind"],
      uidMappings: maps,
      gidMappings: maps,
    });
  });
  assert.equal(printed, "1005:1006\n");
  assert.equal(statSync(join(source, "x")).uid, 5);
});
