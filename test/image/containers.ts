/** Containers with a few files, for what is seen of them from outside. */
import assert from "node:assert/strict";
import type { Box } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { filesLayer, Store } from "./images.ts";

/** A container that has run `script` and waits, or has ended. */
export async function containerOf(
  box: Box,
  script: string,
  flags: readonly string[] = [],
): Promise<{ store: Store; id: string }> {
  const store = new Store(box);
  await store.load({}, await filesLayer({ "d/one": "1", "d/two": "2", "e/three": "3" }));
  const id = box.id();
  const args = [
    "run",
    "--detach",
    "--image",
    "it",
    ...flags,
    id,
    "--",
    "sh",
    "-c",
    `${script}; touch /tmp/.done; exec sleep 100`,
  ];
  assert.equal(store.tsrun(args, { output: box.path("out") }).status, 0);
  await eventually(() => store.tsrun(["exec", id, "test", "-e", "/tmp/.done"]).status === 0, "the script's end");
  return { store, id };
}

/** Ends the container's process; the container stays. */
export async function stop(box: Box, id: string): Promise<void> {
  box.ok("kill", id, "KILL");
  await box.reaches(id, "stopped");
}
