/** tmpcopyup: what a tmpfs begins with is what it covers, in every respect. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test, type Box } from "../support/box.ts";
import { assertSameTree, treeOf } from "../support/tree.ts";

const STRANGE = `
  chmod 2750 . && chown 1000:1001 . && echo text > f && chmod 4640 f && chown 1000:50 f && chmod 4640 f && ln f hard
  mkdir deep && ln f deep/hard && ln -s ../f link && ln link again && ln -s gone dead && mkfifo -m 600 pipe
  mknod -m 620 null c 1 3 && mknod -m 660 disk b 259 70000 && chown -h 9:9 link pipe
  mkdir -m 1777 deep/er && echo x > deep/er/x && chmod 0 deep/er/x
  python3 -c "import os; [os.setxattr(*each) for each in (('f', 'user.a', b'b'), ('deep', 'trusted.c', b'd'), ('deep/er', 'trusted.overlay.opaque', b'y'))]"
  touch -h -d '2001-02-03T04:05:06.123456789Z' link dead f pipe null disk deep/er/x
  touch -d '1969-12-31T23:59:58.5Z' deep/er && touch -d '2002-01-01Z' deep && touch -d '2003-01-01Z' .`;

/** A tmpfs that begins as a copy of what `script` makes: the paths of both are looked at. */
function compare(box: Box, script: string, look: (copy: string, covered: string) => void): void {
  const bundle = box.bundle(["sleep", "100"], ({ mounts }) => {
    mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
  });
  const data = join(bundle, "rootfs/data");
  mkdirSync(data);
  const made = spawnSync("sh", ["-ec", script], { cwd: data, encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  const id = box.id();
  const { status, stderr } = box.tsrun(["create", "--bundle", bundle, id], { output: box.path("out") });
  assert.equal(status, 0, stderr);
  look(`/proc/${box.state(id).pid}/root/data`, data);
  box.ok("delete", "--force", id);
}

test(
  "owners, modes, times, attributes, links and devices are those of the directory that a tmpfs covers",
  ["tsrun", "tool:python3"],
  (box) => {
    compare(box, STRANGE, (copy, covered) => {
      // What means something to overlayfs does not come along.
      const wanted = treeOf(covered).map((line) => line.replace('"trusted.overlay.opaque": "79"', ""));
      assertSameTree(treeOf(copy), wanted, "the copy, not what it covers");
    });
  },
);

const NAMED = `
  ln -s gone dead && mkfifo pipe && mknod null c 1 3
  python3 -c "import os; [os.setxattr(each, 'trusted.e', each.encode(), follow_symlinks=False) for each in ('dead', 'pipe', 'null')]"`;

test("what is not opened brings its attributes along too", ["tsrun", "tool:python3", "xattrat"], (box) => {
  compare(box, NAMED, (copy, covered) => assertSameTree(treeOf(copy), treeOf(covered), "the copy, not what it covers"));
});

/** A page of data after a megabyte of nothing, and nothing behind it; nothing alone; no hole at all; and none in two bytes. */
const SPARSE = `
  truncate -s 3M holes && printf end | dd of=holes bs=1M seek=1 conv=notrunc status=none && truncate -s 5M empty
  head -c 70000 /dev/urandom > full && printf ab > small && truncate -s 100 tiny`;

test("a hole in a file stays one where it is copied", ["tsrun", "tool:python3"], (box) => {
  compare(box, SPARSE, (copy, covered) => {
    assertSameTree(treeOf(copy), treeOf(covered), "the copy, not what it covers");
    // A tmpfs may take a large page for a little data.
    for (const [name, most] of [
      ["holes", 2 << 20],
      ["empty", 0],
      ["tiny", 0],
    ] as const)
      assert.ok(statSync(`${copy}/${name}`).blocks * 512 <= most, name);
  });
});
