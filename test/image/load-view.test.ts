/** `image load` as docker's: from a file or from standard input, silent or telling how far it is. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { sha256 } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import { Terminal } from "../support/terminal.ts";
import { filesLayer, Store } from "./images.ts";

const TSRUN = new URL("../../build/tsrun", import.meta.url).pathname;

/** What a shell does with $TSRUN, $STORE and $ARCHIVE. */
function shell(store: Store, archive: string, script: string): { status: number | null; out: string; said: string } {
  const env = { ...process.env, TSRUN, STORE: store.path, ARCHIVE: archive };
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { env, encoding: "utf8", timeout: 60_000 });
  return { status, out: stdout, said: stderr };
}

async function archiveIn(box: Box): Promise<{ store: Store; archive: string; blob: Buffer; diffId: string }> {
  const store = new Store(box);
  const layer = await filesLayer({ noise: "x".repeat(100_000) });
  const archive = await store.archive("a.tar", { layers: [layer], name: "one:1" });
  return { store, archive, blob: layer.blob, diffId: sha256(layer.tar) };
}

test("an archive is loaded from -i, from a redirected file, and from a pipe, compressed or not", [], async (box) => {
  const { store, archive, diffId } = await archiveIn(box);
  const ways = [
    '"$TSRUN" --store "$STORE" image load -i "$ARCHIVE"',
    '"$TSRUN" --store "$STORE" image load --input="$ARCHIVE"',
    '"$TSRUN" --store "$STORE" image load <"$ARCHIVE"',
    'cat "$ARCHIVE" | "$TSRUN" --store "$STORE" image load',
    'gzip -c "$ARCHIVE" | "$TSRUN" --store "$STORE" image load',
  ];
  for (const way of ways) {
    const { status, out, said } = shell(store, archive, way);
    assert.deepEqual([status, out, said], [0, "one:1\n", ""], way);
    assert.deepEqual(store.names("layers"), [diffId.slice(7)]);
    store.prints("image", "rm", "one:1");
    assert.deepEqual([store.names("layers"), store.names("tasks")], [[], []]);
  }
  assert.ok(existsSync(archive));
});

test("what is no archive on standard input is refused in one line", [], async (box) => {
  const { store, archive } = await archiveIn(box);
  const refused = (script: string): string => {
    const { status, said } = shell(store, archive, script);
    assert.equal(status, 1, said);
    assert.equal(said.trim().split("\n").length, 1, said);
    return said;
  };
  const load = '"$TSRUN" --store "$STORE" image load';
  assert.match(refused(`: | ${load}`), /cannot load standard input: .*it is empty/);
  assert.match(refused(`head -c 5000 "$ARCHIVE" | ${load}`), /cannot load standard input: /);
  assert.match(refused(`echo hello | ${load}`), /cannot load standard input: /);
  assert.match(refused(`${load} -i a.tar a.tar`), /SOURCE and --input exclude each other/);
  assert.match(refused(`${load} --progress fast -i "$ARCHIVE"`), /--progress must be auto, plain or json/);
  assert.deepEqual(store.names("layers"), []);
});

test("--progress plain tells of each layer, and -q keeps quiet", [], async (box) => {
  const { store, archive, blob } = await archiveIn(box);
  const short = sha256(blob).slice(7, 19);
  const first = store.tsrun(["image", "load", "--progress", "plain", archive]);
  assert.equal(first.stdout, "one:1\n");
  assert.match(
    first.stderr,
    new RegExp(`^docker.io/library/one:1 is sha256:.*: 1 layer to load, .*\n${short}: .* loaded\n$`),
  );
  const second = store.tsrun(["image", "load", "--progress", "plain", archive]);
  assert.match(second.stderr, /: 0 layers to load, 0B; 1 is here already\n$/);
  const quiet = store.tsrun(["image", "load", "-q", "--progress", "plain", archive]);
  assert.deepEqual([quiet.stdout, quiet.stderr], ["one:1\n", ""]);
});

test("--progress json tells what is found, how far each layer is, and the end", [], async (box) => {
  const { store, archive, blob } = await archiveIn(box);
  const { stdout, stderr } = store.tsrun(["image", "load", "--progress", "json", archive]);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const [digest, size] = [sha256(blob), blob.length];
  assert.deepEqual(
    { ...events[0], digest: undefined },
    {
      event: "found",
      name: "docker.io/library/one:1",
      digest: undefined,
      layers: [{ digest, size, exists: false }],
    },
  );
  assert.deepEqual(
    events.findLast(({ event }) => event === "progress"),
    { event: "progress", layer: digest, bytes: size, total: size },
  );
  assert.deepEqual([events.at(-1), stderr], [{ event: "done" }, ""]);
});

test("bars of layers whose size nobody has said show what has been read", [], async (box) => {
  const { store, archive } = await archiveIn(box);
  store.prints("image", "load", archive);
  store.prints("image", "save", "-o", box.path("saved.tar"), "one:1");
  store.prints("image", "rm", "one:1");
  const load = box.command("--store", store.path, "image", "load", "-i", box.path("saved.tar"));
  // A terminal that has not been told its size.
  const terminal = Terminal.run(load, box.path("tty"), box.environment({ TERM: "xterm" }), [0, 0]);
  assert.equal(await terminal.ended(), 0);
  const shown = terminal.shown().replaceAll("\u001b[K", "");
  assert.match(shown, /one:1\r\n\r[0-9a-f]{12} 0B\r\n\r0B, 0B\/s\r\n/);
  assert.match(shown, /\r[0-9a-f]{12} (10\dkB)\r\n\r\1, /);
  assert.doesNotMatch(shown, /0B\/0B|of 0B|=/);
});

test("on a narrow terminal the bars are shorter, and figures are shown all the same", [], async (box) => {
  const { store, archive } = await archiveIn(box);
  for (const [columns, bar] of [
    [80, "={30}"],
    [40, "={5,29}"],
    [25, undefined],
  ] as const) {
    const load = box.command("--store", box.path(`store${columns}`), "image", "load", "-i", archive);
    const terminal = Terminal.run(load, box.path(`tty${columns}`), box.environment({ TERM: "xterm" }), [24, columns]);
    assert.equal(await terminal.ended(), 0);
    const lines = terminal
      .shown()
      .replaceAll("\u001b[K", "")
      .split(/[\r\n]+/);
    const last = lines.findLast((line) => /^[0-9a-f]{12} /.test(line)) ?? "";
    assert.match(last, new RegExp(`^[0-9a-f]{12} ${bar === undefined ? "" : `\\[${bar}\\] `}(\\d+B)/\\1$`));
    assert.ok(last.length < columns);
  }
  assert.deepEqual(store.names("layers"), []);
});
