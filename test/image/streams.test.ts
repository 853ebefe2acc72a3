/** `cp` with "-": an archive out of a container, and one into it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test, type Box } from "../support/box.ts";
import { TSRUN } from "../support/runtime.ts";
import { assertSameTree, treeOf } from "../support/tree.ts";
import { containerOf, stop } from "./containers.ts";
import { forged, type Forged } from "./forge.ts";
import type { Store } from "./images.ts";

interface Ended {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function cp(store: Store, args: readonly string[], input: Buffer = Buffer.alloc(0)): Ended {
  const all = ["--root", store.box.root, "--store", store.path, "cp", ...args];
  const { status, stdout, stderr } = spawnSync(TSRUN, all, { input, maxBuffer: 1 << 28 });
  return { status, stdout, stderr: stderr.toString() };
}

/** An archive into a container. */
function put(store: Store, to: string, archive: Buffer): string {
  const { status, stderr } = cp(store, ["-", to], archive);
  assert.equal(stderr.trim().split("\n").length, 1, stderr);
  return status === 0 ? "" : stderr;
}

/** The archive that comes out of a container. */
function got(store: Store, from: string, ...flags: string[]): Buffer {
  const { status, stdout, stderr } = cp(store, [...flags, from, "-"]);
  assert.equal(status, 0, stderr);
  return stdout;
}

function tar(archive: Buffer, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("tar", args, { input: archive });
  assert.equal(status, 0, stderr.toString());
  return stdout.toString();
}

function namesIn(archive: Buffer): string[] {
  return tar(archive, "-tf", "-").trimEnd().split("\n");
}

function unpacked(box: Box, archive: Buffer, name: string): string {
  const dir = box.file(name);
  tar(archive, "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", "-", "-C", dir);
  return dir;
}

const STRANGE = `
  mkdir -m 1750 /s && cd /s && echo text > f && chmod 4640 f && chown 1000:50 f && ln f hard && ln -s ../f link
  mkfifo -m 600 pipe && mkdir deep && : > deep/empty && mknod null c 1 3 && chown 9:9 deep link -h
  touch -d 2001-02-03T04:05:06Z f deep -h`;

for (const running of [true, false]) {
  const how = running ? "running" : "stopped";
  test(`cp to "-" writes the files of a ${how} container as an archive`, ["tool:tar", "tool:python3"], async (box) => {
    const { store, id } = await containerOf(box, STRANGE);
    if (!running) await stop(box, id);
    const ours = treeOf(join(unpacked(box, got(store, `${id}:/s`), "ours"), "s"));
    const [overlay] = store.names("containers");
    assertSameTree(ours, treeOf(join(store.path, "containers", overlay ?? "", "upper/s")), "ours, not the container's");
    box.ok("delete", "--force", id);
  });
}

test("the names in the archive are those of docker cp", ["tool:tar"], async (box) => {
  const { store, id } = await containerOf(box, "ln -s one /d/link; ln -s /d /dlink");
  for (const [from, names, ...flags] of [
    ["/d/one", ["one"]],
    ["/d", ["d/", "d/link", "d/one", "d/two"]],
    ["d/", ["d/", "d/link", "d/one", "d/two"]],
    ["/d/.", ["./", "./link", "./one", "./two"]],
    ["/d/link", ["link"]],
    ["/d/link", ["one"], "-L"],
    ["/dlink", ["d/", "d/link", "d/one", "d/two"], "-L"],
  ] as const)
    assert.deepEqual(namesIn(got(store, `${id}:${from}`, ...flags)), names, from);
  box.ok("delete", "--force", id);
});

test("volumes and the container's own files are in it, what the kernel shows is not", ["tool:tar"], async (box) => {
  const { store, id } = await containerOf(box, "echo v > /vol/f; echo t > /run/t", [
    "-v",
    "name:/vol",
    "--tmpfs",
    "/run",
  ]);
  const names = namesIn(got(store, `${id}:/`));
  for (const name of ["./vol/f", "./etc/hosts", "./proc/", "./dev/", "./run/"]) assert.ok(names.includes(name), name);
  assert.deepEqual(
    names.filter((name) => /^\.\/(proc|dev|sys|run)\/./.test(name)),
    [],
  );
  store.prints("cp", `${id}:/etc`, box.path("etc"));
  assert.match(readFileSync(join(box.path("etc"), "hosts"), "utf8"), /localhost/);
  store.prints("cp", `${id}:/`, box.path("all"));
  assert.deepEqual(readdirSync(join(box.path("all"), "proc")), []);
  assert.deepEqual(namesIn(got(store, `${id}:/run/t`)), ["t"], "what is named itself comes");
  box.ok("delete", "--force", id);
});

/** Without the directories that have no entry. */
function described(dir: string): string[] {
  return treeOf(dir).filter((line) => !line.startsWith('"not" ') && !line.startsWith('"not/there" '));
}

/** All that an archive can say of a file that may come into a container. */
const ENTRIES: readonly Forged[] = [
  { name: "./", flag: "5", mode: 0o700, uid: 7 },
  { name: "new/", flag: "5", mode: 0o2750, uid: 5, gid: 6, mtime: 981_173_106 },
  { name: "new/f", body: "text", mode: 0o4755, uid: 1000, gid: 50, pax: { mtime: "1234567890.123456789" } },
  { name: "new/hard", flag: "1", link: "new/f" },
  { name: "new/link", flag: "2", link: "/etc/passwd", uid: 9 },
  { name: "new/pipe", flag: "6", mode: 0o600 },
  { name: "not/there/before", body: "x", pax: { "SCHILY.xattr.user.a": "b" } },
  { name: ".wh.f", body: "no whiteout" },
];

for (const running of [true, false]) {
  const how = running ? "running" : "stopped";
  test(
    `cp from "-" unpacks an archive into a ${how} container, with its owners`,
    ["tool:tar", "tool:python3"],
    async (box) => {
      const { store, id } = await containerOf(box, "mkdir /in; chmod 711 /in; ln -s /in /alias");
      if (!running) await stop(box, id);
      assert.equal(put(store, `${id}:/alias`, forged(ENTRIES)), "");
      const upper = join(store.path, "containers", store.names("containers")[0] ?? "", "upper/in");
      assertSameTree(
        described(upper).slice(1),
        described(unpacked(box, forged(ENTRIES), "theirs")).slice(1),
        "ours, not tar's",
      );
      assert.equal(
        spawnSync("stat", ["-c", "%a %u", upper]).stdout.toString(),
        "711 0\n",
        "the directory is as it was",
      );
      box.ok("delete", "--force", id);
    },
  );
}

test("the archive may be compressed, and end anywhere after its last entry", [], async (box) => {
  const { store, id } = await containerOf(box, "true");
  const archive = forged([{ name: "x", body: "1" }]);
  for (const each of [gzipSync(archive), archive.subarray(0, 1024), Buffer.alloc(0)])
    assert.equal(put(store, `${id}:/d`, each), "");
  assert.equal(put(store, `${id}:/d`, Buffer.concat([archive, Buffer.alloc(1 << 20)])), "");
  assert.equal(store.prints("exec", id, "cat", "/d/x"), "1");
  box.ok("delete", "--force", id);
});

test("with user ids of its own a container has the owners of the archive inside", ["tool:tar"], async (box) => {
  const { store, id } = await containerOf(box, "true", ["--userns", "auto"]);
  assert.equal(put(store, `${id}:/`, forged([{ name: "a/f", uid: 5, gid: 6, mode: 0o644 }])), "");
  assert.equal(store.prints("exec", id, "stat", "-c", "%u:%g", "/a/f", "/a"), "5:6\n0:0\n");
  assert.match(tar(got(store, `${id}:/a/f`), "--numeric-owner", "-tvf", "-"), / 5\/6 /);
  assert.match(put(store, `${id}:/`, forged([{ name: "b", uid: 100_000 }])), /no owner 100000:0/);
  box.ok("delete", "--force", id);
});

const file = (name: string): Forged => ({ name, body: "mine" });

test("an archive leads nowhere but into the container (CVE-2018-15664, CVE-2021-29136)", [], async (box) => {
  const outside = box.file("outside");
  writeFileSync(join(outside, "secret"), "of the host");
  const { store, id } = await containerOf(
    box,
    `mkdir /in; ln -s ${outside} /in/abs; ln -s ../../../../..${outside} /in/rel`,
  );
  for (const [entries, says] of [
    [[file("../x")], /step '\.\.'/],
    [[file("abs/x")], undefined],
    [[file("rel/x")], undefined],
    [[{ name: "out", flag: "2", link: outside }, file("out/x")], undefined],
    [[{ name: "up", flag: "2", link: "../../../../../../../.." }, file(`up${outside}/y`)], undefined],
    [[{ name: "magic", flag: "2", link: "/proc/1/root" }, file(`magic${outside}/x`)], /cannot open the directory/i],
    [[{ name: "h", flag: "1", link: `..${outside}/secret` }], /step '\.\.'/],
    [[{ name: "h", flag: "1", link: "abs/secret" }], /it is not there|cannot open/i],
    [[{ name: "file", flag: "2", link: `${outside}/secret` }, file("file")], undefined],
    [[{ name: "hl", flag: "1", link: "/" }], /it is a directory/],
    [[{ name: ".", flag: "2", link: outside }], /root is not a directory/],
    [[{ name: "null", flag: "3", device: [1, 3] }], /cannot copy a device/i],
    [[{ name: "abs/", flag: "5" }], /in the place of a file/],
    [[{ name: "dir/", flag: "5" }, file("dir")], /in the place of a directory/],
  ] as readonly (readonly [readonly Forged[], RegExp | undefined])[]) {
    const said = put(store, `${id}:/in`, forged(entries));
    if (says === undefined) assert.doesNotMatch(said, /panick|signal/, JSON.stringify(entries));
    else assert.match(said, says, JSON.stringify(entries));
    assert.deepEqual(readdirSync(outside), ["secret"], JSON.stringify(entries));
    assert.equal(readFileSync(join(outside, "secret"), "utf8"), "of the host");
  }
  box.ok("delete", "--force", id);
});

test("a container that swaps directories for links leads no archive astray (CVE-2018-15664)", [], async (box) => {
  const outside = box.file("outside");
  mkdirSync(join(outside, "deep"));
  const swap = `mkdir -p /a/deep; while :; do mv /a /b; ln -s ${outside} /a; rm /a; mv /b /a; done & true`;
  const { store, id } = await containerOf(box, swap);
  const entries = Array.from({ length: 200 }, (_, at): Forged => ({ name: `a/deep/${at}`, body: "mine" }));
  for (let round = 0; round < 10; round += 1) cp(store, ["-", `${id}:/`], forged(entries));
  assert.deepEqual(readdirSync(join(outside, "deep")), []);
  assert.deepEqual(readdirSync(outside), ["deep"]);
  box.ok("delete", "--force", id);
});

test("what is no archive, or no place for one, is told in one line", [], async (box) => {
  const { store, id } = await containerOf(box, "true");
  const archive = forged([{ name: "x", body: "1".repeat(2000) }]);
  for (const [to, bytes, says] of [
    ["/d/one", archive, /it is no directory/],
    ["/none", archive, /it is no directory/],
    ["/d", Buffer.from("x".repeat(600)), /checksum/],
    ["/d", archive.subarray(0, 1000), /truncated/],
    ["/d", gzipSync(archive).subarray(0, 40), /truncated/],
    ["/d", Buffer.from("BZh91AY&SY....."), /bzip2 is not supported/],
  ] as const)
    assert.match(put(store, `${id}:${to}`, bytes), says);
  assert.match(cp(store, [`${id}:/none`, "-"]).stderr, /no such file/i);
  assert.ok(!existsSync(box.path("-")));
  box.ok("delete", "--force", id);
});
