/** Pulls from Debian's docker-registry: with and without TLS, passwords and tokens, over a line that breaks, two at once. */
import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { sha256 } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { command, cutting, DockerRegistry, oddLayers, selfSigned } from "./docker-registry.ts";
import { pull } from "./fake-registry.ts";
import { BASE, Store } from "./images.ts";

const NEEDS = ["tool:docker-registry", "tool:skopeo"] as const;

test("two pulls at once bring each byte once", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  const layers = await oddLayers();
  registry.push(store, layers);
  const proxy = cutting(registry.host, { limit: 0, times: 0 }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const name = `localhost:${(proxy.address() as AddressInfo).port}/x:1`;
  for (const { status, stderr } of await Promise.all([1, 2].map(() => pull(store, ["-q", name]))))
    assert.equal(status, 0, stderr);
  proxy.close();
  const total = layers.reduce((sum, { blob }) => sum + blob.length, 0);
  assert.ok(proxy.carried < 1.1 * total, `${proxy.carried} bytes came for ${total}`);
  assert.match(store.prints("image", "check"), / 0 faults\n$/);
});

test("a layer comes over a line that breaks again and again", NEEDS, async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  registry.push(store, await oddLayers());
  const proxy = cutting(registry.host, { limit: 700_000, times: 4 }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const host = `localhost:${(proxy.address() as AddressInfo).port}`;
  const { status, stderr } = await pull(store, [`${host}/x:1`]);
  proxy.close();
  assert.equal(status, 0, stderr);
  assert.equal(proxy.cuts, 4);
  assert.equal(store.names("layers").length, 3);
});

test(
  "over TLS: who cannot prove who it is is refused, unless the user vouches for it",
  [...NEEDS, "tool:openssl", "tool:htpasswd"],
  async (box) => {
    const store = new Store(box);
    const { cert, key } = selfSigned(box);
    const passwords = box.file("htpasswd", command("htpasswd", "-Bbn", "alice", "secret"));
    const auth = `auth: {htpasswd: {realm: x, path: "${passwords}"}}\n`;
    using registry = await DockerRegistry.start(box, `  tls: {certificate: "${cert}", key: "${key}"}\n${auth}`);
    registry.push(store, [await BASE], "--dest-creds", "alice:secret");
    const name = `${registry.host}/x:1`;
    const trust = dirname(cert);
    const creds = ["--creds", "alice:secret"];

    assert.match(
      (await pull(store, ["-q", ...creds, name])).stderr,
      /the certificate of .* is not trusted: .*--cert-dir/,
    );
    assert.match((await pull(store, ["-q", "--cert-dir", trust, name])).stderr, /wants a name and a password/);
    assert.match(
      (await pull(store, ["-q", "--cert-dir", trust, "--creds", "alice:no", name])).stderr,
      /does not give 1 with these credentials/,
    );
    assert.match(
      (await pull(store, ["-q", "--cert-dir", trust, ...creds, name.replace("localhost", "127.0.0.1")])).stderr,
      /not trusted: certificate not valid for name/,
    );
    assert.equal(store.names("layers").length, 0);
    const config = box.file("docker");
    box.file(
      "docker/config.json",
      JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from("alice:secret").toString("base64") } } }),
    );
    const env = { DOCKER_CONFIG: config };
    const { status, stderr } = await pull(store, ["-q", "--cert-dir", trust, name], { env });
    assert.equal(status, 0, stderr);
    store.prints("image", "rm", name);
    box.file("bin");
    const helper = box.file(
      "bin/docker-credential-test",
      '#!/bin/sh\nread server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"alice\\",\\"Secret\\":\\"secret\\"}"\n',
    );
    command("chmod", "+x", helper);
    box.file("helped");
    box.file("helped/config.json", JSON.stringify({ credHelpers: { [registry.host]: "test" } }));
    const helped = { DOCKER_CONFIG: box.path("helped"), PATH: `${box.path("bin")}:${process.env["PATH"] ?? ""}` };
    const last = await pull(store, ["-q", "--tls-verify=false", name], { env: helped });
    assert.equal(last.status, 0, last.stderr);
    assert.deepEqual(store.names("layers"), [sha256((await BASE).tar).slice(7)]);
  },
);

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** A token service that knows alice, and signs with the key of a certificate. */
async function tokenService(key: string, cert: string): Promise<Server & { asked: string[] }> {
  const chain = [Buffer.from(cert.replace(/-----[A-Z ]+-----|\n/g, ""), "base64").toString("base64")];
  const asked: string[] = [];
  const server = createHttpServer(({ url = "", headers }, response) => {
    asked.push(url);
    if (headers.authorization !== `Basic ${Buffer.from("alice:secret").toString("base64")}`) {
      response.writeHead(401).end();
      return;
    }
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, nbf: now - 5, exp: now + 60 };
    const access = [{ type: "repository", name: "x", actions: ["pull"] }];
    const claims = { iss: "tests", aud: "registry", sub: "alice", jti: String(asked.length), ...times, access };
    const text = `${encoded({ typ: "JWT", alg: "ES256", x5c: chain })}.${encoded(claims)}`;
    const signature = sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ token: `${text}.${signature}` }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(server, { asked });
}

test(
  "a registry that wants a token gets one from the service that it names",
  [...NEEDS, "tool:openssl"],
  async (box) => {
    const store = new Store(box);
    {
      using open = await DockerRegistry.start(box);
      open.push(store, [await BASE]);
    }
    const { cert, key } = selfSigned(box);
    const service = await tokenService(readFileSync(key, "utf8"), readFileSync(cert, "utf8"));
    const realm = `http://localhost:${(service.address() as AddressInfo).port}/token`;
    const auth = `auth: {token: {realm: "${realm}", service: registry, issuer: tests, rootcertbundle: "${cert}"}}\n`;
    using registry = await DockerRegistry.start(box, auth);
    const name = `${registry.host}/x:1`;
    try {
      assert.match((await pull(store, ["-q", name])).stderr, /wants a name and a password|401/);
      assert.match((await pull(store, ["-q", "--creds", "alice:no", name])).stderr, /401|credentials/);
      const { status, stderr } = await pull(store, ["-q", "--creds", "alice:secret", name]);
      assert.equal(status, 0, stderr);
      assert.match(service.asked.at(-1) ?? "", /service=registry&scope=repository%3Ax%3Apull$/);
      assert.deepEqual(store.names("layers"), [sha256((await BASE).tar).slice(7)]);
    } finally {
      service.close();
    }
  },
);
