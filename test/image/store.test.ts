/** The commands that show the store and tidy it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "../support/box.ts";
import { sha256 } from "../../scripts/fixtures.ts";
import { TSRUN } from "../support/runtime.ts";
import { BASE, EMPTY, filesLayer, Store } from "./images.ts";

/** Two images on a layer that both have, "one" and "two". */
async function sharing(store: Store): Promise<void> {
  const [shared, one, two] = [
    await filesLayer({ s: "x".repeat(3000) }),
    await filesLayer({ o: "1" }),
    await filesLayer({ t: "22" }),
  ];
  store.prints("image", "load", await store.archive("one.tar", { layers: [shared, one] }));
  store.prints("image", "load", await store.archive("two.tar", { layers: [shared, two] }));
}

test("the tree shows who has which layer, and what sharing saves", [], async (box) => {
  const store = new Store(box);
  await sharing(store);
  const lines = store
    .prints("image", "ls", "--tree")
    .replaceAll(/[0-9a-f]{12}/g, "HEX")
    .trimEnd()
    .split("\n");
  assert.deepEqual(lines, [
    "└─ layer HEX  3kB, shared by 2 images",
    "   ├─ layer HEX  1B",
    "   │  └─ one:latest  3kB, 1B of it its own",
    "   └─ layer HEX  2B",
    "      └─ two:latest  3kB, 2B of it its own",
    "2 images, 3 layers: 3kB; without sharing 6kB",
  ]);
});

test("the history has docker's columns, and each layer stands with the step that made it", [], async (box) => {
  const store = new Store(box);
  const layers = [await filesLayer({ a: "1" }), await filesLayer({ b: "22" })];
  const history = [
    { created: "2026-01-01T00:00:00Z", created_by: "COPY a /" },
    { created: "2026-01-02T00:00:00Z", created_by: "ENV A=1", empty_layer: true },
    { created: "2026-01-03T00:00:00Z", created_by: `RUN ${"x".repeat(60)}`, comment: "a\u001bb" },
  ];
  const archive = await store.archive("it.tar", { layers, change: (config) => (config["history"] = history) });
  store.prints("image", "load", archive);
  const rows = store.prints("image", "history", "it").trimEnd().split("\n");
  const cells = rows.map((row) => row.split(/ {3,}/));
  assert.deepEqual(cells[0], ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"]);
  assert.deepEqual(
    cells.slice(1).map(([, , by, size]) => [by, size]),
    [
      [`RUN ${"x".repeat(40)}…`, "2B"],
      ["ENV A=1", "0B"],
      ["COPY a /", "1B"],
    ],
  );
  assert.equal(cells[1]?.[4], "a b", "nothing that a terminal obeys");
  assert.match(store.prints("image", "history", "--no-trunc", "it"), /sha256:[0-9a-f]{64} .*x{60} /);
  const steps = JSON.parse(store.prints("image", "history", "--format", "json", "it")) as Record<string, unknown>[];
  assert.deepEqual(
    steps.map(({ layer, size }) => [layer, size]),
    [
      [sha256(layers[1]?.tar ?? ""), 2],
      [undefined, 0],
      [sha256(layers[0]?.tar ?? ""), 1],
    ],
  );
});

test("a name that is given to another image takes with it what only it named", [], async (box) => {
  const store = new Store(box);
  await sharing(store);
  store.prints("image", "tag", "one", "example.com/app:v1");
  assert.equal(store.names("refs").length, 3);
  store.prints("image", "tag", "two", "one");
  store.prints("image", "rm", "example.com/app:v1");
  assert.equal(store.names("layers").length, 2);
  assert.match(store.refuses("image", "tag", "one", "A"), /invalid image name "A"/);
  assert.match(store.refuses("image", "tag", "nobody", "x"), /"nobody" is not in the store/);
  assert.match(store.refuses("image", "tag", "one", `x@sha256:${"0".repeat(64)}`), /give a tag/);
});

test("prune takes images without a name, and with --all those that no container uses", [], async (box) => {
  const store = new Store(box);
  await store.load();
  store.prints("image", "load", await store.archive("x y.tar", { layers: [await filesLayer({ n: "nameless" })] }));
  store.prints("image", "load", await store.archive("idle.tar", { layers: [await filesLayer({ i: "idle" })] }));
  const before = store.contents();
  assert.match(store.prints("image", "prune", "--dry-run"), /^sha256:[0-9a-f]{64}\n(.+\n)+would free [\d.]+kB\n$/);
  assert.deepEqual(store.contents(), before, "a dry run changes nothing");
  assert.match(store.prints("image", "prune"), /freed [\d.]+kB\n$/);
  assert.equal(store.prints("image", "ls", "-q").trim().split("\n").length, 2);
  const id = box.id();
  store.prints("create", "--image", "it", id);
  assert.match(store.prints("image", "prune", "--all"), /^idle:latest\n/);
  assert.match(store.prints("image", "ls"), /^it /m, "a container uses it");
  store.prints("image", "rm", "--force", "it");
  assert.match(store.prints("image", "prune", "--all"), /freed 0B\n$/);
  assert.equal(store.names("layers").length, 1);
  store.prints("delete", "--force", id);
  store.prints("image", "prune");
  assert.deepEqual(store.contents(), EMPTY);
});

test("du says what takes which space, and what prune would free", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const id = box.id();
  store.prints("create", "--image", "it", id);
  store.prints("image", "rm", "--force", "it");
  const rows = (): Record<string, { count: number; bytes: number; reclaimable: number }> =>
    Object.fromEntries(
      (JSON.parse(store.prints("image", "du", "--format", "json")) as { what: string }[]).map((row) => [row.what, row]),
    ) as never;
  const { layers, containers, trash } = rows();
  const { size } = await import("node:fs").then(({ statSync }) => statSync("/bin/busybox"));
  assert.ok((layers?.bytes ?? 0) > size && layers?.reclaimable === 0, "the container needs it");
  assert.deepEqual([containers?.count, trash?.count], [1, 0]);
  store.prints("delete", "--force", id);
  assert.equal(rows()["layers"]?.reclaimable, rows()["layers"]?.bytes);
  assert.match(store.prints("image", "du"), /^WHAT +COUNT +IN USE +SIZE +RECLAIMABLE\nlayers +1 +0 /);
});

test("a store that is read-only is looked at like any other", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const looks = ["ls", "ls --tree", "inspect it", "history it", "du"];
  const commands = looks.map((look) => `${TSRUN} --store ${store.path} image ${look} >&2`);
  const script = `set -e; mount --bind -o ro ${store.path} ${store.path}; ! touch ${store.path}/x; ${commands.join("; ")}`;
  const { status, stderr } = spawnSync("unshare", ["--mount", "sh", "-c", script], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
});

test("none of the commands minds that there is no store, or makes one out of a mistake", [], async (box) => {
  const store = new Store(box);
  assert.match(store.refuses("image", "history", "x"), /is not in the store/);
  assert.equal(store.prints("image", "prune"), "freed 0B\n");
  assert.equal(store.prints("image", "check"), "0 images, 0 layers: 0 faults\n");
  await BASE;
});

test("a directory of another program is no store, and nothing of it is swept away", [], async (box) => {
  const store = new Store(box);
  const theirs = `${box.file("store/containers/abc")}/config.v2.json`;
  writeFileSync(theirs, "{}");
  const archive = await store.archive("it.tar", { layers: [await filesLayer({ a: "1" })] });
  for (const args of [
    ["image", "prune"],
    ["image", "load", archive],
    ["image", "check", "--repair"],
    ["volume", "prune", "-f"],
  ])
    assert.match(store.refuses(...args), /store is no image store: it has containers and no refs/);
  assert.equal(store.prints("image", "ls", "-q"), "");
  assert.deepEqual([readFileSync(theirs, "utf8"), readdirSync(store.path)], ["{}", ["containers"]]);
});
