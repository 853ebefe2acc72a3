/** Archives and layouts that other tools make. Each test needs its tool, and is skipped by name where it is not installed. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test, type Box } from "../support/box.ts";
import { BASE, filesLayer, Store } from "./images.ts";

/** The image that the tools are given: it says who it is. */
async function original(store: Store): Promise<string> {
  const layers = [
    await BASE,
    await filesLayer({ "made/by": "tsrun\n" }),
    await filesLayer({ "made/.wh.by": "", "made/of": "layers\n" }, false),
  ];
  return store.archive("original.tar", {
    layers,
    process: { Cmd: ["sh", "-c", "echo $A; ls /made; cat /made/of"], Env: ["A=1"], User: "alice" },
    name: "v1",
  });
}

const SAYS = "1\nof\nlayers\n";

function checkRuns(store: Store, box: Box, reference: string): void {
  assert.equal(store.prints("run", "--image", reference, box.id()), SAYS, reference);
}

test("skopeo's copies of an image are the same image", ["tool:skopeo"], async (box) => {
  const store = new Store(box);
  const archive = await original(store);
  const copy = (to: string, ...flags: string[]): string => {
    tool(box, "skopeo", "--insecure-policy", "copy", "-q", ...flags, `oci-archive:${archive}:v1`, to);
    return to;
  };
  checkRuns(store, box, `oci-archive:${archive}:v1`);
  checkRuns(store, box, copy(`oci:${box.path("layout")}:v2`));
  checkRuns(store, box, copy(`oci-archive:${box.path("again.tar")}:v3`));
  checkRuns(store, box, copy(`docker-archive:${box.path("docker.tar")}:example.com/copied:v4`));
  checkRuns(store, box, copy(`oci:${box.path("zstd")}:v5`, "--dest-compress-format", "zstd", "--dest-compress"));
  assert.match(store.prints("image", "ls"), /example\.com\/copied +v4/);
});

test("umoci's image of a changed bundle loads", ["tool:umoci", "tool:skopeo"], async (box) => {
  const store = new Store(box);
  const archive = await original(store);
  tool(box, "skopeo", "--insecure-policy", "copy", "-q", `oci-archive:${archive}:v1`, `oci:${box.path("layout")}:v1`);
  tool(box, "umoci", "unpack", "--image", `${box.path("layout")}:v1`, box.path("bundle"));
  tool(
    box,
    "sh",
    "-c",
    `cd ${box.path("bundle")}/rootfs && rm -r tmp && echo changed > made/of && ln -s of made/link && chmod 4755 bin/busybox`,
  );
  tool(box, "umoci", "repack", "--image", `${box.path("layout")}:v2`, box.path("bundle"));
  store.prints("image", "load", `oci:${box.path("layout")}:v2`, "--name", "it");
  assert.equal(store.says("ls -d /tmp 2>/dev/null; cat /made/link; stat -c %a /bin/busybox"), "changed\n4755");
});

test("podman's archives load, and podman loads the same image", ["tool:podman"], async (box) => {
  const store = new Store(box);
  const archive = await original(store);
  const podman = (...args: string[]): string =>
    tool(
      box,
      "podman",
      "--root",
      box.path("podman"),
      "--runroot",
      box.path("podman-run"),
      "--tmpdir",
      box.path("podman-tmp"),
      "--storage-driver",
      "vfs",
      ...args,
    );
  const name = /Loaded image[^:]*: *(\S+)/.exec(podman("load", "-i", archive))?.[1] ?? "";
  podman("tag", name, "example.com/from-podman:v1");
  for (const format of ["docker-archive", "oci-archive"]) {
    const path = box.path(`${format}.tar`);
    podman("save", "--format", format, "-o", path, "example.com/from-podman:v1");
    checkRuns(store, box, `${format}:${path}`);
  }
  assert.match(store.prints("image", "ls"), /example\.com\/from-podman +v1/);
});

function tool(box: Box, program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, HOME: box.dir, TMPDIR: box.dir },
    timeout: 120_000,
  });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout + stderr;
}
