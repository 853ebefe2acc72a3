/** What is meant to be secret stays so: no step of a pull goes on in the open, or with somebody who does not prove who it is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { test, type Box } from "../support/box.ts";
import { selfSigned } from "./docker-registry.ts";
import { assertNothing, FakeRegistry, noisyLayer, on, pull, refusal, wants } from "./fake-registry.ts";
import { Store } from "./images.ts";

const CREDS = ["--creds", "alice:secret"];

interface Secure {
  readonly registry: FakeRegistry;
  /** What makes it trusted. */
  readonly trusting: readonly string[];
}

/** A registry with TLS, and an image "x:1". */
async function secure(box: Box, name?: string): Promise<Secure> {
  const { cert, key } = selfSigned(box, name);
  const registry = await FakeRegistry.start({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") });
  registry.add("1", [await noisyLayer()]);
  return { registry, trusting: ["--cert-dir", dirname(cert)] };
}

for (const part of ["manifests/1", "/blobs/"]) {
  test(`a redirect of ${part} from https to http is not followed (CVE-2014-5277)`, ["tool:openssl"], async (box) => {
    const store = new Store(box);
    const { registry, trusting } = await secure(box);
    await using _registry = registry;
    await using open = await FakeRegistry.start();
    registry.lie = on(part, (response, { url = "" }) =>
      response.writeHead(307, { location: `http://${open.host}${url}` }).end(),
    );
    const said = refusal(await pull(store, ["-q", ...trusting, `${registry.host}/x:1`]));
    assert.match(said, /is not followed: it leads from https to http/);
    assert.equal(open.asked.length, 0);
    assertNothing(store);
  });
}

test("a registry that is no neighbour is not asked in the open, not even after https has failed", [], async (box) => {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const address = addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  if (address === undefined) return; // Nobody has another address here than the loopback's.
  const store = new Store(box);
  await using registry = await FakeRegistry.start(undefined, address);
  registry.add("1", [await noisyLayer()]);
  const said = refusal(await pull(store, ["-q", ...CREDS, `${address}:${registry.port}/x:1`]));
  assert.match(said, /does not speak TLS/);
  assert.equal(registry.asked.length, 0);
  assertNothing(store);
});

test(
  "a registry that breaks off TLS is not asked in the open with what was meant for it",
  ["tool:openssl"],
  async (box) => {
    const store = new Store(box);
    const { registry, trusting } = await secure(box);
    await using _registry = registry;
    registry.lie = on("/blobs/", (response) => response.destroy());
    const result = await pull(store, ["-q", ...trusting, `${registry.host}/x:1`]);
    assert.equal(result.status, 1);
    assert.deepEqual(store.names("refs"), []);
  },
);

test("a token service must prove who it is, as the registry must (CVE-2019-10214)", ["tool:openssl"], async (box) => {
  const store = new Store(box);
  const { registry, trusting } = await secure(box);
  const { registry: other } = await secure(box, "other");
  await using _both = registry;
  await using _other = other;
  registry.lie = wants(`Bearer realm="https://${other.host}/token",service="x"`);
  const said = refusal(await pull(store, ["-q", ...trusting, ...CREDS, `${registry.host}/x:1`]));
  assert.match(said, /the certificate of localhost:\d+ is not trusted/);
  assert.equal(other.asked.length, 0);
  assertNothing(store);
});

test("who speaks TLS does not send to a token service in the open", ["tool:openssl"], async (box) => {
  const store = new Store(box);
  const { registry, trusting } = await secure(box);
  await using _registry = registry;
  await using open = await FakeRegistry.start();
  registry.lie = wants(`Bearer realm="http://${open.host}/token",service="x"`);
  refusal(await pull(store, ["-q", ...trusting, ...CREDS, `${registry.host}/x:1`]));
  assert.equal(open.asked.length, 0);
  assertNothing(store);
});

test("a certificate of somebody else is refused, also by a redirect to its owner", ["tool:openssl"], async (box) => {
  const store = new Store(box);
  const { registry, trusting } = await secure(box);
  const { registry: other } = await secure(box, "other");
  await using _registry = registry;
  await using _other = other;
  registry.lie = on("/blobs/", (response, { url = "" }) =>
    response.writeHead(307, { location: `https://${other.host}${url}` }).end(),
  );
  assert.match(refusal(await pull(store, ["-q", ...trusting, `${registry.host}/x:1`])), /is not trusted/);
  assert.equal(other.asked.length, 0);
  assertNothing(store);
});
