/** The containers of a user without privileges. */
import assert from "node:assert/strict";
import { readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type Box } from "../support/box.ts";
import { run } from "../support/runtime.ts";
import { layerOf } from "../../scripts/fixtures.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { BASE, Store } from "./images.ts";
import { UID, User } from "./user.ts";

/** Files of root, and a directory that nobody but its owner may look into. */
const THEIRS = layerOf([
  { name: "data/", type: "directory", mode: 0o700, uid: 1000, gid: 1001 },
  { name: "data/seed", content: "seed", mode: 0o600, uid: 1000, gid: 1001 },
]);

async function userWithImage(box: Box, lent: boolean): Promise<User> {
  const user = new User(box, lent);
  const layers = [await BASE, ...(lent ? [await THEIRS] : [])];
  const archive = await new Store(box).archive("it.tar", { layers, process: { Cmd: ["sh"] } });
  user.prints("image", "load", archive);
  return user;
}

/** What a container of any user without privileges can do. */
function livesOrdinarily(user: User): void {
  assert.match(user.says("id"), /^uid=0\(root\) gid=0\(root\)/);
  assert.equal(
    user.says("echo text > /root/file; mkdir /new; cat /root/file; touch /etc/passwd; stat -c %u /new"),
    "text\n0",
  );
  assert.equal(user.sh("exit 7").status, 7);
  assert.equal(user.sh("kill -9 $$", "--init").status, 137);
  assert.equal(user.tsrun("run", "--rm", "--image", "it", "--", "nothing-of-this-name").status, 127);
  assert.match(user.says("ls -l /proc/1/exe", "--init"), /tsrun-init$/);
  assert.match(user.sh("echo x > /file", "--read-only").stderr, /Read-only/);
  user.says("echo kept > /v/file", "-v", "vol:/v");
  assert.equal(user.says("cat /v/file", "-v", "vol:/v"), "kept");
  user.says("echo out > /h/file", "-v", `${user.home}:/h`);
  assert.equal(readFileSync(join(user.home, "file"), "utf8"), "out\n");
  assert.equal(statSync(join(user.home, "file")).uid, UID);
  assert.equal(user.says("ls /sys/class/net", "--network", "none"), "lo");
  assert.equal(
    user.says("readlink /proc/self/ns/net; ls /sys/class/net > /dev/null", "--network", "host"),
    ownNetwork(),
  );
  assert.deepEqual(user.left(), []);
}

function ownNetwork(): string {
  return readlinkSync("/proc/self/ns/net");
}

/** The commands for one that runs by itself, from the first to the last. */
function isManaged(user: User): void {
  user.prints("create", "--image", "it", "box", "--", "sleep", "100");
  assert.match(user.prints("list"), /^box .* created /m);
  user.prints("start", "box");
  assert.equal((JSON.parse(user.prints("state", "box")) as { status: string }).status, "running");
  assert.match(user.prints("exec", "box", "id"), /^uid=0\(root\)/);
  user.prints("exec", "box", "sh", "-c", "echo made > /made");
  assert.equal(user.prints("exec", "box", "cat", "/made"), "made\n");
  assert.equal(user.tsrun("exec", "box", "sh", "-c", "exit 9").status, 9);
  assert.match(user.prints("exec", "--tty", "box", "tty"), /^\/dev\/pts\/0/);
  assert.equal(user.prints("diff", "box"), "A /made\n");
  user.prints("cp", "box:/made", join(user.home, "made"));
  assert.deepEqual(
    [statSync(join(user.home, "made")).uid, readFileSync(join(user.home, "made"), "utf8")],
    [UID, "made\n"],
  );
  assert.match(user.tsrun("delete", "box").stderr, /not stopped: running/);
  user.prints("delete", "--force", "box");
  assert.doesNotMatch(user.prints("list"), /box/);
  assert.deepEqual(user.left(), []);
}

test(
  "a user with lent ids runs containers from images, as any of the image's users, and nothing is left of them",
  ["tool:newuidmap", "tool:setpriv", "userns"],
  async (box) => {
    const user = await userWithImage(box, true);
    livesOrdinarily(user);
    isManaged(user);
    assert.match(
      user.says("id", "--user", "alice"),
      /^uid=1000\(alice\) gid=1001\(alice\) groups=50\(staff\),1001\(alice\)$/,
    );
    assert.equal(
      user.says("cat /data/seed; echo new > /data/new; stat -c ' %u' /data/new", "--user", "alice"),
      "seed 1000",
    );
    // A volume begins with what the image has there, for whom it is there.
    assert.equal(user.says("cat /data/seed; touch /data/mine", "--user", "alice", "-v", "data:/data"), "seed");
    assert.equal(user.says("ls /data", "--user", "alice", "-v", "data:/data"), "mine\nseed");
    assert.equal(user.prints("volume", "rm", "data"), "data\n");
    user.prints("create", "--user", "alice", "--image", "it", "theirs", "--", "sleep", "100");
    user.prints("start", "theirs");
    user.prints("kill", "theirs", "KILL");
    user.prints("delete", "--force", "theirs");
    assert.deepEqual(user.left(), []);
    assert.match(user.sh("true", "--userns", "auto").stderr, /--userns auto is for root/);
    assert.match(user.sh("true", "--cgroup-parent", "/mine").stderr, /none is delegated to this user/);
    assert.match(user.prints("image", "check"), / 0 faults\n$/);
  },
);

test(
  "a user without lent ids runs containers as root, and is told where that does not do",
  ["tool:setpriv", "userns"],
  async (box) => {
    const user = await userWithImage(box, false);
    livesOrdinarily(user);
    isManaged(user);
    assert.match(user.sh("id", "--user", "alice").stderr, /a process cannot be uid 1000: .*\/etc\/subuid/);
    assert.match(user.sh("id", "--group-add", "staff").stderr, /a process cannot have the group staff .*\/etc\/subgid/);
    assert.deepEqual(user.left(), []);
  },
);

test(
  "a container's root, who is the user outside, cannot write to the program that made it",
  ["tool:setpriv", "userns"],
  async (box) => {
    const user = await userWithImage(box, false);
    user.prints("create", "--image", "it", "box", "--", "sleep", "100");
    const { pid } = JSON.parse(user.prints("state", "box")) as { pid: number };
    // Before its execve: it is still the program, from memory.
    assert.match(run(["readlink", `/proc/${pid}/exe`], box.dir).stdout, /^\/memfd:tsrun/);
    const { status, stderr } = run(["sh", "-c", `echo x >> /proc/${pid}/exe`], box.dir);
    assert.notEqual(status, 0, "even root of the host may not");
    assert.match(stderr, /not permitted|busy/i);
    user.prints("delete", "--force", "box");
  },
);

test(
  "a user without privileges runs a bundle whose config.json gives it a user namespace, as spec --rootless does",
  ["tool:setpriv", "userns"],
  async (box) => {
    const user = await userWithImage(box, false);
    const bundle = join(user.home, "bundle");
    user.prints("image", "unpack", "it", bundle);
    user.command("rm", join(bundle, "config.json"));
    user.prints("spec", "--bundle", bundle);
    assert.match(user.tsrun("run", "--bundle", bundle, "box").stderr, /needs a user namespace in config\.json/);
    user.command("rm", join(bundle, "config.json"));
    user.prints("spec", "--rootless", "--bundle", bundle);
    const config = readFileSync(join(bundle, "config.json"), "utf8").replace('"terminal": true', '"terminal": false');
    writeFileSync(join(bundle, "config.json"), config.replace('"sh"', '"sh", "-c", "id -u; exit 5"'));
    const { status, stdout, stderr } = user.tsrun("run", "--bundle", bundle, "box");
    assert.deepEqual([status, stdout, stderr], [5, "0\n", ""]);
    writeFileSync(join(bundle, "config.json"), config.replace('"sh"', '"sleep", "100"'));
    user.prints("create", "--bundle", bundle, "box");
    user.prints("start", "box");
    assert.equal(user.prints("exec", "box", "id", "-u"), "0\n");
    user.prints("delete", "--force", "box");
    assert.deepEqual(user.left(), []);
  },
);

test(
  "what a user without privileges runs is pulled before, where the store has it not",
  ["tool:newuidmap", "tool:setpriv", "userns"],
  async (box) => {
    const user = new User(box, true);
    await using registry = await FakeRegistry.start();
    registry.add("1", [await BASE, await THEIRS]);
    const words = ["run", "--rm", "--image", `${registry.host}/a/x:1`, "--", "cat", "/data/seed"];
    const first = await user.begin(...words).ended;
    assert.deepEqual([first.status, first.stdout], [0, "seed"], first.stderr);
    const second = await user.begin(...words).ended;
    assert.deepEqual([second.status, second.stdout, second.stderr], [0, "seed", ""]);
    assert.deepEqual(user.left(), []);
  },
);
