import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { unmounted } from "../support/config.ts";

test("the root is that of the bundle, and nothing of the host's is left to be seen", [], (box) => {
  const printed = box.prints("ls /; cd /; ls ..; cat /proc/self/mountinfo | cut -d' ' -f4,5 | grep ' /$'");
  const names = ["bin", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr", "var"].join("\n");
  assert.match(printed, new RegExp(`^${names}\n${names}\n\\S+/rootfs /\n$`));
});

test("the container cannot mount its way to the host's root", [], (box) => {
  const printed = box.prints(`ls -d ${box.dir} 2>&1; chroot /proc/1/root ls -d ${box.dir} 2>&1; true`);
  assert.equal(printed.match(/No such file/g)?.length, 2, printed);
});

test("root.readonly makes / read-only, and leaves other mounts as they are", [], (box) => {
  const print = (readonly: boolean) =>
    box.prints("for f in /x /etc/x /dev/shm/x; do (: > $f) 2>/dev/null && echo rw || echo ro; done", ({ root }) => {
      root.readonly = readonly;
    });
  assert.equal(print(true), "ro\nro\nrw\n");
  assert.equal(print(false), "rw\nrw\nrw\n");
});

test("mount points are made before / becomes read-only", [], (box) => {
  const printed = box.prints("test -d /made/for && echo yes", ({ root, mounts }) => {
    root.readonly = true;
    mounts.push({ destination: "/made/for", type: "tmpfs", source: "tmpfs" });
  });
  assert.equal(printed, "yes\n");
});

test("masked files read as empty and masked folders have nothing in them", [], (box) => {
  const bundle = box.bundle("cat /secret/file; ls -A /secret/folder; echo x > /secret/folder/y", ({ linux }) => {
    linux.maskedPaths = ["/secret/file", "/secret/folder"];
  });
  mkdirSync(join(bundle, "rootfs/secret/folder/in"), { recursive: true });
  writeFileSync(join(bundle, "rootfs/secret/file"), "secret\n");
  const { status, stdout } = box.tsrun(["run", "--bundle", bundle, box.id()]);
  assert.equal(stdout, "");
  assert.notEqual(status, 0, "and are read-only");
});

test("masked paths that do not exist are passed over", [], (box) => {
  const printed = box.prints("echo ran", ({ linux }) => void linux.maskedPaths.push("/no/such", "/proc/none/such"));
  assert.equal(printed, "ran\n");
});

test("readonly paths are read-only, with the options that they had", [], (box) => {
  const printed = box.prints("(echo 1 > /proc/sys/net/ipv4/ip_forward) 2>&1; grep ' /proc/sys ' /proc/self/mountinfo");
  assert.match(printed, /Read-only file system/);
  assert.match(printed, / \/proc\/sys ro,nosuid,nodev,noexec,relatime /);
});

test("readonly paths that do not exist are passed over", [], (box) => {
  assert.equal(
    box.prints("echo ran", ({ linux }) => void linux.readonlyPaths.push("/no/such")),
    "ran\n",
  );
});

test("the default devices are there for everyone, and work", [], (box) => {
  const printed = box.prints(`
    for d in null zero full random urandom tty; do stat -c '%n %t:%T %a %u:%g' /dev/$d; done
    echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; (echo > /dev/full) 2>&1 || true`);
  assert.match(printed, /^\/dev\/null 1:3 666 0:0\n\/dev\/zero 1:5 666 0:0\n\/dev\/full 1:7 666 0:0\n/);
  assert.match(
    printed,
    /\/dev\/random 1:8 666 0:0\n\/dev\/urandom 1:9 666 0:0\n\/dev\/tty 5:0 666 0:0\n3\n5\n.*No space/,
  );
});

test("the default links of /dev are there", [], (box) => {
  const printed = box.prints("for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done");
  assert.equal(printed, "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n");
});

test("/dev/core links to /proc/kcore only where that is", [], (box) => {
  const printed = box.prints("readlink /dev/core || echo none");
  assert.equal(printed, existsSync("/proc/kcore") ? "/proc/kcore\n" : "none\n");
});

test("linux.devices are made with their type, number, mode and owner", [], (box) => {
  const printed = box.prints("stat -c '%F %t:%T %a %u:%g' /dev/mine /dev/deep/block /dev/pipe", ({ linux }) => {
    linux.devices = [
      { path: "/dev/mine", type: "c", major: 1, minor: 5, fileMode: 0o640, uid: 7, gid: 8 },
      { path: "/dev/deep/block", type: "b", major: 7, minor: 0, fileMode: 0o600 },
      { path: "/dev/pipe", type: "p", fileMode: 0o622 },
    ];
  });
  assert.equal(printed, "character special file 1:5 640 7:8\nblock special file 7:0 600 0:0\nfifo 0:0 622 0:0\n");
});

test("a device may take the place of a default one", [], (box) => {
  const printed = box.prints("stat -c '%t:%T %a' /dev/null", ({ linux }) => {
    linux.devices = [{ path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o600 }];
    linux.resources.devices.push({ allow: true, type: "c", major: 1, minor: 3, access: "rwm" });
  });
  assert.match(printed, /^1:3 (600|666)\n$/);
});

test("a bind of the host's /dev is left as it is", [], (box) => {
  const before = readdirSync("/dev").toSorted();
  const printed = box.prints("test -e /dev/null && echo there", (config) => {
    unmounted(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue");
    config.mounts.push({ destination: "/dev", type: "bind", source: "/dev", options: ["rbind", "rslave"] });
  });
  assert.equal(printed, "there\n");
  assert.deepEqual(readdirSync("/dev").toSorted(), before);
});

test("a root that does not exist is refused, and named", [], (box) => {
  const { status, stderr } = box.run("true", ({ root }) => (root.path = "nowhere"));
  assert.equal(status, 1);
  assert.match(stderr, /nowhere/);
  assert.deepEqual(box.settled(), []);
});

test("a root that is a file is refused", [], (box) => {
  const path = box.file("file", "");
  assert.equal(box.run("true", ({ root }) => (root.path = path)).status, 1);
  assert.deepEqual(box.settled(), []);
});

test("a root that others may not read works", [], (box) => {
  const bundle = box.bundle("echo ran");
  chmodSync(join(bundle, "rootfs"), 0o700);
  assert.equal(box.tsrun(["run", "--bundle", bundle, box.id()]).stdout, "ran\n");
});

for (const propagation of ["private", "rprivate", "slave", "rslave"]) {
  test(`with rootfsPropagation ${propagation} nothing that is mounted inside shows outside`, [], (box) => {
    const printed = box.prints(ROOT_OF_MOUNTINFO, ({ linux }) => (linux.rootfsPropagation = propagation));
    assert.doesNotMatch(printed, /shared:|unbindable/);
  });
}

// The specification: "sets the rootfs's mount propagation". runc leaves / private after pivot_root.
for (const [propagation, word] of [
  ["shared", "shared:"],
  ["rshared", "shared:"],
  ["unbindable", "unbindable"],
] as const) {
  test(`with rootfsPropagation ${propagation} / is ${word.replace(":", "")}`, ["tsrun"], (box) => {
    const printed = box.prints(ROOT_OF_MOUNTINFO, ({ linux }) => (linux.rootfsPropagation = propagation));
    assert.match(printed, new RegExp(word));
  });
}

/** The optional fields of the line of /. */
const ROOT_OF_MOUNTINFO = "grep '/rootfs / ' /proc/self/mountinfo | sed 's/ - .*//'";
