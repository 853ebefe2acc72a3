/** Containers that share namespaces with others, by their names. */
import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { test } from "../support/box.ts";
import { eventually, textOf } from "../support/runtime.ts";
import { Store } from "./images.ts";

test("a container joins the namespaces of another one that are asked for, and no others", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const id = box.id();
  const first = store.begin([
    "run",
    "--image",
    "it",
    "--hostname",
    "first",
    id,
    "--",
    "sh",
    "-c",
    "echo up; sleep 1000",
  ]);
  await eventually(() => first.read().stdout === "up\n", "the first container");
  const pid = String((JSON.parse(box.ok("state", id).stdout) as { pid: number }).pid);
  const files = ["cgroup", "ipc", "net", "pid", "uts"];
  const theirs = files.map((file) => readlinkSync(`/proc/${pid}/ns/${file}`));
  for (const [flag, file] of [
    ["--network", "net"],
    ["--pid", "pid"],
    ["--uts", "uts"],
    ["--cgroupns", "cgroup"],
  ] as const) {
    const script = `for file in ${files.join(" ")}; do readlink /proc/self/ns/$file; done`;
    const own = store.says(script, flag, `container:${id}`).split("\n");
    assert.deepEqual(
      own.map((name, index) => name === theirs[index]),
      files.map((each) => each === file),
      flag,
    );
  }
  assert.equal(store.says("hostname", "--uts", `container:${id}`), "first");
  store.prints("kill", id, "KILL");
  await first.ended;
  assert.equal(textOf(`/proc/${pid}/comm`), "");
  assert.match(store.refuses("run", "--image", "it", "--pid", `container:${id}`, box.id()), /container does not exist/);
});

test("a container that does not run has no namespaces to join", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const id = box.id();
  store.tsrun(["run", "--image", "it", "--keep", id, "--", "true"]);
  assert.match(
    store.refuses("run", "--image", "it", "--network", `container:${id}`, box.id()),
    /cannot join the network namespace of container .*: it does not run/,
  );
  box.ok("delete", "--force", id);
});
