/** The store of a user without privileges. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, cpSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test, type Box } from "../support/box.ts";
import { run, TSRUN, type Result } from "../support/runtime.ts";
import { layerOf } from "../../scripts/fixtures.ts";
import { BASE, filesLayer, Store } from "./images.ts";

const UID = 54_321;
const FIRST = 700_000;

/** A user with a home, a copy of the programs, and the ids that "lent" says. */
class User {
  readonly #box: Box;
  readonly home: string;
  readonly #programs: string;

  constructor(box: Box, lent: boolean) {
    this.#box = box;
    this.home = box.file("home");
    chownSync(this.home, UID, UID);
    this.#programs = box.file("programs");
    for (const name of ["tsrun", "tsrun-image"]) cpSync(join(dirname(TSRUN), name), join(this.#programs, name));
    for (const folder of [dirname(box.dir), box.dir, this.#programs]) chmodSync(folder, 0o755);
    writeFileSync(box.path("lent"), lent ? `${UID}:${FIRST}:65536\n` : "");
    // newuidmap wants to know the name of who calls it.
    const passwd = readFileSync("/etc/passwd", "utf8");
    writeFileSync(box.path("passwd"), `${passwd}alice:x:${UID}:${UID}::${this.home}:/bin/sh\n`);
  }

  tsrun(...args: string[]): Result {
    // Files of /etc as the user sees them, in a mount namespace of this command's own.
    const files = { passwd: "passwd", subuid: "lent", subgid: "lent" };
    const binds = Object.entries(files).map(([name, file]) => `mount --bind ${this.#box.path(file)} /etc/${name};`);
    const user = `exec setpriv --reuid ${UID} --regid ${UID} --clear-groups env -i HOME=${this.home} "$@"`;
    const command = [
      "unshare",
      "-m",
      "sh",
      "-ec",
      `${binds.join(" ")} ${user}`,
      "sh",
      `${this.#programs}/tsrun`,
      ...args,
    ];
    return run(command, this.#box.dir);
  }

  prints(...args: string[]): string {
    const { status, stdout, stderr } = this.tsrun(...args);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  path(...names: string[]): string {
    return join(this.home, ".local/share/tsrun", ...names);
  }
}

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
    assert.match(user.prints("image", "check"), /^1 images, 3 layers: 0 faults\n$/);
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
