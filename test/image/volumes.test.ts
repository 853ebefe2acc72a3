/** Volumes: what containers share, and what outlives them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layerOf } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { BASE, filesLayer, Store } from "./images.ts";

const SEED = layerOf([
  { name: "data/", type: "directory", mode: 0o1750, uid: 1000, gid: 50, mtime: new Date(1000_000) },
  { name: "data/seed", content: "1", mode: 0o4640, uid: 1000, gid: 50, mtime: new Date(2000_000) },
  { name: "data/other", type: "link", linkname: "data/seed" },
  { name: "data/link", type: "symlink", linkname: "/etc/passwd", uid: 7, gid: 8 },
]);

test("a named volume outlives the container that it was made for, and is there for the next one", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.equal(store.says("cat /v/f 2>/dev/null; echo first > /v/f", "-v", "vol:/v"), "");
  assert.equal(store.says("cat /w/f", "--mount", "src=vol,dst=/w,ro"), "first");
  assert.match(store.sh("echo x > /w/f", ["-v", "vol:/w:ro"]).stderr, /Read-only/);
  assert.equal(store.prints("volume", "ls", "--quiet"), "vol\n");
  assert.equal(store.prints("volume", "rm", "vol"), "vol\n");
  assert.equal(store.prints("volume", "ls", "--quiet"), "");
  assert.deepEqual(store.names("trash"), []);
});

test(
  "an empty volume begins with what the image has in its place: owners, modes, times, attributes and links",
  [],
  async (box) => {
    const store = new Store(box);
    await store.load({}, await SEED);
    const look =
      "stat -c '%n %a %u %g %Y %h' /data /data/seed; stat -c '%N %u %g' /data/link; [ /data/seed -ef /data/other ] && echo linked";
    const image = store.says(look);
    assert.equal(store.says(look, "-v", "vol:/data"), image);
    assert.match(image, /^\/data 1750 1000 50 1000 .\n\/data\/seed 4640 1000 50 2000 2\n/);
    // What was there once is the volume's: nothing is copied into it again.
    store.says("rm /data/*; touch /data/mine", "-v", "vol:/data");
    assert.equal(store.says("ls /data", "-v", "vol:/data"), "mine");
    assert.equal(store.says("ls /data", "-v", "plain:/data:nocopy"), "");
    assert.equal(store.says("ls /data; stat -c '%a %u' /data", "--mount", "dst=/data,volume-nocopy"), "755 0");
  },
);

function python(...args: string[]): string {
  return execFileSync("python3", ["-c", ...args], { encoding: "utf8" });
}

test("extended attributes come along", ["tool:python3"], async (box) => {
  const store = new Store(box);
  // Written to by hand, which a layer in the form of an archive cannot be.
  const archive = await store.archive("it.tar", { layers: [await BASE, await SEED], process: { Cmd: ["sh"] } });
  store.prints("--snapshotter", "overlayfs", "image", "load", archive, "--name", "it");
  const layer = store.names("layers").find((name) => existsSync(join(store.path, "layers", name, "fs/data"))) ?? "";
  const set = "import os, sys; os.setxattr(sys.argv[1], 'trusted.mine', b'yes')";
  python(set, join(store.path, "layers", layer, "fs/data/seed"));
  store.says("true", "-v", "vol:/data");
  const get = "import os, sys; print(os.getxattr(sys.argv[1], 'trusted.mine').decode())";
  assert.equal(python(get, join(store.path, "volumes/vol/data/seed")), "yes\n");
});

test("a link of the image leads a volume nowhere but into the image", [], async (box) => {
  const store = new Store(box);
  const outside = box.file("outside");
  writeFileSync(join(outside, "secret"), "of the host");
  const layer = await layerOf([
    { name: "data", type: "symlink", linkname: outside },
    { name: "up", type: "symlink", linkname: "../../../../../../etc" },
  ]);
  await store.load({}, layer);
  assert.equal(
    store.says("ls -A /up/", "-v", "etc:/up").split("\n").toSorted().join(),
    "group,hostname,hosts,passwd,resolv.conf",
  );
  assert.equal(store.says("ls -A /data/", "-v", "vol:/data"), "");
  assert.deepEqual(readdirSync(outside), ["secret"]);
});

test("a volume is a directory, and is refused where the image has a file", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.equal(
    store.refuses("run", "--image", "it", "-v", "vol:/etc/passwd", box.id()),
    "cannot mount a volume on /etc/passwd: what the image has there is not a directory",
  );
  assert.deepEqual(store.names("containers"), []);
});

test("a volume is open to whoever the container is, under whatever umask it is made", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const [umask, args] = [process.umask(0o077), ["-v", "vol:/v", "-v", "/own", "-u", "1000"]];
  try {
    assert.equal(store.says("stat -c '%a %n' /v /own; ls /v", ...args), "755 /v\n755 /own");
  } finally {
    process.umask(umask);
  }
});

test("a volume is not removed as long as a container uses it", [], async (box) => {
  const store = new Store(box);
  await store.load({ Cmd: ["sleep", "100"] });
  const id = box.id();
  assert.equal(store.tsrun(["create", "--image", "it", "-v", "vol:/v", id], { output: box.path("out") }).status, 0);
  assert.match(
    store.refuses("volume", "rm", "vol"),
    new RegExp(`cannot remove the volume vol: container ${id} uses it`),
  );
  assert.equal(store.prints("volume", "prune", "--all", "--force"), "");
  const [{ Containers = [], Mountpoint = "" } = {}] = JSON.parse(store.prints("volume", "inspect", "vol")) as {
    Containers?: string[];
    Mountpoint?: string;
  }[];
  assert.deepEqual([Containers, Mountpoint], [[id], join(store.path, "volumes/vol/data")]);
  box.ok("delete", "--force", id);
  assert.equal(store.prints("volume", "prune", "--all", "--force"), "vol\n");
});

test("volumes that no container uses are pruned when somebody says so", [], async (box) => {
  const store = new Store(box);
  // Times are whole seconds: none ends before the volumes are listed.
  await eventually(() => Date.now() % 1000 < 300, "the beginning of a second");
  store.prints("volume", "create", "one");
  store.prints("volume", "create", "two", "--label", "a=b");
  assert.match(store.prints("volume", "ls"), /^VOLUME NAME +CREATED +CONTAINERS\none +just now +0\ntwo/);
  assert.equal(store.tsrun(["volume", "prune", "-a"], { input: "n\n" }).status, 1);
  assert.equal(store.tsrun(["volume", "prune", "-a"], { input: "" }).status, 1);
  assert.match(
    store.tsrun(["volume", "prune", "-a"], { input: "y\n" }).stdout,
    /one, two\. Go on\? \[y\/N\] one\ntwo\n$/,
  );
  assert.equal(store.prints("volume", "ls", "--format", "json"), "[]\n");
});

test("a volume with a name is pruned only with --all, and only what the filters ask for", [], async (box) => {
  const store = new Store(box);
  const anonymous = store.prints("volume", "create").trim();
  for (const [name, label] of [
    ["one", "k=1"],
    ["two", "k=2"],
    ["twenty", "other"],
  ] as const)
    store.prints("volume", "create", name, "--label", label);
  const listed = (...filters: string[]): string[] =>
    store
      .prints("volume", "ls", "-q", ...filters.flatMap((filter) => ["-f", filter]))
      .split("\n")
      .filter(Boolean);
  assert.deepEqual(listed("name=tw"), ["twenty", "two"]);
  assert.deepEqual(listed("name=one", "name=two"), ["one", "two"]);
  assert.deepEqual(listed("label=k"), ["one", "two"]);
  assert.deepEqual(listed("label=k", "label=k=2"), ["two"]);
  assert.deepEqual(listed("dangling=false"), []);
  assert.equal(listed("dangling=true").length, 4);
  for (const filter of ["name", "none=x", "dangling=maybe", "label!=k"])
    assert.match(store.refuses("volume", "ls", "--filter", filter), /--filter/, filter);
  assert.equal(store.prints("volume", "prune", "-f"), `${anonymous}\n`);
  assert.equal(store.prints("volume", "prune", "-f"), "");
  assert.equal(store.prints("volume", "prune", "-a", "-f", "--filter", "label!=k"), "twenty\n");
  assert.equal(store.prints("volume", "prune", "-a", "-f", "--filter", "label=k=1"), "one\n");
  assert.deepEqual(listed(), ["two"]);
  assert.match(store.refuses("volume", "create", "-d", "nfs", "three"), /there are no drivers/);
});

test("what is no volume is refused by its name", [], async (box) => {
  const store = new Store(box);
  store.prints("volume", "create", "there");
  assert.equal(store.prints("volume", "create", "there"), "there\n");
  for (const name of ["..", ".lock", "a", "a/b", "-x1", "there2"])
    assert.notEqual(store.tsrun(["volume", "rm", "--", name]).status, 0, name);
  assert.match(store.refuses("volume", "rm", "there", "none"), /there is no volume "none"/);
  assert.equal(store.prints("volume", "rm", "--force", "none", "there"), "there\n");
  assert.match(store.refuses("volume", "create", "a b"), /no name of a volume/);
});

test("volumes of the container's own go with it", [], async (box) => {
  const store = new Store(box);
  await store.load({ Volumes: { "/data": {} } }, await filesLayer({ "data/seed": "1", "own/seed": "2" }));
  assert.equal(store.says("cat /data/seed /own/seed; touch /data/x /own/x", "-v", "/own"), "12");
  assert.deepEqual([store.names("containers"), store.names("volumes").filter((name) => name !== ".lock")], [[], []]);
});

test("what containers have put into a volume stays in it", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const data = join(store.path, "volumes/vol/data");
  const outside = box.file("outside");
  store.prints("volume", "create", "vol");
  mkdirSync(join(data, "real"));
  symlinkSync(outside, join(data, "link"));
  chmodSync(data, 0o700);
  store.says("rm -r /v/real", "-v", "vol:/v");
  store.prints("volume", "rm", "vol");
  assert.ok(existsSync(outside));
});

test("a volume that was being filled when its container's maker was killed is filled anew", [], async (box) => {
  const store = new Store(box);
  const files = Object.fromEntries(Array.from({ length: 3000 }, (_, number) => [`data/${number}`, "x".repeat(9000)]));
  await store.load({}, await filesLayer(files));
  const data = join(store.path, "volumes/vol/data");
  const count = (...flags: string[]): string => store.says("ls /data | wc -l", "-v", ...flags);
  const half = async (): Promise<void> => {
    const id = box.id();
    const killed = store.begin(["run", "--image", "it", "-v", "vol:/data", id]);
    await eventually(() => existsSync(data) && readdirSync(data).length > 0, "the beginning of a copy");
    killed.child.kill("SIGKILL");
    await killed.ended;
    assert.ok(readdirSync(data).length < 3000, "it was killed in time");
    store.prints("delete", "--force", id);
  };
  await half();
  assert.equal(count("vol:/data"), "3000");
  assert.equal(count("vol:/data"), "3000");
  store.prints("volume", "rm", "vol");
  await half();
  assert.equal(count("vol:/data:nocopy"), "0", "what is half is nothing");
});
