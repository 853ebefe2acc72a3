import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import type { Config } from "../support/config.ts";
import { run } from "../support/runtime.ts";

test("a config.json that needs more memory than there is fails in one line", ["tsrun"], (box) => {
  const bundle = box.bundle("true");
  const path = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Config;
  config.process.env = Array.from({ length: 180_000 }, (_, index) => `E${String(index).padStart(6, "0")}=1`);
  writeFileSync(path, JSON.stringify(config));
  const { status, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
  assert.equal(status, 1);
  assert.match(stderr, /out of memory: config.json/);
  assert.deepEqual(box.settled(), []);
});

test("a NUL in config.json is told by the parser", ["tsrun"], (box) => {
  const bundle = box.bundle("true");
  const path = join(bundle, "config.json");
  writeFileSync(path, readFileSync(path, "utf8").replace('"true"', '"tr\0ue"'));
  const { status, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
  assert.equal(status, 1);
  assert.match(stderr, /JSON is malformed at line \d+, column \d+: control characters/);
});

test("deep JSON on a small stack is an error and no crash", ["tsrun"], (box) => {
  const bundle = box.bundle("true");
  const path = join(bundle, "config.json");
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  writeFileSync(path, readFileSync(path, "utf8").replace("{", `{"deep":${deep},`));
  for (const stack of [8192, 256, 64]) {
    const command = [
      "sh",
      "-c",
      `ulimit -s ${stack}; exec "$@"`,
      "sh",
      ...box.command("run", "--bundle", bundle, box.id()),
    ];
    const { status, stderr } = run(command, box.dir, { env: box.environment() });
    assert.equal(status, 1);
    assert.match(stderr, /nest/);
    assert.doesNotMatch(stderr, /defect/);
  }
});

test("the line of an error has at most 4 KiB", ["tsrun"], (box) => {
  const { status, stderr } = box.tsrun(["create", "--bundle", `/${"x".repeat(20_000)}`, box.id()]);
  assert.equal(status, 1);
  assert.ok(stderr.length < 4096, `${stderr.length}`);
});
