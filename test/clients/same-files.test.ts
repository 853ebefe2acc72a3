/**
 * `cp` is docker's: the same copies are made by both, to and from a container that runs, and what is there then is
 * the same. But for owners: docker's manual has root own what is copied in, as here, and 20.10 keeps the host's numbers.
 */

import assert from "node:assert/strict";
import { after } from "node:test";
import { DOCKER, testsBesideDocker, tsrun } from "../support/beside-docker.ts";
import type { World } from "../support/world.ts";

const { test, end } = testsBesideDocker("same-files");

after(end);

/** What there is to be copied on the host; places of the container are tidied with it. */
const PREPARE = `
  rm -rf from to && mkdir -p from/d/deep to/old && cd from
  echo f > f && chmod 640 f && chown 1000:50 f && echo in > d/in && chmod 755 d/in && chmod 750 d && chown 1001:1001 d
  ln -s f l && ln -s d dl && ln -s none broken && echo old > ../to/file && ln d/in d/hard && ln -s ../f d/deep/up
  touch -d 2001-02-03T04:05:06Z f d/in d/deep d l -h`;

const LIST = "find WHERE -exec stat -c '%n %F %a %h %N' {} + | sed 's/ regular empty / regular /' | sort";
const INSIDE = "/place /bound /named /link /etc/group";

interface Row {
  /** The words after "cp"; C: is the container, and from/ and to/ are the host's. "-" is an archive of from/, or what comes out. */
  readonly cp: string;
  readonly differs?: string;
}

/** Modes, owners and names in an archive. */
const LIST_ARCHIVE = "tar --numeric-owner -tvf - | sed -E 's/ +[0-9]+ [0-9-]{10} [0-9:]{5} / /' | sort";

function runIn(world: World, words: readonly string[], command: readonly string[]): { status: number; stdout: string } {
  const before = words.includes("-") && words.at(-1) !== "-" ? "tar --numeric-owner -C from -cf - . | " : "";
  const behind = words.at(-1) === "-" ? ` | ${LIST_ARCHIVE}` : "";
  return world.run(["bash", "-c", `set -o pipefail; cd ${world.dir} && ${before}"$@"${behind}`, "sh", ...command]);
}

/** How the copy ends, and what is there then: on the host and in the container. */
function outcome(world: World, runner: readonly string[], { cp }: Row): string {
  world.prints("sh", "-c", `cd ${world.dir} && ${PREPARE}`);
  const inside = (script: string): string => world.prints(...runner, "exec", "box1", "sh", "-c", script);
  inside(
    "rm -rf /place /bound/* /named/* /link; mkdir -p /place/dir; echo x > /place/file; ln -s /place/dir /link; ln -s file /place/l; echo g > /etc/group",
  );
  const words = cp.split(" ").map((word) => word.replace("C:", "box1:"));
  const { status, stdout } = runIn(world, words, [...runner, "cp", ...words]);
  const host = world.prints("sh", "-c", `cd ${world.dir} && ${LIST.replace("WHERE", "to")}`);
  const places = inside(`${LIST.replace("WHERE", INSIDE)}; cat /etc/group /place/file 2> /dev/null; true`);
  return `${status === 0 ? "done" : "refused"}\n${status === 0 ? stdout : ""}${host}${places}`;
}

function same(sentence: string, rows: readonly Row[]): void {
  test(sentence, (world) => {
    const flags = ["-v", `${world.dir}/bound:/bound`, "-v", "named:/named", "--network", "none"];
    world.prints("sh", "-c", `umount ${world.dir}/bound/below 2>/dev/null; rm -rf ${world.dir}/bound/*`);
    world.prints(DOCKER, "run", "-d", "--name", "box1", ...flags, "box", "sleep", "1000");
    world.prints(
      "sh",
      "-c",
      `${tsrun(world, "run", "-d", "--image", "box", ...flags, "box1").join(" ")} -- sleep 1000 > /dev/null 2>&1 < /dev/null`,
    );
    try {
      for (const row of rows) {
        const docker = outcome(world, [DOCKER], row);
        const own = outcome(world, tsrun(world), row);
        if (row.differs === undefined) assert.equal(own, docker, row.cp);
        else assert.notEqual(own, docker, `${row.cp} is the same now: ${row.differs}`);
      }
    } finally {
      world.prints(DOCKER, "rm", "-f", "box1");
      world.prints(...tsrun(world, "delete", "--force", "box1"));
    }
  });
}

same("cp to a container", [
  ...["f", "d", "d/", "d/.", "l", "dl", "dl/.", "broken", "none", "./f", "f/"].map((from) => ({
    cp: `from/${from} C:/place/dir`,
  })),
  ...["f", "d", "d/.", "l"].flatMap((from) =>
    [
      "/place/dir/",
      "/place/new",
      "/place/new/",
      "/place/none/new",
      "/place/file",
      "/place/l",
      "/link",
      "/link/x",
      "place",
      "/",
    ].map((to) => ({ cp: `from/${from} C:${to}` })),
  ),
  ...["f", "d", "l", "dl", "dl/."].flatMap((from) => [
    { cp: `-a from/${from} C:/place/dir` },
    { cp: `-L from/${from} C:/place/dir` },
  ]),
  { cp: "from/f C:/etc/group" },
  { cp: "from/f C:/bound" },
  { cp: "from/d C:/named" },
  { cp: "from/d/. C:/named/new" },
  { cp: "from/f C:", differs: "the place may be left out: it is the container's root" },
]);

same("cp from a container", [
  ...["file", "", "/", "/.", "l"].flatMap((from) =>
    ["to", "to/new", "to/new/", "to/none/x", "to/file"].map((to) => ({
      cp: `C:/place${from === "file" || from === "l" ? "/" : ""}${from} ${to}`,
    })),
  ),
  ...["/link", "/link/", "/link/.", "/none", "/place/none/x", "place/file"].map((from) => ({ cp: `C:${from} to` })),
  ...["/link", "/place/l", "/place"].flatMap((from) => [{ cp: `-L C:${from} to` }, { cp: `-L C:${from} to/new` }]),
  { cp: "C:/bound to" },
  { cp: "C:/named to" },
]);

same("cp of archives", [
  ...["/place/file", "/place", "/place/", "/place/.", "/place/l", "/link", "/link/", "/link/.", "/none"].map(
    (from) => ({
      cp: `C:${from} -`,
    }),
  ),
  ...["/link", "/place/l", "/place"].map((from) => ({ cp: `-L C:${from} -` })),
  ...["/place/dir", "/place/dir/", "/link", "/place/file", "/place/none", "/", "/bound", "/named"].map((to) => ({
    cp: `- C:${to}`,
  })),
  { cp: "-a - C:/place/dir" },
]);
