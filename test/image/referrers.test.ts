/** What refers to an image, by the list that registries have and by the tag that stands in for it. */
import assert from "node:assert/strict";
import { test } from "../support/box.ts";
import { FakeRegistry, noisyLayer, OCI, on, refusal, type Descriptor } from "./fake-registry.ts";
import { Store } from "./images.ts";

const INDEX = `${OCI}.index.v1+json`;
const ENTRY = { mediaType: "m", digest: `sha256:${"a".repeat(64)}`, size: 7, artifactType: "text/sbom" };
const OTHER = { ...ENTRY, digest: `sha256:${"b".repeat(64)}`, artifactType: "text/signature" };

async function asked(store: Store, registry: FakeRegistry, ...flags: string[]): Promise<unknown> {
  const args = ["image", "referrers", "--format", "json", ...flags, `${registry.host}/x:1`];
  const { status, stdout, stderr } = await store.begin(args).ended;
  assert.equal(status, 0, stderr);
  return (JSON.parse(stdout) as { referrers: { digest: string }[] }).referrers.map(({ digest }) => digest);
}

async function prepared(registry: FakeRegistry): Promise<Descriptor> {
  return registry.add("1", [await noisyLayer()]);
}

function list(manifests: readonly object[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
}

test("a list of several pages is read to its end, and filtered where the registry does not", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const { digest } = await prepared(registry);
  registry.lie = on("/referrers/", (response, { url = "" }) => {
    const more = { link: `</v2/x/referrers/${digest}?page=2>; rel="next"` };
    response.writeHead(200, { "content-type": INDEX, ...(url.includes("page") ? {} : more) });
    response.end(list([url.includes("page") ? OTHER : ENTRY]));
  });
  assert.deepEqual(await asked(store, registry), [ENTRY.digest, OTHER.digest]);
  assert.deepEqual(await asked(store, registry, "--artifact-type", "text/signature"), [OTHER.digest]);
});

test("a registry without such a list has the tag that clients keep, or nothing", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const { digest } = await prepared(registry);
  assert.deepEqual(await asked(store, registry), []);
  registry.addManifest(digest.replace(":", "-"), INDEX, JSON.parse(list([ENTRY])) as object);
  assert.deepEqual(await asked(store, registry), [ENTRY.digest]);
});

test("a list that leads elsewhere, never ends or is something else is refused", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  await using other = await FakeRegistry.start();
  const { digest } = await prepared(registry);
  const lies: [RegExp, Record<string, string>, string][] = [
    [/which is not in x/, { link: `<http://${other.host}/v2/x/referrers/y>; rel="next"` }, list([])],
    [/more than 50 pages/, { link: `</v2/x/referrers/${digest}?a>; rel="next"` }, list([])],
    [/is of type "text\/html"/, { "content-type": "text/html" }, "<html>"],
    [/must be a digest/, {}, list([{ ...ENTRY, digest: "sha256:../../x" }])],
  ];
  for (const [wanted, headers, text] of lies) {
    registry.lie = on("/referrers/", (response) =>
      response.writeHead(200, { "content-type": INDEX, ...headers }).end(text),
    );
    const args = ["image", "referrers", `${registry.host}/x:1`];
    assert.match(refusal(await store.begin(args).ended), wanted);
  }
  assert.equal(other.asked.length, 0);
});
