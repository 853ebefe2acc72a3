/** What is meant to be secret stays so: no step of a pull goes on in the open, or with somebody who does not prove who it is. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import type { TLSSocket } from "node:tls";
import { test, type Box } from "../support/box.ts";
import { command, DockerRegistry, selfSigned } from "./docker-registry.ts";
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

/** An authority, and a client certificate of its, as NAME.cert with NAME.key in `folder`. */
function client(box: Box, folder: string, name: string, kind: readonly string[] = ["rsa:2048"]): string {
  const made = box.file(`made-${name}`);
  const [authority, authorityKey, request] = [`${made}/ca.pem`, `${made}/ca.key`, `${made}/request.pem`];
  const fresh = (key: string): string[] => ["-nodes", "-newkey", ...kind, "-keyout", key];
  const subject = (text: string): string[] => ["-subj", `/O=authority of ${name}/CN=${text}`];
  command("openssl", "req", "-x509", ...fresh(authorityKey), ...subject("authority"), "-days", "2", "-out", authority);
  command("openssl", "req", ...fresh(`${folder}/${name}.key`), ...subject(name), "-out", request);
  const signing = ["-CA", authority, "-CAkey", authorityKey, "-CAcreateserial", "-days", "2"];
  // Without extensions it is one of version 1.
  const extensions = name === "a" ? [] : ["-extfile", box.file(`extensions-${name}`, "basicConstraints=CA:FALSE\n")];
  command("openssl", "x509", "-req", "-in", request, ...signing, ...extensions, "-out", `${folder}/${name}.cert`);
  return authority;
}

/** A registry that wants to see a certificate of these authorities, in this version of TLS; and whose it has seen. */
async function knowing(
  box: Box,
  authorities: readonly string[],
  version: "TLSv1.2" | "TLSv1.3" = "TLSv1.3",
): Promise<{ registry: FakeRegistry; folder: string; seen: Set<string> }> {
  const { cert, key } = selfSigned(box);
  const registry = await FakeRegistry.start({
    cert: readFileSync(cert, "utf8"),
    key: readFileSync(key, "utf8"),
    requestCert: true,
    rejectUnauthorized: true,
    ca: authorities.map((path) => readFileSync(path, "utf8")),
    minVersion: version,
    maxVersion: version,
  });
  registry.add("1", [await noisyLayer()]);
  const seen = new Set<string>();
  registry.lie = ({ socket }) => {
    seen.add((socket as TLSSocket).getPeerCertificate().subject.CN);
    return false;
  };
  return { registry, folder: dirname(cert), seen };
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(
    `of several client certificates the one is shown whose authority is asked for, ${version}`,
    ["tool:openssl"],
    async (box) => {
      const own = box.file("own");
      const [first, second] = [client(box, own, "a"), client(box, own, "b")];
      const third = client(box, own, "c", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
      for (const [authorities, expected] of [
        [[second], "b"],
        [[third], "c"],
        [[third, first], "a"],
      ] as const) {
        const { registry, folder, seen } = await knowing(box, authorities, version);
        await using _registry = registry;
        copyFileSync(`${folder}/ca.crt`, `${own}/ca.crt`);
        const store = new Store(box);
        const { status, stderr } = await pull(store, ["-q", "--cert-dir", own, `${registry.host}/x:1`]);
        assert.equal(status, 0, stderr);
        assert.deepEqual([...seen], [expected]);
        rmSync(store.path, { recursive: true });
      }
    },
  );
}

test(
  "whose authority is not asked for is refused by the registry, in one line",
  ["tool:openssl", "tool:docker-registry"],
  async (box) => {
    const own = box.file("own");
    client(box, own, "a");
    const { cert, key } = selfSigned(box);
    const other = client(box, box.file("other"), "b");
    const tls = `  tls: {certificate: "${cert}", key: "${key}", clientcas: ["${other}"]}\n`;
    using registry = await DockerRegistry.start(box, tls);
    copyFileSync(cert, `${own}/ca.crt`);
    const store = new Store(box);
    const said = refusal(await pull(store, ["-q", "--cert-dir", own, `${registry.host}/x:1`]));
    assert.match(said, /localhost:\d+: received fatal alert/);
    assertNothing(store);
  },
);

test(
  "a client certificate without its key is an error, and a key without a certificate",
  ["tool:openssl"],
  async (box) => {
    const own = box.file("own");
    client(box, own, "a");
    client(box, own, "b");
    const said = async (change: () => void): Promise<string> => {
      const folder = box.file("changed");
      for (const name of ["a.cert", "a.key", "b.cert", "b.key"]) copyFileSync(`${own}/${name}`, `${folder}/${name}`);
      change();
      return refusal(await pull(new Store(box), ["-q", "--cert-dir", folder, "localhost:1/x:1"]));
    };
    const changed = box.path("changed");
    assert.match(
      await said(() => rmSync(`${changed}/b.key`)),
      /missing key b\.key for the client certificate .*changed\/b\.cert \(who may vouch for servers has files \*\.crt\)/,
    );
    assert.match(
      await said(() => rmSync(`${changed}/a.cert`)),
      /missing client certificate a\.cert for the key .*changed\/a\.key/,
    );
    assert.match(
      await said(() => copyFileSync(`${own}/a.key`, `${changed}/b.key`)),
      /cannot use the certificate .*changed\/b\.cert: .*/i,
    );
  },
);
