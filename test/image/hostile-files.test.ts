/** Images whose files mean harm to whoever looks into them from outside: everything is looked for inside of the image only. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layerOf, type Layer } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import { BASE, filesLayer, Store } from "./images.ts";

/** Loads the base and one more layer, and runs `id` in it. */
async function runWith(
  box: Box,
  layer: Layer,
  process: object = {},
): Promise<{ store: Store; run: (...flags: string[]) => string; refused: (...flags: string[]) => string }> {
  const store = new Store(box);
  await store.loadImage({ layers: [await BASE, layer], process: { Cmd: ["sh", "-c", "id -u; id -G"], ...process } });
  return {
    store,
    run: (...flags) => store.prints("run", "--image", "it", ...flags, box.id()).replaceAll("\n", ";"),
    refused: (...flags) => store.refuses("run", "--image", "it", ...flags, box.id()),
  };
}

test("an /etc/passwd that is a fifo makes nobody wait (CVE-2026-47262)", [], async (box) => {
  const { refused } = await runWith(box, await layerOf([{ name: "etc/passwd", type: "fifo" }]));
  assert.match(refused("-u", "alice"), /\/etc\/passwd of the image is not a regular file/);
  assert.match(refused(), /is not a regular file/);
});

test("an /etc/passwd that is a link is looked for inside of the image only (CVE-2024-9676)", [], async (box) => {
  const secret = box.file("passwd", "mallory:x:4242:4242::/:\n");
  const layer = await layerOf([
    { name: "etc/passwd", type: "symlink", linkname: secret },
    { name: "etc/group", type: "symlink", linkname: "../../../../proc/1/environ" },
  ]);
  const { run, refused } = await runWith(box, layer);
  assert.match(refused("-u", "mallory"), /no user "mallory"/);
  assert.equal(run(), "0;0;");
});

test("an /etc/passwd that is a link inside of the image is followed", [], async (box) => {
  const layer = await layerOf([
    { name: "etc/passwd", type: "symlink", linkname: "/usr/lib/passwd" },
    { name: "usr/lib/passwd", content: "bob:x:7:8::/:\n" },
  ]);
  const { run } = await runWith(box, layer);
  assert.equal(run("-u", "bob"), "7;8;");
});

test("an /etc/passwd that is a device is not opened", [], async (box) => {
  const { refused } = await runWith(
    box,
    await layerOf([{ name: "etc/passwd", type: "character-device", devmajor: 1, devminor: 5 }]),
  );
  assert.match(refused("-u", "alice"), /\/etc\/passwd of the image/);
});

test("an /etc/passwd that is too long is not read", [], async (box) => {
  const { refused } = await runWith(
    box,
    await filesLayer({ "etc/passwd": `alice:x:0:0::/:\n${"#\n".repeat(1 << 20)}` }),
  );
  assert.match(refused("-u", "alice"), /at most 1048576 are read/);
});

test("an /etc/passwd that was taken away, or lies below an opaque directory, has no users", [], async (box) => {
  const { refused, run } = await runWith(box, await layerOf([{ name: "etc/.wh.passwd" }]));
  assert.match(refused("-u", "alice"), /no user "alice"/);
  assert.equal(run("-u", "1000:1001"), "1000;1001;");
  const store = new Store(box);
  await store.load({}, await layerOf([{ name: "etc/.wh..wh..opq" }, { name: "etc/group", content: "x:x:9:\n" }]));
  assert.match(store.refuses("run", "--image", "it", "-u", "alice", box.id()), /no user "alice"/);
  assert.match(store.refuses("run", "--image", "it", "-u", "0:staff", box.id()), /no group "staff"/);
});

test("odd users of an image never become root", [], async (box) => {
  const layer = await filesLayer({ "etc/passwd": "big:x:4294967296:0::/:\nneg:x:-1:0::/:\nnone:x::0::/:\n" });
  for (const user of ["big", "neg", "none", "-1", "4294967295", "0x0", "1e1", " ", "root"]) {
    const { refused } = await runWith(box, layer, { User: user });
    assert.match(refused(), /no user|is no id/, user);
  }
});

test("a working directory that is a link is made inside of the image (CVE-2026-55686)", [], async (box) => {
  const outside = box.file("outside");
  const layer = await layerOf([
    { name: "link", type: "symlink", linkname: outside },
    { name: "up", type: "symlink", linkname: "../../../.." },
  ]);
  const { run, store } = await runWith(box, layer, { WorkingDir: "/up/made", Cmd: ["pwd"] });
  assert.equal(run(), "/made;");
  const result = store.tsrun(["run", "--image", "it", "-w", "/link/made", box.id()]);
  // The link dangles inside: that is an error there, or a directory inside. Nothing is made outside.
  assert.ok(result.status !== 0 || result.stdout.endsWith("/made\n"), result.stderr);
  assert.deepEqual(readdirSync(outside), []);
});

test("an image's environment takes nothing from the host (CVE-2026-57231)", [], async (box) => {
  const store = new Store(box);
  await store.load({ Env: ["SECRET", "*", "=x", "A=1"], Cmd: ["env"] });
  const { stdout, stderr } = store.tsrun(["run", "--image", "it", box.id()], { env: { SECRET: "host" } });
  assert.ok(stdout.includes("A=1") && !stdout.includes("host"), stdout);
  assert.match(stderr, /is left out/);
});

test("a volume of an image that is a link is looked for inside of the image only", [], async (box) => {
  const outside = box.file("outside");
  writeFileSync(join(outside, "secret"), "host");
  const store = new Store(box);
  await store.load({ Volumes: { "/link": {} } }, await layerOf([{ name: "link", type: "symlink", linkname: outside }]));
  const { stdout } = store.sh("ls /link/ 2>&1; echo x > /link/y");
  assert.ok(!stdout.includes("secret"), stdout);
  assert.deepEqual(readdirSync(outside), ["secret"]);
});

test("a damaged record is told of, and the image can be loaded again", [], async (box) => {
  const store = new Store(box);
  const id = await store.load();
  const file = join(store.path, "refs", "docker.io%library%it:latest.json");
  for (const text of ["", "{", "{}", '{"version":2}', "\0", "[".repeat(100_000)]) {
    writeFileSync(file, text);
    assert.match(store.refuses("image", "ls"), /is damaged/);
    assert.match(store.refuses("run", "--image", "it", box.id()), /is damaged/);
    assert.equal(await store.load(), id);
  }
  rmSync(join(store.path, "blobs"), { recursive: true });
  mkdirSync(join(store.path, "blobs"));
  assert.match(store.refuses("run", "--image", "it", box.id()), /cannot read sha256:/);
  assert.equal(await store.load(), id);
  assert.equal(store.says("echo fine"), "fine");
});
