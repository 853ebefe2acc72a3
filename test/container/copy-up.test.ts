/** tmpcopyup: what a tmpfs begins with is what it covers, in every respect. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { assertSameTree, treeOf } from "../support/tree.ts";

const STRANGE = `
  chmod 2750 . && chown 1000:1001 . && echo text > f && chmod 4640 f && chown 1000:50 f && chmod 4640 f && ln f hard
  mkdir deep && ln f deep/hard && ln -s ../f link && ln link again && ln -s gone dead && mkfifo -m 600 pipe
  mknod -m 620 null c 1 3 && mknod -m 660 disk b 259 70000 && chown -h 9:9 link pipe
  mkdir -m 1777 deep/er && echo x > deep/er/x && chmod 0 deep/er/x
  python3 -c "import os; [os.setxattr(*each) for each in (('f', 'user.a', b'b'), ('deep', 'trusted.c', b'd'), ('deep/er', 'trusted.overlay.opaque', b'y'))]"
  touch -h -d '2001-02-03T04:05:06.123456789Z' link dead f pipe null disk deep/er/x
  touch -d '1969-12-31T23:59:58.5Z' deep/er && touch -d '2002-01-01Z' deep && touch -d '2003-01-01Z' .`;

test(
  "owners, modes, times, attributes, links and devices are those of the directory that a tmpfs covers",
  ["tsrun", "tool:python3"],
  async (box) => {
    const bundle = box.bundle(["sleep", "100"], ({ mounts }) => {
      mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
    });
    const data = join(bundle, "rootfs/data");
    mkdirSync(data);
    const made = spawnSync("sh", ["-ec", STRANGE], { cwd: data, encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    const id = box.id();
    const { status, stderr } = box.tsrun(["create", "--bundle", bundle, id], { output: box.path("out") });
    assert.equal(status, 0, stderr);
    // What means something to overlayfs does not come along.
    const covered = treeOf(data).map((line) => line.replace('"trusted.overlay.opaque": "79"', ""));
    assertSameTree(treeOf(`/proc/${box.state(id).pid}/root/data`), covered, "the copy, not what it covers");
    box.ok("delete", "--force", id);
  },
);
