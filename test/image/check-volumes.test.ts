/** `image check` of volumes. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { Store } from "./images.ts";

/** What check says, without the line that sums up. */
function check(store: Store, ...flags: string[]): { status: number; lines: string[] } {
  const { status, stdout } = store.tsrun(["image", "check", ...flags]);
  return { status, lines: stdout.trimEnd().split("\n").slice(0, -1) };
}

test("check looks at the volumes, and makes anew what there must be", [], async (box) => {
  const store = new Store(box);
  await store.load({});
  const at = (...names: string[]): string => join(store.path, "volumes", ...names);
  const names = ["broken", "nameless", "other", "lost", "whole"];
  for (const name of names) store.prints("volume", "create", "--label", "a=b", name);
  writeFileSync(at("broken/data/kept"), "kept");
  writeFileSync(at("broken/volume.json"), '{"version":1,');
  rmSync(at("nameless/volume.json"));
  writeFileSync(at("other/volume.json"), readFileSync(at("whole/volume.json")));
  rmSync(at("lost/data"), { recursive: true });
  mkdirSync(at(".unmade/data"), { recursive: true });
  writeFileSync(at("file"), "");
  const whole = readFileSync(at("whole/volume.json"), "utf8");
  const says = [
    "volumes/.unmade: was left by a command that was killed",
    "volumes/broken: its record is damaged",
    "volumes/file: is no volume",
    "volumes/lost: its files are missing",
    "volumes/nameless: has no record",
    "volumes/other: its record is damaged",
  ];
  assert.match(store.refuses("volume", "ls"), /volume\.json is damaged \("tsrun image check --repair" makes it anew\)/);
  assert.deepEqual(check(store), { status: 1, lines: says });
  const { status, lines } = check(store, "--repair");
  assert.equal(status, 0);
  assert.deepEqual(
    lines.map((line) => line.slice(0, line.indexOf(" ("))),
    says,
  );
  assert.deepEqual(check(store), { status: 0, lines: [] });
  assert.equal(
    store.prints("volume", "ls", "-q"),
    names
      .toSorted()
      .map((name) => `${name}\n`)
      .join(""),
  );
  assert.equal(readFileSync(at("broken/data/kept"), "utf8"), "kept");
  assert.equal(readFileSync(at("whole/volume.json"), "utf8"), whole);
  assert.ok(!existsSync(at("file")) && !existsSync(at(".unmade")));
  assert.equal(store.says("cat /v/kept; touch /w/x", "-v", "broken:/v", "-v", "lost:/w"), "kept");
  renameSync(at("lost"), box.path("lost"));
  assert.deepEqual(check(store), { status: 0, lines: [] }, "one that is gone is not missed: nobody has noted it");
});
