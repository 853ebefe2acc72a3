/** The store of a user without privileges. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { layerOf } from "../../scripts/fixtures.ts";
import { BASE, filesLayer, Store } from "./images.ts";
import { FIRST, UID, User } from "./user.ts";

test(
  "a user with lent ids loads, checks, unpacks and removes images of any owners",
  ["tool:newuidmap", "tool:setpriv", "userns"],
  async (box) => {
    const user = new User(box, true);
    const owned = await layerOf([
      { name: "mine", content: "1", uid: 0, gid: 0 },
      { name: "alice", content: "2", uid: 1000, gid: 1001 },
      { name: "gone/.wh..wh..opq" },
      { name: "null", type: "character-device", devmajor: 1, devminor: 3 },
    ]);
    const archive = await new Store(box).archive("it.tar", {
      layers: [await BASE, await filesLayer({ "gone/x": "1" }), owned],
      process: { Cmd: ["sh"] },
    });
    assert.equal(user.prints("image", "load", archive), "it:latest\n");
    assert.match(user.prints("image", "ls"), /^it /m);
    assert.match(user.prints("image", "check"), /^1 image, 3 layers: 0 faults\n$/);
    user.prints("image", "unpack", "it", join(user.home, "bundle"));
    const owner = (name: string): number[] => {
      const { uid, gid } = statSync(join(user.home, "bundle/rootfs", name));
      return [uid, gid];
    };
    assert.deepEqual(
      [owner("mine"), owner("alice")],
      [
        [UID, UID],
        [FIRST + 999, FIRST + 1000],
      ],
    );
    assert.throws(
      () => statSync(join(user.home, "bundle/rootfs/gone/x")),
      /ENOENT/,
      "a directory that is opaque hides it",
    );
    user.prints("image", "rm", "it");
    assert.match(user.prints("image", "du"), /^layers +0 /m);
  },
);

test(
  "a user without lent ids loads what root owns, and is told what the rest would need",
  ["tool:setpriv", "userns"],
  async (box) => {
    const user = new User(box, false);
    const store = new Store(box);
    const mine = await store.archive("mine.tar", { layers: [await filesLayer({ a: "1" })] });
    assert.equal(user.prints("image", "load", mine), "mine:latest\n");
    assert.match(user.prints("image", "check"), / 0 faults\n$/);
    const theirs = await layerOf([{ name: "alice", content: "2", uid: 1000, gid: 1001 }]);
    const { status, stderr } = user.tsrun("image", "load", await store.archive("theirs.tar", { layers: [theirs] }));
    assert.equal(status, 1);
    assert.match(
      stderr,
      /Cannot set the owner 1000:1001: .* are there enough ids in \/etc\/subuid and \/etc\/subgid\?/,
    );
    user.prints("image", "prune", "--all");
  },
);

test("what the user may not read is named", ["tool:newuidmap", "tool:setpriv", "userns"], (box) => {
  const user = new User(box, true);
  const store = box.file("store");
  chownSync(store, UID, UID);
  chownSync(user.home, 0, 0);
  chmodSync(user.home, 0o700);
  const said = (): string => user.tsrun("--store", store, "image", "pull", "localhost:1/x").stderr;
  assert.match(said(), /cannot look for .*\/home\/\.config\/containers\/registries\.conf: permission denied/);
  chmodSync(box.path("lent"), 0o600);
  assert.match(said(), /cannot read \/etc\/subuid: permission denied/);
});
