/** What is pulled is what others make of the same image, file by file: skopeo with umoci, and GNU tar. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import type { Layer } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import { assertSameTree, treeOf } from "../support/tree.ts";
import { command, DockerRegistry, oddLayers } from "./docker-registry.ts";
import { pull } from "./fake-registry.ts";
import { forgedLayer, type Forged } from "./forge.ts";
import { Store } from "./images.ts";

const NEEDS = ["tool:docker-registry", "tool:skopeo", "tool:umoci", "tool:python3"] as const;

/** The image as this program unpacks it, and as skopeo and umoci do. */
async function pulledByBoth(box: Box, layers: readonly Layer[]): Promise<{ ours: string[]; theirs: string[] }> {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  registry.push(store, layers);
  const { status, stderr } = await pull(store, ["-q", `${registry.host}/x:1`]);
  assert.equal(status, 0, stderr);
  store.prints("image", "unpack", `${registry.host}/x:1`, box.path("ours"));
  const [from, to] = [`docker://${registry.host}/x:1`, `oci:${box.path("copy")}:v1`];
  command("skopeo", "copy", "-q", "--src-tls-verify=false", from, to);
  command("umoci", "unpack", "--image", `${box.path("copy")}:v1`, box.path("theirs"));
  return { ours: treeOf(`${box.path("ours")}/rootfs`), theirs: treeOf(`${box.path("theirs")}/rootfs`) };
}

/** The times of directories are their own matter: umoci loses those in which it makes a directory without an entry. */
function timeless(tree: readonly string[]): string[] {
  return tree.map((line) => line.replace(/^(".*" d \S+ \S+) \S+/, "$1"));
}

test("the files of an image are those that skopeo and umoci make of it", NEEDS, async (box) => {
  const { ours, theirs } = await pulledByBoth(box, await oddLayers());
  assertSameTree(timeless(ours), timeless(theirs), "ours, not theirs");
});

/** All that an archive can say of a file, and a layer that changes and removes some of it. */
function strangeLayers(): Layer[] {
  const pax = { mtime: "1234567890.123456789" };
  const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
  const directory = (name: string, mode: number, more: Record<string, string> = {}): Forged => ({
    name: `${name}/`,
    flag: "5",
    mode,
    pax: { ...pax, ...more },
  });
  return [
    forgedLayer([
      directory(".", 0o755),
      directory("d", 0o1777, { mtime: "-7.5", "SCHILY.xattr.user.a": "directory" }),
      directory("d/no", 0, { mtime: "0.000000001" }),
      directory("gone", 0o2750),
      { name: "gone/x", pax },
      { name: "setuid", mode: 0o6755, uid: 65_534, gid: 4_000_000_000, body: "x", pax },
      { name: "able", mode: 0o755, pax: { ...pax, "SCHILY.xattr.security.capability": capability } },
      { name: "marked", pax: { ...pax, "SCHILY.xattr.user.b": "\0\u0001\n=", "SCHILY.xattr.trusted.c": "y" } },
      { name: "d/same", flag: "1", link: "marked", pax },
      { name: "null", flag: "3", device: [1, 3], mode: 0o666, pax },
      { name: "disk", flag: "4", device: [259, 70_000], mode: 0o660, gid: 6, pax },
      { name: "pipe", flag: "6", mode: 0o4600, uid: 1, pax },
      { name: "link", flag: "2", link: "/d/../nowhere", uid: 9, pax: { mtime: "99.000000099" } },
      { name: "d/link too", flag: "1", link: "link", pax },
      { name: "new\nline ö \\ \t", body: "x", pax },
      { name: Buffer.from("not utf8 \xff", "latin1"), pax: { ...pax, "SCHILY.xattr.user.d": "x" } },
      { name: `${"long/".repeat(45)}${"n".repeat(255)}`, pax },
      { name: "to/be/replaced", body: "x", pax },
    ]),
    forgedLayer([
      directory(".", 0o711),
      directory("d", 0o700, { mtime: "5.5" }),
      { name: "d/.wh.no" },
      { name: ".wh.gone" },
      { name: "marked", body: "changed", pax: { mtime: "2000000000.999999999" } },
      directory("to", 0o755),
      { name: "to/be", flag: "2", link: "here", pax },
    ]),
  ];
}

/** Without the directories that have no entry. */
function described(tree: readonly string[]): string[] {
  return tree.filter((line) => !line.startsWith('"long'));
}

test("times to the nanosecond, attributes, devices and links too", NEEDS, async (box) => {
  const { ours, theirs } = await pulledByBoth(box, strangeLayers());
  assertSameTree(described(ours), described(theirs), "ours, not theirs");
  assertSameTree(timeless(ours), timeless(theirs), "ours, not theirs");
});

test("a layer is what GNU tar makes of it", ["tool:python3", "tool:tar"], async (box) => {
  const store = new Store(box);
  const [layer] = strangeLayers();
  assert.ok(layer !== undefined);
  await store.loadImage({ layers: [layer], process: { Cmd: ["x"] } });
  store.prints("image", "unpack", "it", box.path("ours"));
  const archive = box.path("layer.tar");
  writeFileSync(archive, layer.tar);
  command("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", archive, "-C", box.file("theirs"));
  const [ours, theirs] = [treeOf(`${box.path("ours")}/rootfs`), treeOf(box.path("theirs"))];
  assertSameTree(timeless(ours), timeless(theirs), "ours, not theirs");
});

test("thousands of files of this machine are what they were", [...NEEDS, "tool:tar"], async (box) => {
  const pack = (name: string, directories: readonly string[], trees: readonly string[]): Layer => {
    const archive = box.path(name);
    const how = ["--format=pax", "--xattrs", "--numeric-owner", "-C", "/", "-cf", archive];
    command("tar", ...how, "--no-recursion", ...directories, "--recursion", ...trees);
    return forgedLayer(readFileSync(archive));
  };
  const layers = [
    pack("1.tar", ["usr", "usr/lib", "usr/share"], ["usr/share/zoneinfo", "usr/lib/python3"]),
    pack("2.tar", ["usr", "usr/lib"], ["usr/lib/python3/dist-packages", "usr/lib/terminfo"]),
  ];
  const { ours, theirs } = await pulledByBoth(box, layers);
  assertSameTree(ours, theirs, "ours, not theirs");
});
