/** What is asked for by mistake: one line that says what is wrong, and nothing is left. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { succeeded, test } from "../support/box.ts";
import { filesLayer, layoutFiles, Store } from "./images.ts";

test("an empty path is a mistake, and not the working directory", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const id = box.id();
  store.prints("create", "--image", "it", id);
  const cwd = box.file("here");
  mkdirSync(cwd, { recursive: true });
  for (const args of [
    ["image", "load", ""],
    ["image", "load", "--input", ""],
    ["image", "save", "--output", "", "it"],
    ["image", "unpack", "it", ""],
    ["cp", "", `${id}:/x`],
    ["cp", `${id}:/etc`, ""],
    ["volume", "create", ""],
  ]) {
    const { status, stderr } = store.tsrun(args, { cwd });
    assert.equal(status, 1, args.join(" "));
    assert.match(stderr, /a path must not be empty|is no name of a volume/, args.join(" "));
  }
  assert.match(store.refuses("run", "--image", "it", "--cidfile", "", box.id()), /a path must not be empty/);
  assert.deepEqual(readdirSync(cwd), []);
});

test("flags that contradict each other are refused", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.match(store.refuses("run", "--image", "it", "--rm", "--keep", box.id()), /--rm and --keep exclude each other/);
});

test("a container that is not there, and is to be joined, is named", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.match(
    store.refuses("run", "--image", "it", "--network", "container:nobody", box.id()),
    /cannot join the network namespace of container "nobody": container does not exist/,
  );
});

test("other programs' transports do not become names on Docker Hub", [], async (box) => {
  const store = new Store(box);
  const layout = store.layout("layout", layoutFiles({ layers: [await filesLayer({ a: "1" })], name: "v1" }));
  store.prints("image", "load", `oci:${layout}`, "--name", "it");
  for (const to of ["dir:x", "docker-daemon:x:1", "containers-storage:x"])
    assert.match(store.refuses("image", "copy", `oci:${layout}:v1`, to), /known are oci:PATH/);
  assert.match(store.refuses("image", "copy", "dir:x", `oci:${box.path("copy")}`), /known are oci:PATH/);
  for (const to of ["oci:x", "oci-archive:x.tar", "docker-archive:x.tar"])
    assert.match(store.refuses("image", "push", "it", to), /is no registry, see "tsrun image save" and "copy"/);
});

test("a destination that cannot be is told before a registry is asked", [], (box) => {
  const store = new Store(box);
  assert.match(store.refuses("image", "copy", "nowhere.invalid/x", "X"), /invalid image name "X"/);
});

test("certificates that are not there are missed", [], (box) => {
  const store = new Store(box);
  const said = store.refuses("image", "pull", "--cert-dir", box.path("none"), "localhost:1/x");
  assert.match(said, /cannot read the certificates in .*none: no such file or directory/);
});

test("what is neither a file nor a directory is no image, and a file no place for a bundle", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const [pipe, file] = [box.path("pipe"), box.path("file")];
  execFileSync("mkfifo", [pipe]);
  writeFileSync(file, "");
  assert.match(
    store.refuses("image", "load", pipe),
    /no regular file and no directory \(a pipe is read from standard input\)/,
  );
  assert.match(store.refuses("image", "unpack", "it", file), /cannot unpack to .*file: not a directory/);
});

test("a store or a root where nothing can be made is said to be that", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.match(
    new Store(box, "/proc/none").refuses("image", "load", box.path("it.tar")),
    /cannot make the image store \/proc\/none: no such file or directory/,
  );
  const { status, stderr } = box.tsrun([
    "--root",
    "/proc/none",
    "--store",
    store.path,
    "run",
    "--image",
    "it",
    box.id(),
  ]);
  assert.equal(status, 125);
  assert.match(stderr, /cannot make the state directory \/proc\/none: no such file or directory/);
});

test("a read-only store is looked at, and a container that cannot be made from it leaves nothing", [], async (box) => {
  const store = new Store(box);
  await store.load();
  execFileSync("mount", ["--bind", store.path, store.path]);
  execFileSync("mount", ["-o", "remount,bind,ro", store.path]);
  const id = box.id();
  try {
    assert.match(store.prints("image", "ls"), /^it /m);
    store.prints("image", "inspect", "it");
    for (const args of [
      ["image", "rm", "it"],
      ["image", "check"],
      ["volume", "create", "data"],
    ])
      assert.match(store.refuses(...args), /read-only file system/);
    for (const command of ["run", "create"]) {
      assert.match(store.refuses(command, "--image", "it", id), /read-only file system/);
      assert.match(box.tsrun(["state", id]).stderr, /container does not exist/);
    }
  } finally {
    execFileSync("umount", [store.path]);
  }
});

test("a container whose store has gone can be deleted", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const id = box.id();
  store.prints("run", "--image", "it", "--keep", id, "--", "true");
  execFileSync("mv", [store.path, box.path("elsewhere")]);
  succeeded(["delete"], box.tsrun(["delete", id]));
  assert.match(box.tsrun(["state", id]).stderr, /container does not exist/);
  assert.ok(!existsSync(store.path));
});
