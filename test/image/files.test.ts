/** What is seen of a container's files from outside: diff, cp and inspect. */
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { layerOf } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { containerOf, stop } from "./containers.ts";
import { Store } from "./images.ts";

test("diff lists what was added, changed and deleted, and no place of a mount", [], async (box) => {
  const script =
    "mkdir -p /new/sub; echo x > /new/sub/f; rm /d/one; chmod 700 /d/two; rm -r /e; mkdir /e; echo y > /e/four; touch /vol/x /run/y; mkdir -p /deep/place/own";
  const { store, id } = await containerOf(box, script, ["--tmpfs", "/run", "-v", "/vol", "--tmpfs", "/deep/place"]);
  const expected =
    "C /d\nD /d/one\nC /d/two\nC /e\nA /e/four\nD /e/three\nA /new\nA /new/sub\nA /new/sub/f\nC /tmp\nA /tmp/.done\n";
  assert.equal(store.prints("diff", id), expected);
  await stop(box, id);
  assert.equal(store.prints("diff", id), expected);
  assert.deepEqual((JSON.parse(store.prints("diff", "--format", "json", id)) as object[])[1], {
    kind: "D",
    path: "/d/one",
  });
  box.ok("delete", id);
});

test("a container that has done nothing has changed nothing", [], async (box) => {
  const store = new Store(box);
  await store.load({ Cmd: ["sleep", "100"] });
  const id = box.id();
  store.tsrun(["create", "--image", "it", "-v", `${box.file("h")}:/etc/deep/h`, id], { output: box.path("out") });
  assert.equal(store.prints("diff", id), "");
  box.ok("delete", "--force", id);
});

test("what goes with its process is not synced when that ends, and of what stays nothing is lost", [], async (box) => {
  const store = new Store(box);
  await store.load({ Cmd: ["grep", " / overlay ", "/proc/mounts"] });
  const mounted = (...args: string[]): string => {
    const output = box.path("out");
    assert.equal(store.tsrun(args, { output }).status, 0);
    return readFileSync(`${output}.out`, "utf8");
  };
  assert.match(mounted("run", "--image", "it"), /\bvolatile\b/);
  const id = box.id();
  assert.doesNotMatch(mounted("run", "--image", "it", "--keep", id), /\bvolatile\b/);
  box.ok("delete", id);
});

test("what a run had written is there when its tsrun was killed", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const id = box.id();
  const running = store.begin(["run", "--image", "it", id, "--", "sh", "-c", "echo w > /written; exec sleep 100"]);
  await eventually(() => box.tsrun(["exec", id, "test", "-s", "/written"]).status === 0, "the file");
  running.child.kill("SIGKILL");
  await stop(box, id);
  for (const _ of ["once", "and again"]) store.prints("cp", `${id}:/written`, box.path("to"));
  assert.equal(readFileSync(box.path("to"), "utf8"), "w\n");
  box.ok("delete", id);
});

for (const running of [true, false]) {
  const how = running ? "running" : "stopped";

  test(`cp copies from a ${how} container, with docker's meaning of paths`, [], async (box) => {
    const { store, id } = await containerOf(box, "echo v > /vol/f; ln -s /d/one /link; ln -s /d /dlink", [
      "-v",
      "name:/vol",
    ]);
    if (!running) await stop(box, id);
    const out = (name: string): string => box.path(`to/${name}`);
    const cp = (from: string, to: string, ...flags: string[]): string =>
      store.prints("cp", ...flags, `${id}:${from}`, to);
    mkdirSync(box.path("to"));
    cp("/d/one", out("file"));
    cp("/d/one", box.path("to"));
    cp("d", out("new"));
    cp("/d", box.path("to"));
    cp("/d/.", out("contents"));
    cp("/d/.", box.path("to"));
    cp("/vol/f", out("vol"));
    cp("/link", out("link"));
    cp("/link", out("followed"), "-L");
    cp("/dlink/", out("dir"));
    assert.deepEqual(readdirSync(box.path("to")).toSorted(), [
      "contents",
      "d",
      "dir",
      "file",
      "followed",
      "link",
      "new",
      "one",
      "two",
      "vol",
    ]);
    assert.deepEqual(readdirSync(out("new")).toSorted(), ["one", "two"]);
    assert.deepEqual(readdirSync(out("contents")).toSorted(), ["one", "two"]);
    assert.deepEqual(readdirSync(out("dir")).toSorted(), ["one", "two"]);
    assert.equal(readFileSync(out("vol"), "utf8"), "v\n");
    assert.equal(readlinkSync(out("link")), "/d/one");
    assert.equal(readFileSync(out("followed"), "utf8"), "1");
    for (const [from, to, says] of [
      ["/none", out("x"), /no such file/i],
      ["/d/one", `${out("none")}/`, /must be a directory/],
      ["/d", out("file"), /which is a file/],
      ["/d/one", out("none/deep"), /no such file/i],
    ] as const)
      assert.match(store.refuses("cp", `${id}:${from}`, to), says);
    box.ok("delete", "--force", id);
    if (!running) assert.deepEqual(readdirSync(join(store.path, "volumes/name/data")), ["f"]);
  });

  test(`cp copies into a ${how} container, where root has the files`, [], async (box) => {
    const { store, id } = await containerOf(box, "mkdir /there; ln -s /there /alias; ln -s ../there/target /tolink", [
      "-v",
      "name:/vol",
    ]);
    if (!running) await stop(box, id);
    const source = box.file("source");
    writeFileSync(join(source, "f"), "text", { mode: 0o640 });
    symlinkSync("f", join(source, "l"));
    const cp = (from: string, to: string, ...flags: string[]): string =>
      store.prints("cp", ...flags, from, `${id}:${to}`);
    cp(join(source, "f"), "/new");
    cp(join(source, "f"), "/alias");
    cp(join(source, "f"), "/tolink");
    cp(source, "/whole");
    cp(source, "/there");
    cp(`${source}/.`, "/vol");
    const upper = join(store.path, "containers", store.names("containers")[0] ?? "", "upper");
    assert.equal(readFileSync(join(upper, "new"), "utf8"), "text");
    assert.equal(lstatSync(join(upper, "new")).mode & 0o7777, 0o640);
    assert.deepEqual(readdirSync(join(upper, "there")).toSorted(), ["f", "source", "target"]);
    assert.deepEqual(readdirSync(join(upper, "whole")).toSorted(), ["f", "l"]);
    assert.deepEqual(readdirSync(join(store.path, "volumes/name/data")).toSorted(), ["f", "l"]);
    assert.match(store.refuses("cp", source, `${id}:/new`), /which is a file/);
    box.ok("delete", "--force", id);
  });
}

test("cp leads nowhere but into the container, whatever links it has (CVE-2018-15664)", [], async (box) => {
  const outside = box.file("outside");
  writeFileSync(join(outside, "secret"), "of the host");
  const up = `../../../../../..${outside}`;
  const { store, id } = await containerOf(
    box,
    `ln -s ${outside} /abs; ln -s ${up} /rel; ln -s ${outside}/secret /file; ln -s /proc/1/root /magic`,
  );
  for (const path of ["/abs/secret", "/rel/secret", "/abs/.", "/magic/d/one"])
    assert.match(store.refuses("cp", `${id}:${path}`, box.path("got")), /Cannot|cannot/i, path);
  assert.match(store.refuses("cp", "-L", `${id}:/file`, box.path("got")), /no such file/i);
  const mine = box.file("mine", "mine");
  for (const path of ["/abs/x", "/rel/x"])
    assert.match(store.refuses("cp", mine, `${id}:${path}`), /no such file/i, path);
  store.tsrun(["cp", mine, `${id}:/file`]);
  assert.equal(readFileSync(join(outside, "secret"), "utf8"), "of the host");
  assert.deepEqual(readdirSync(outside), ["secret"]);
  assert.ok(!existsSync(box.path("got")));
  box.ok("delete", "--force", id);
});

test(
  "cp is not led astray by a container that swaps a directory for a link meanwhile (CVE-2018-15664)",
  [],
  async (box) => {
    const outside = box.file("outside");
    const swap = `mkdir /a; while :; do mv /a /b; ln -s ${outside} /a; rm /a; mv /b /a; done & true`;
    const { store, id } = await containerOf(box, swap);
    const mine = box.file("mine", "mine");
    for (let round = 0; round < 100; round += 1) store.tsrun(["cp", mine, `${id}:/a/x`]);
    assert.deepEqual(readdirSync(outside), []);
    box.ok("delete", "--force", id);
  },
);

test(
  "neither a device nor a set-id bit of a container comes to the host, and nothing of it is run (CVE-2019-14271)",
  [],
  async (box) => {
    const script =
      "mkdir /out; mknod /out/null c 1 3; cp /bin/busybox /su; chown 1000 /su; chmod 4755 /su; rm /lib*/ld-* /lib*/libnss* 2>/dev/null; true";
    const { store, id } = await containerOf(box, script);
    assert.match(store.refuses("cp", `${id}:/out`, box.path("out-dir")), /cannot copy a device/i);
    assert.match(store.refuses("cp", "-a", `${id}:/out/null`, box.path("null")), /cannot copy a device/i);
    store.prints("cp", `${id}:/su`, box.path("su"));
    const { mode, uid } = lstatSync(box.path("su"));
    assert.deepEqual([mode & 0o7777, uid], [0o755, 0]);
    store.prints("cp", "-a", `${id}:/su`, box.path("as-it-is"));
    const kept = lstatSync(box.path("as-it-is"));
    assert.deepEqual([kept.mode & 0o7777, kept.uid], [0o4755, 1000]);
    box.ok("delete", "--force", id);
  },
);

test("what looks like a whiteout on the host takes nothing away in a container", [], async (box) => {
  const { store, id } = await containerOf(box, "true");
  const layer = await layerOf([{ name: "x", content: "x" }]);
  assert.ok(layer !== undefined);
  const source = box.file("source");
  writeFileSync(join(source, ".wh.one"), "");
  store.prints("cp", `${source}/.`, `${id}:/d`);
  assert.equal(store.prints("exec", id, "ls", "-A", "/d"), ".wh.one\none\ntwo\n");
  box.ok("delete", "--force", id);
});

test("a read-only container stays as it is", [], async (box) => {
  const { store, id } = await containerOf(box, "true", ["--read-only", "--tmpfs", "/tmp", "-v", "name:/vol:ro"]);
  const mine = box.file("mine", "mine");
  for (const state of ["running", "stopped"]) {
    if (state === "stopped") await stop(box, id);
    for (const path of ["/x", "/vol/x"]) assert.match(store.refuses("cp", mine, `${id}:${path}`), /read-only/i, state);
  }
  box.ok("delete", "--force", id);
});

test("what cp cannot do is refused by name", [], async (box) => {
  const store = new Store(box);
  assert.match(store.refuses("cp", "a", "b"), /a container on one side/);
  assert.match(store.refuses("cp", "a:/x", "b:/y"), /between containers/);
  assert.match(store.refuses("cp", "-", "-"), /a container on one side/);
  assert.match(store.refuses("cp", "none:/x", "/y"), /does not exist/);
});

test("inspect shows a container's state, image, process and mounts", [], async (box) => {
  const { store, id } = await containerOf(box, "true", [
    "-v",
    "name:/vol:ro",
    "-e",
    "A=b",
    "-l",
    "k=v",
    "--hostname",
    "h",
  ]);
  const image = (JSON.parse(store.prints("image", "inspect", "it")) as { Id: string }[])[0]?.Id;
  interface Shown {
    readonly State: object;
    readonly Image: string;
    readonly Mounts: readonly {
      readonly Type: string;
      readonly Name?: string;
      readonly Destination: string;
      readonly RW: boolean;
    }[];
    readonly Config: {
      readonly Env: readonly string[];
      readonly Labels: Record<string, string>;
      readonly Hostname: string;
    };
  }
  const inspect = (): Shown => (JSON.parse(store.prints("inspect", id)) as Shown[])[0] as Shown;
  const shown = inspect();
  const no = { Paused: false, Restarting: false, Dead: false };
  assert.deepEqual(shown.State, { Status: "running", Running: true, ...no, Pid: box.state(id).pid });
  assert.equal(shown.Image, image);
  const { Type, Name, RW } = shown.Mounts.find(({ Destination }) => Destination === "/vol") ?? {};
  assert.deepEqual([Type, Name, RW], ["volume", "name", false]);
  assert.ok(shown.Config.Env.includes("A=b"));
  assert.deepEqual([shown.Config.Labels["k"], shown.Config.Hostname], ["v", "h"]);
  await stop(box, id);
  assert.deepEqual(inspect().State, { Status: "exited", Running: false, ...no, Pid: 0 });
  box.ok("delete", id);
  assert.match(store.refuses("inspect", id), /does not exist/);
});
