/**
 * What `explain` prints of each *.config.json beside this file, compared with its *.plan.txt: a change of what tsrun does is
 * read here as a change of sentences. UPDATE=1 writes the texts anew.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Circumstances } from "../../src/explain/circumstances.ts";
import { tellStory } from "../../src/explain/story.ts";
import { toText } from "../../src/explain/text.ts";
import { test } from "../support/unit.ts";
import { circumstances } from "./circumstances.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** Command lines that differ from "run box", by the name of the config. */
const COMMANDS: Readonly<Record<string, Partial<Circumstances>>> = {
  "terminal-and-hooks": {
    command: "create",
    detach: true,
    consoleSocket: "/run/console.sock",
    pidFile: "/run/box.pid",
    preserveFds: 2,
  },
  "joined-namespaces": { detach: true, newKeyring: false, pivot: false },
};

const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".config.json"))
  .map((name) => name.slice(0, -".config.json".length));

for (const name of names) {
  test(`the plan of ${name} reads as it did`, () => {
    const all = circumstances(readFileSync(join(FOLDER, `${name}.config.json`), "utf8"), COMMANDS[name]);
    const text = toText(`What "tsrun ${all.command} box" does`, [], tellStory(all));
    const path = join(FOLDER, `${name}.plan.txt`);
    if (process.env["UPDATE"] === "1") writeFileSync(path, text);
    assert.equal(text, readFileSync(path, "utf8"), "UPDATE=1 takes the new text, if it is right");
  });
}

test("there is a plan of each of the five kinds", () => {
  assert.deepEqual(names.toSorted(), [
    "docker-like",
    "joined-namespaces",
    "minimal",
    "rootless-user-namespace",
    "terminal-and-hooks",
  ]);
});
