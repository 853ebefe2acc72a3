/** What a person or a program sees of `image push`, `image copy` and `image save`. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { sha256, type Layer } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";
import { Terminal } from "../support/terminal.ts";
import { FakeRegistry, noisyLayer, refusal } from "./fake-registry.ts";
import { Store } from "./images.ts";

interface Given {
  readonly store: Store;
  readonly registry: FakeRegistry;
  readonly layer: Layer;
  /** What is copied, as a transport names it. */
  readonly archive: string;
  readonly id: string;
}

async function given(box: Box, registry: FakeRegistry): Promise<Given> {
  const store = new Store(box);
  const layer = await noisyLayer();
  const id = await store.loadImage({ layers: [layer] });
  return { store, registry, layer, archive: `oci-archive:${box.path("it.tar")}`, id };
}

/** The commands, each with where it sends to. */
const WAYS: readonly ((to: Given) => string[])[] = [
  ({ registry }) => ["push", "it", `${registry.host}/x:1`],
  ({ registry, archive }) => ["copy", archive, `${registry.host}/x:2`],
  ({ store, archive }) => ["copy", archive, `oci:${store.box.path("layout")}`],
  ({ store, archive }) => ["copy", archive, `oci-archive:${store.box.path("layout.tar")}`],
  ({ store, archive }) => ["copy", archive, `docker-archive:${store.box.path("docker.tar")}`],
  ({ store }) => ["copy", `docker-archive:${store.box.path("docker.tar")}`, `oci:${store.box.path("layout2")}`],
  ({ store }) => ["save", "-o", store.box.path("saved"), "it"],
  ({ store }) => ["save", "-o", store.box.path("saved.oci"), "--format", "oci-archive", "it"],
];

function image({ store }: Given, [name = "", ...args]: readonly string[], ...flags: string[]): Promise<Result> {
  return store.begin(["image", name, ...flags, ...args]).ended;
}

type Event = Record<string, unknown> & { event: string };

function eventsIn(stdout: string): Event[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
}

test("--progress json tells what begins, how far each blob is, and the end", [], async (box) => {
  await using registry = await FakeRegistry.start();
  const all = await given(box, registry);
  const [diffId, blob] = [sha256(all.layer.tar), sha256(all.layer.blob)];
  for (const way of WAYS) {
    const args = way(all);
    const { status, stdout, stderr } = await image(all, args, "--progress", "json");
    assert.deepEqual([status, stderr], [0, ""], args.join(" "));
    const events = eventsIn(stdout);
    const isSave = args[0] === "save";
    assert.equal(events[0]?.event, "begin");
    assert.equal(events[0]["blobs"], isSave ? 1 : 2);
    const layers = events.filter(
      (event) => event.event === "progress" && [diffId, blob].includes(String(event["blob"])),
    );
    assert.equal(layers.at(-1)?.["bytes"], layers.at(-1)?.["total"], args.join(" "));
    const done = events.at(-1);
    assert.equal(done?.event, "done");
    if (isSave) assert.equal(done["digest"], undefined);
    else assert.match(String(done["digest"]), /^sha256:/);
  }
});

test("a layer that is compressed anew is told twice: while it is packed, and while it is sent", [], async (box) => {
  await using registry = await FakeRegistry.start();
  const all = await given(box, registry);
  const { stdout } = await image(all, ["push", "it", `${registry.host}/x:1`], "--progress", "json");
  const events = eventsIn(stdout);
  const diffId = sha256(all.layer.tar);
  const packing = events.findIndex(({ event, blob }) => event === "packing" && blob === diffId);
  const packed = events.findIndex(({ event, total }) => event === "progress" && total === all.layer.tar.length);
  const sending = events.findIndex(({ event, blob }) => event === "sending" && blob !== all.id);
  assert.ok(packing >= 0 && packing < packed && packed < sending, JSON.stringify(events));
});

test("--progress plain tells of each blob in a line, and -q of none", [], async (box) => {
  await using registry = await FakeRegistry.start();
  const all = await given(box, registry);
  for (const way of WAYS) {
    const args = way(all);
    const done = { push: "sent", copy: "copied", save: "saved" }[args[0] ?? ""] ?? "";
    const told = await image(all, args, "--progress", "plain");
    const lines = `([0-9a-f]{12}: ([0-9.k]+B ${done}|is there already)\n){1,2}`;
    assert.match(told.stderr, new RegExp(`^[^ ]+: [12] (blobs|layers)\n${lines}$`), args.join(" "));
    const quiet = await image(all, args, "-q");
    assert.match(quiet.stdout, args[0] === "save" ? /^$/ : /^sha256:[0-9a-f]{64}\n$/);
    assert.deepEqual([quiet.status, quiet.stderr], [0, ""]);
  }
  const save = await image(all, ["save", "-o", box.path("saved"), "it"]);
  assert.deepEqual([save.stdout, save.stderr], ["", ""], "where nobody looks a save says nothing, as docker's");
});

test("on a terminal there is a bar for each blob", ["tool:python3"], async (box) => {
  await using registry = await FakeRegistry.start();
  const all = await given(box, registry);
  for (const [at, way] of WAYS.entries()) {
    const [name = "", ...args] = way(all);
    const command = box.command("--store", all.store.path, "image", name, ...args);
    const terminal = Terminal.run(command, box.path(`tty${at}`), box.environment({ TERM: "xterm" }));
    assert.equal(await terminal.ended(), 0, terminal.shown());
    assert.match(terminal.shown(), /[0-9a-f]{12} \[={30}\] [0-9.]+[kM]?B\/[0-9.]+[kM]?B/, args.join(" "));
    assert.match(terminal.shown(), /[0-9.]+[kM]?B of [0-9.]+[kM]?B, [0-9.]+[kMG]?B\/s/);
  }
  const again = box.command("--store", all.store.path, "image", "push", "it", `${registry.host}/x:1`);
  const terminal = Terminal.run(again, box.path("again"), box.environment({ TERM: "xterm" }));
  assert.equal(await terminal.ended(), 0);
  assert.match(terminal.shown(), /is there already/);
  assert.match(terminal.shown(), /; 2 of 2 blobs were there already/);
});

test("a pull and a load have the same bars", ["tool:python3"], async (box) => {
  await using registry = await FakeRegistry.start();
  const all = await given(box, registry);
  registry.add("1", [all.layer]);
  const size = "[0-9.]+kB";
  for (const [at, way] of [
    ["pull", `${registry.host}/x:1`],
    ["load", all.archive],
  ].entries()) {
    const fresh = new Store(box, `fresh${at}`);
    const shown = async (): Promise<string> => {
      const command = box.command("--store", fresh.path, "image", ...way);
      const terminal = Terminal.run(command, box.path(`fresh-tty${at}`), box.environment({ TERM: "xterm" }));
      assert.equal(await terminal.ended(), 0, terminal.shown());
      return terminal.shown();
    };
    const short = sha256(all.layer.blob).slice(7, 19);
    const first = await shown();
    assert.match(first, new RegExp(`${short} \\[={30}\\] ${size}/${size}`));
    assert.match(first, new RegExp(`${size} of ${size}, `));
    const again = await shown();
    assert.match(again, way[0] === "pull" ? /: up to date\r\n/ : /here already/);
    if (way[0] === "load") assert.match(again, /; 1 of 1 layers were here already/);
  }
});

test("what cannot be shown is refused before anything is done", [], async (box) => {
  await using registry = await FakeRegistry.start();
  const all = await given(box, registry);
  for (const way of WAYS)
    assert.match(refusal(await image(all, way(all), "--progress", "fast")), /--progress must be auto, plain or json/);
  const both = await image(all, ["save", "it"], "--progress", "json");
  assert.match(refusal(both), /would both go to standard output: give --output/);
  assert.deepEqual([existsSync(box.path("saved")), registry.asked.length], [false, 0]);
});
