/** Bundles of a user without privileges, and what is asked of containers without a cgroup. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type Box } from "../support/box.ts";
import { layerOf } from "../../scripts/fixtures.ts";
import { BASE, Store } from "./images.ts";
import { UID, User } from "./user.ts";

const NEEDS = ["tool:setpriv", "tool:newuidmap", "userns"] as const;

async function userWithImage(box: Box, lent: boolean): Promise<User> {
  const user = new User(box, lent);
  const users = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1001::/:/bin/sh\n";
  const own = lent ? [{ name: "alice", content: "hers", uid: 1000, gid: 1001 }] : [];
  const layer = await layerOf([{ name: "etc/passwd", content: users }, ...own]);
  const layers = [await BASE, layer];
  const archive = await new Store(box).archive("it.tar", { layers, process: { Cmd: ["sh"] } });
  user.prints("image", "load", archive);
  return user;
}

/** Exchanges the command of a bundle. */
function command(bundle: string, ...args: string[]): void {
  const file = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as { process: { args: string[] } };
  config.process.args = args;
  writeFileSync(file, JSON.stringify(config));
}

for (const lent of [true, false]) {
  test(
    `an image that a user ${lent ? "with" : "without"} lent ids unpacks runs as it is, with the ids that its files have`,
    NEEDS,
    async (box) => {
      const user = await userWithImage(box, lent);
      const bundle = join(user.home, "bundle");
      user.prints("image", "unpack", "it", bundle);
      const { linux } = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as {
        linux: { uidMappings: { hostID: number; containerID: number }[] };
      };
      assert.deepEqual(
        linux.uidMappings.map(({ containerID }) => containerID),
        lent ? [0, 1] : [0],
      );
      assert.equal(linux.uidMappings[0]?.hostID, UID);
      command(bundle, "stat", "-c", "%u:%g", "/etc/passwd", ...(lent ? ["/alice"] : []));
      const { status, stdout, stderr } = user.tsrun("run", "--bundle", bundle, "box");
      assert.deepEqual([status, stdout, stderr], [0, lent ? "0:0\n1000:1001\n" : "0:0\n", ""]);
      assert.deepEqual(user.left(), []);
    },
  );
}

test("exec works in a container that was created, and not yet started, as with runc", NEEDS, async (box) => {
  const user = await userWithImage(box, true);
  user.prints("create", "--image", "it", "box", "--", "sleep", "100");
  assert.match(user.prints("exec", "box", "id", "-u"), /^0\n$/);
  user.prints("start", "box");
  assert.equal(user.prints("exec", "box", "cat", "/proc/1/comm"), "sleep\n");
  user.prints("delete", "--force", "box");
  const bundle = join(user.home, "bundle");
  user.prints("image", "unpack", "it", bundle);
  command(bundle, "sleep", "100");
  user.prints("create", "--bundle", bundle, "box");
  assert.match(user.prints("exec", "box", "id", "-u"), /^0\n$/);
  user.prints("delete", "--force", "box");
  assert.deepEqual(user.left(), []);
});

test(
  "without a cgroup ps is refused as by runc, and kill --all is for init, with which all others end",
  NEEDS,
  async (box) => {
    const user = await userWithImage(box, true);
    user.prints(
      "create",
      "--image",
      "it",
      "box",
      "--",
      "sh",
      "-c",
      "sleep 100 & trap 'exit 0' TERM; while :; do sleep 0.1; done",
    );
    user.prints("start", "box");
    const { status, stderr } = user.tsrun("ps", "box");
    assert.equal(status, 1);
    assert.match(stderr, /msg="unable to get all container pids: container box has no cgroup of its own[^\n]*\n$/);
    user.prints("kill", "--all", "box", "KILL");
    user.prints("kill", "--all", "box", "KILL");
    user.prints("delete", "--force", "box");
    assert.deepEqual(user.left(), []);
  },
);

test("a user who has no directory for the state is told how to name one", NEEDS, async (box) => {
  const user = await userWithImage(box, false);
  const words = ["env", "-u", "XDG_RUNTIME_DIR", user.program, "create", "--image", "it", "box"];
  const { status, stderr } = user.command(...words);
  assert.notEqual(status, 0);
  assert.match(
    stderr,
    /cannot (make|look into) the state directory \/run\/tsrun: permission denied \(XDG_RUNTIME_DIR or --root names a place of one's own\)"\n$/,
  );
});
