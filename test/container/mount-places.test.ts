/** Where mounts go: places that an image has led elsewhere or that are missing, and the host, which they must not reach. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { succeeded, test } from "../support/box.ts";
import { run } from "../support/runtime.ts";

test("missing mount points are made, folders for folders and files for files", [], (box) => {
  const [dir, file] = [box.file("dir"), box.file("file", "")];
  const printed = box.prints("test -d /a/b/c && test -f /d/e/f && echo both", ({ mounts }) => {
    mounts.push({ destination: "/a/b/c", type: "bind", source: dir, options: ["bind"] });
    mounts.push({ destination: "/d/e/f", type: "bind", source: file, options: ["bind"] });
  });
  assert.equal(printed, "both\n");
});

test("a destination behind a symlink of the image stays in the root", [], (box) => {
  const outside = box.file("outside");
  for (const target of [outside, `../../../../../../..${outside}`]) {
    const bundle = box.bundle(`echo > /link/made; test -e ${outside}/made && echo in`, ({ mounts }) => {
      mounts.push({ destination: "/link", type: "tmpfs", source: "tmpfs" });
    });
    symlinkSync(target, join(bundle, "rootfs/link"));
    const { stdout, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
    assert.equal(stdout, "in\n", stderr);
    assert.deepEqual(readdirSync(outside), []);
  }
});

test("a file bound over a link to nothing is where the link leads to, inside the root", [], (box) => {
  const source = box.file("source", "bound\n");
  const outside = box.path("outside");
  for (const target of ["../run/systemd/resolve/stub-resolv.conf", "../../../deep/file", outside]) {
    const bundle = box.bundle("cat /etc/resolv.conf", ({ mounts }) => {
      mounts.push({ destination: "/etc/resolv.conf", type: "bind", source, options: ["bind", "ro"] });
    });
    symlinkSync(target, join(bundle, "rootfs/etc/resolv.conf"));
    const { stdout, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
    assert.equal(stdout, "bound\n", stderr);
    assert.ok(!existsSync(outside), "nothing is made on the host");
  }
});

test("links to nothing that lead to each other are refused as the place of a file", [], (box) => {
  const bundle = box.bundle("true", ({ mounts }) => {
    mounts.push({ destination: "/one", type: "bind", source: box.file("source", ""), options: ["bind"] });
  });
  symlinkSync("two", join(bundle, "rootfs/one"));
  symlinkSync("/missing/../one", join(bundle, "rootfs/two"));
  const { status, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
  assert.equal(status, 1);
  assert.match(stderr, /symbolic links/);
});

for (const options of [
  ["rbind", "rshared"],
  ["bind", "shared"],
  ["rbind", "slave"],
  ["rbind", "private"],
]) {
  const [how, propagation] = options;
  test(`what the container mounts in a ${how} that is ${propagation} does not appear on the host`, [], (box) => {
    const shared = box.file("shared");
    const command = (...args: string[]) => succeeded(args, run(args, box.dir));
    command("mount", "-t", "tmpfs", "tmpfs", shared);
    try {
      mkdirSync(join(shared, "below"));
      command("mount", "-t", "tmpfs", "tmpfs", join(shared, "below"));
      command("mount", "--make-rshared", shared);
      const script = "mkdir -p /bound/below/in && mount -t tmpfs tmpfs /bound/below/in && echo mounted";
      const printed = box.prints(`${script}; sleep 0.1`, ({ mounts, process: { capabilities } }) => {
        for (const set of [capabilities.bounding, capabilities.effective, capabilities.permitted]) {
          set.push("CAP_SYS_ADMIN");
        }
        mounts.push({ destination: "/bound", type: "bind", source: shared, options });
      });
      assert.equal(printed, "mounted\n");
      const { stdout } = command("cat", "/proc/self/mountinfo");
      assert.ok(!stdout.includes(join(shared, "below/in")), stdout);
    } finally {
      command("umount", "-R", shared);
    }
  });
}
