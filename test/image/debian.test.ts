/**
 * A whole Debian as an image of three layers. It takes a minute and Debian's servers, so it runs only where mmdebstrap is
 * installed and TSRUN_DEBIAN=1 asks for it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { test, type Box } from "../support/box.ts";
import type { Layer } from "../../scripts/fixtures.ts";
import { Store } from "./images.ts";

/** What belongs to Python, which layer 2 has without the directories it is in. */
const PYTHON = [
  "./usr/bin/python3",
  "./usr/bin/python3.11",
  "./usr/lib/python3",
  "./usr/lib/python3.11",
  "./usr/share/python3",
];

if (process.env["TSRUN_DEBIAN"] === "1") {
  test(
    "a Debian of three layers loads, is what it was, and runs Python",
    ["tool:mmdebstrap", "tool:tar"],
    async (box) => {
      const root = makeDebian(box);
      const store = new Store(box);
      const layers = [
        layer(box, root, { without: [...PYTHON, "./etc"] }),
        layer(box, root, { of: PYTHON, gzip: true }),
        layer(box, root, { of: ["./etc"] }),
      ];
      await store.loadImage({ layers, process: { Cmd: ["bash"], Env: ["LANG=C.UTF-8"] } });
      const python = (code: string): string =>
        store.tsrun(["run", "--image", "it", box.id(), "--", "python3", "-c", code]).stdout;
      assert.equal(python("print(1)"), "1\n");
      assert.equal(
        python("import json, ssl, subprocess; print(subprocess.check_output(['dpkg', '-s', 'python3']).decode()[:16])"),
        "Package: python3\n",
      );
      assert.equal(store.says("su nobody -s /bin/sh -c 'id -un'"), "nobody");
      store.prints("image", "unpack", "it", box.path("bundle"));
      assert.equal(listing(`${box.path("bundle")}/rootfs`), listing(root));
      rmSync(root, { recursive: true });
    },
  );
} else {
  test(
    "a Debian of three layers loads, is what it was, and runs Python (with TSRUN_DEBIAN=1)",
    ["tool:mmdebstrap"],
    () => undefined,
  );
}

/** What of a root file system becomes a layer. */
interface Parts {
  readonly without?: readonly string[];
  readonly of?: readonly string[];
  readonly gzip?: boolean;
}

function makeDebian(box: Box): string {
  const root = box.path("debian");
  mkdirSync(root);
  const sources = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"].filter((path) =>
    existsSync(path),
  );
  run("mmdebstrap", "--quiet", "--variant=minbase", "--include=python3", "bookworm", root, ...sources);
  return root;
}

function layer(box: Box, root: string, { without = [], of = ["."], gzip = false }: Parts): Layer {
  const path = box.path("layer.tar");
  const excluded = without.map((name) => `--exclude=${name}`);
  run("tar", "-C", root, "--numeric-owner", "--xattrs", "--sort=name", ...excluded, "-cf", path, ...of);
  const tar = readFileSync(path);
  const type = "application/vnd.oci.image.layer.v1.tar";
  return gzip
    ? { tar, blob: gzipSync(tar, { level: 1 }), mediaType: `${type}+gzip` }
    : { tar, blob: tar, mediaType: type };
}

/** Every file with its kind, mode, owner, size, links, time and target; directories' sizes are the file system's. */
function listing(root: string): string {
  const what = "%P %y %m %U %G %T@ %l";
  const { stdout } = spawnSync(
    "sh",
    ["-c", `cd "$1" && find . -type d -printf '${what}\\n' -o -printf '${what} %s %n\\n' | sort`, "sh", root],
    {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    },
  );
  return stdout;
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  assert.equal(status, 0, `${program}: ${stderr}`);
}
