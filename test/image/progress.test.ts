/** What is told of images on their way: to a program that does not get all of it, and on a terminal that can do little. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { test, type Box } from "../support/box.ts";
import { Terminal } from "../support/terminal.ts";
import { FakeRegistry, noisyLayer } from "./fake-registry.ts";
import { Store } from "./images.ts";

interface Given {
  readonly store: Store;
  readonly host: string;
}

async function given(box: Box, registry: FakeRegistry): Promise<Given> {
  const store = new Store(box);
  const layer = await noisyLayer();
  registry.add("1", [layer]);
  await store.loadImage({ layers: [layer] });
  return { store, host: registry.host };
}

/** The commands, and what there is after each. */
const WAYS: readonly ((to: Given) => readonly [args: string[], isDone: () => boolean])[] = [
  ({ store, host }) => [["pull", `${host}/x:1`], () => store.names("refs").length === 2],
  ({ store }) => [["load", "-i", store.box.path("it.tar"), "--name", "new"], () => store.names("refs").length === 3],
  ({ store, host }) => [
    ["push", "it", `${host}/x:2`, "--digestfile", store.box.path("digest")],
    () => isThere(store, "digest"),
  ],
  ({ store, host }) => [
    ["copy", `${host}/x:1`, `oci:${store.box.path("layout")}`],
    () => isThere(store, "layout/index.json"),
  ],
  ({ store }) => [["save", "-o", store.box.path("saved"), "it"], () => isThere(store, "saved")],
];

function isThere({ box }: Store, name: string): boolean {
  return existsSync(box.path(name));
}

/** Runs it with a standard output that is full, or that nobody reads any more. */
async function unheard(
  { box, path }: Store,
  args: readonly string[],
  output: "full" | "closed",
): Promise<{ status: number | null; stderr: string }> {
  const [program = "", ...words] = box.command("--store", path, "image", ...args);
  const full = openSync("/dev/full", "w");
  const stdout = output === "full" ? full : "pipe";
  const child = spawn(program, words, { stdio: ["ignore", stdout, "pipe"], env: box.environment(), cwd: box.dir });
  closeSync(full);
  child.stdout?.destroy();
  const [stderr, [status]] = await Promise.all([
    child.stderr === null ? "" : text(child.stderr),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  return { status, stderr };
}

const REASONS = { full: "no space left on device", closed: "broken pipe" };

for (const output of ["full", "closed"] as const)
  test(
    `who cannot tell a program all, since its output is ${output}, ends with an error, and what was done stays`,
    [],
    async (box) => {
      await using registry = await FakeRegistry.start();
      const all = await given(box, registry);
      for (const way of WAYS) {
        const [args, isDone] = way(all);
        const { status, stderr } = await unheard(all.store, [...args, "--progress", "json"], output);
        assert.deepEqual([status, isDone()], [1, true], `${args.join(" ")}: ${stderr}`);
        assert.match(stderr, new RegExp(`^[^\\n]*cannot write to standard output: ${REASONS[output]}"\\n$`));
      }
      assert.match(all.store.prints("image", "check"), / 0 faults\n$/);
    },
  );

test("a name or a digest that cannot be printed is an error as well", [], async (box) => {
  await using registry = await FakeRegistry.start();
  const all = await given(box, registry);
  for (const way of WAYS) {
    const [args, isDone] = way(all);
    const { status, stderr } = await unheard(all.store, [...args, "-q"], "full");
    const says = args[0] !== "save";
    assert.deepEqual([status, isDone()], [says ? 1 : 0, true], `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, says ? /^[^\n]*cannot write to standard output: [^\n]*\n$/ : /^$/);
  }
  const { status, stderr } = await unheard(all.store, ["rm", "it", "new"], "full");
  assert.match(`${status} ${stderr}`, /^1 [^\n]*cannot write to standard output: /);
  assert.equal(all.store.names("refs").length, 1, "the names have gone");
});

test("a terminal that moves no cursor, or does not say what it is, gets lines", ["tool:python3"], async (box) => {
  await using registry = await FakeRegistry.start();
  const all = await given(box, registry);
  const shown = async (args: readonly string[], env: Record<string, string>): Promise<string> => {
    const command = box.command("--store", all.store.path, "image", ...args);
    const terminal = Terminal.run(command, box.path("tty"), box.environment(env));
    assert.equal(await terminal.ended(), 0, terminal.shown());
    return terminal.shown();
  };
  const none: Record<string, string> = {};
  for (const env of [{ TERM: "dumb" }, none, { TERM: "" }])
    for (const way of WAYS) {
      const [args] = way(all);
      const seen = await shown(args, env);
      assert.ok(!seen.includes("\u001b"), seen);
      assert.match(seen, /: up to date\r\n|: \d (layers|blobs)\b/, args.join(" "));
    }
  const [save] = WAYS.at(-1)?.(all) ?? [[]];
  assert.ok((await shown(save, { TERM: "vt100" })).includes("\u001b[K"));
});
