/** `--init`: a first process that does what is expected of one. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "../support/box.ts";
import { eventually, TSRUN } from "../support/runtime.ts";
import { Store } from "./images.ts";

test("the command is a child of the first process, with no signal blocked", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.equal(store.says("cat /proc/1/comm; echo $PPID", "--init"), "tsrun-init\n1");
  const none = "0".repeat(16);
  const look = ["sed", "-n", "s/^Sig[BI][lg][kn]:\\t//p", "/proc/self/status"];
  assert.equal(store.prints("run", "--image", "it", "--init", box.id(), "--", ...look), `${none}\n${none}\n`);
});

test("a container with --init ends as its command ends", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const code = (...command: string[]): number =>
    store.tsrun(["run", "--image", "it", "--init", box.id(), "--", ...command]).status;
  assert.equal(code("sh", "-c", "exit 3"), 3);
  assert.equal(code("sh", "-c", "kill -9 $$"), 137);
  assert.equal(code("none"), 127);
  assert.equal(code("/etc"), 126);
});

test("signals are passed on, those of real time too", [], async (box) => {
  const store = new Store(box);
  await store.load();
  for (const [signal, name] of [
    ["TERM", "TERM"],
    ["40", "40"],
  ] as const) {
    const id = box.id();
    const script = `trap 'echo got; exit 5' ${name}; echo ready; while :; do sleep 0.1; done`;
    const running = store.begin(["run", "--image", "it", "--init", id, "--", "sh", "-c", script]);
    await eventually(() => running.read().stdout === "ready\n", "a container that listens");
    store.prints("kill", id, signal);
    const { stdout, status } = await running.ended;
    assert.deepEqual([stdout, status], ["ready\ngot\n", 5], signal);
  }
});

test("orphans are collected", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const orphans =
    "for i in 1 2 3; do (sleep 0.1 & ) ; done; sleep 0.5; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l";
  assert.equal(store.says(orphans, "--init"), "0");
  // A command that is the first process itself, and no shell, does not.
  const alone = [
    "run",
    "--image",
    "it",
    box.id(),
    "--",
    "sh",
    "-c",
    `(${orphans.replaceAll("wc -l", "wc -l > /n")}); :`,
  ];
  assert.equal(store.tsrun(alone).status, 0);
});

test("who is not root can have an --init, and nobody can write to it", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.equal(store.says("id -u; cat /proc/1/comm", "--init", "-u", "alice"), "1000\ntsrun-init");
  const before = readFileSync(join(dirname(TSRUN), "tsrun-init"));
  assert.match(store.sh("echo x > /sbin/tsrun-init", ["--init"]).stderr, /Read-only/);
  store.sh("mount -o remount,rw,bind /sbin/tsrun-init; cp /bin/busybox /x; cat /x > /sbin/tsrun-init", [
    "--init",
    "--privileged",
  ]);
  assert.ok(before.equals(readFileSync(join(dirname(TSRUN), "tsrun-init"))), "the one of the host is another file");
});
