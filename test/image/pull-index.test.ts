/** Images for several machines under one name, and names that move. */
import assert from "node:assert/strict";
import { ARCHITECTURE } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";
import { FakeRegistry, pull } from "./fake-registry.ts";
import { filesLayer, Store } from "./images.ts";
import { OTHER, OTHER_NAME, twoMachines } from "./machines.ts";

interface Inspected {
  readonly Id: string;
  readonly Architecture: string;
  readonly RepoTags: string[];
  readonly RepoDigests: string[];
}

function inspect(store: Store, ...args: string[]): Inspected {
  const [only] = JSON.parse(store.prints("image", "inspect", ...args)) as Inspected[];
  assert.ok(only);
  return only;
}

test("the digest of an image is what its name leads to, and it is found by that", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const { index, here } = await twoMachines(registry, "1");
  const repository = `${registry.host}/x`;
  await pull(store, ["-q", `${repository}:1`]);
  const image = inspect(store, `${repository}:1`);
  assert.deepEqual([image.RepoTags, image.RepoDigests], [[`${repository}:1`], [`${repository}@${index}`]]);
  assert.equal(inspect(store, `${repository}@${index}`).Id, image.Id);
  assert.equal(inspect(store, `${repository}@${here.digest}`).Id, image.Id);
  assert.match(store.prints("image", "ls", "--digests"), new RegExp(`DIGEST.*\\n.* 1 +${index} `));
  assert.ok(store.names("blobs/sha256").includes(index.slice(7)), "the index is kept");
  await pull(store, ["-q", `${repository}@${index}`]);
  assert.deepEqual(inspect(store, `${repository}@${index}`).RepoTags, [`${repository}:1`], "a digest is no tag");
  assert.match(store.prints("image", "check"), / 0 faults\n$/);
});

test("images for all machines are under one name, and each is reached", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const { index } = await twoMachines(registry, "1");
  const name = `${registry.host}/x:1`;
  const { stdout, status, stderr } = await pull(store, ["-q", "--all-platforms", name]);
  assert.deepEqual([status, stdout, stderr], [0, `${name}\n`, ""]);
  assert.equal(inspect(store, name).Architecture, ARCHITECTURE);
  const other = inspect(store, "--platform", OTHER_NAME, name);
  assert.deepEqual([other.Architecture, other.RepoDigests], [OTHER.architecture, [`${registry.host}/x@${index}`]]);
  const run = (...flags: string[]): string =>
    store.prints("run", "--image", name, "--pull", "never", ...flags, box.id(), "--", "cat", "/for");
  assert.equal(run(), "this");
  assert.equal(run("--platform", OTHER_NAME), "another");
  assert.equal(run("--platform", OTHER.architecture), "another");
  assert.match(
    store.refuses("run", "--image", name, "--pull", "never", "--platform", "linux/mips", box.id()),
    new RegExp(`is for linux/${ARCHITECTURE}, ${OTHER_NAME}, and --platform asks for linux/mips`),
  );
  assert.match(store.prints("image", "ls"), new RegExp(`PLATFORM.*\\n(.*\\n)*.* 1 +${OTHER_NAME} `));
  assert.match(
    store.prints("image", "ls", "--tree"),
    new RegExp(`─ ${name}  .*\\n.*\\n.*─ ${name} \\(${OTHER_NAME}\\)  `),
  );
  store.prints("image", "prune");
  assert.equal(run("--platform", OTHER_NAME), "another");
  store.prints("image", "tag", name, "mine");
  assert.equal(inspect(store, "--platform", OTHER_NAME, "mine").Id, other.Id);
  assert.match(store.prints("image", "check"), / 0 faults\n$/);
  store.prints("image", "rm", name, "mine");
  assert.deepEqual([store.names("refs"), store.names("layers"), store.names("blobs/sha256")], [[], [], []]);
});

test(
  "an image for another platform is pulled, as one that is missing, and the name means it from then on",
  [],
  async (box) => {
    const store = new Store(box);
    await using registry = await FakeRegistry.start();
    await twoMachines(registry, "1");
    const name = `${registry.host}/x:1`;
    await pull(store, ["-q", name]);
    const first = inspect(store, name);
    const run = (command: string, ...flags: string[]): Promise<Result> =>
      store.begin([command, "--image", name, ...flags, box.id(), "--", "cat", "/for"]).ended;
    const other = await run("run", "--platform", OTHER_NAME);
    assert.deepEqual([other.status, other.stdout], [0, "another"], other.stderr);
    assert.match(other.stderr, /1 layer to pull, .* 1 is here already/);
    assert.equal(inspect(store, name).Architecture, OTHER.architecture);
    assert.deepEqual(inspect(store, first.Id).RepoTags, [], "as after a pull for that platform");
    const asked = registry.asked.length;
    assert.equal((await run("run", "--platform", OTHER.architecture)).stdout, "another");
    assert.equal((await run("run")).stdout, "another", "who asks for none gets what the name means");
    assert.equal(registry.asked.length, asked, "it is here now");
    const created = await run("create", "--platform", `linux/${ARCHITECTURE}`);
    assert.equal(created.status, 0, created.stderr);
    assert.equal(inspect(store, name).Id, first.Id);
  },
);

test("where no registry has an image for the platform, its pull says so and what was there stays", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  await twoMachines(registry, "1");
  registry.add("2", [await filesLayer({ a: "1" })]);
  for (const tag of ["1", "2"]) await pull(store, ["-q", `${registry.host}/x:${tag}`]);
  const before = store.contents();
  for (const [tag, why] of [
    ["1", `is not for linux/mips: it is for linux/${ARCHITECTURE}, ${OTHER_NAME}`],
    ["2", `is for linux/${ARCHITECTURE}, and not for linux/mips`],
  ]) {
    const name = `${registry.host}/x:${tag}`;
    const { status, stderr } = await store.begin(["run", "--image", name, "--platform", "linux/mips", box.id()]).ended;
    assert.equal(status, 125);
    assert.match(stderr, new RegExp(`^[^\n]*cannot pull ${name}: the image ${why}[^\n]*\n$`));
  }
  assert.deepEqual(store.contents(), before);
});

test("a name that has not moved is up to date; one that has leaves the old image without a name", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const name = `${registry.host}/x:1`;
  const { digest } = registry.add("1", [await filesLayer({ which: "one" })]);
  await pull(store, ["-q", name]);
  const { Id: first } = inspect(store, name);
  const again = await pull(store, ["--progress", "plain", name]);
  assert.deepEqual([again.stdout, again.stderr], [`${name}\n`, `${name} is ${digest}: up to date\n`]);
  assert.match((await pull(store, ["--progress", "json", name])).stdout, /\{"event":"done","upToDate":true\}\n$/);
  registry.add("1", [await filesLayer({ which: "two" })]);
  assert.match((await pull(store, ["--progress", "plain", name])).stderr, /1 layer to pull/);
  assert.notEqual(inspect(store, name).Id, first);
  const old = inspect(store, first);
  assert.deepEqual([old.Id, old.RepoTags, old.RepoDigests], [first, [], []]);
  store.prints("image", "prune");
  assert.match(store.refuses("image", "inspect", first), /is not in the store/);
  assert.equal(store.names("layers").length, 1);
});
