/** What a pull says that cannot be done: in one line, and so that one knows what to do about it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createServer, type Server } from "node:https";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { test, type Box } from "../support/box.ts";
import { assertNothing, FakeRegistry, noisyLayer, on, pull, refusal, type Lie } from "./fake-registry.ts";
import { filesLayer, Store } from "./images.ts";

/** What is said of "HOST/x:1", with the host's own name left out. */
async function said(box: Box, prepare: (registry: FakeRegistry) => Lie | undefined, name = "x:1"): Promise<string> {
  const store = new Store(box, `store-${Math.random()}`);
  await using registry = await FakeRegistry.start();
  registry.add("1", [await filesLayer({ a: "1" })]);
  registry.lie = prepare(registry) ?? registry.lie;
  const message = refusal(await pull(store, ["-q", `${registry.host}/${name}`]));
  assert.ok(message.startsWith(`cannot pull ${registry.host}/${name}: `), message);
  return message.slice(`cannot pull ${registry.host}/${name}: `.length).replaceAll(registry.host, "HOST");
}

function refuses(status: number, text = ""): Lie {
  return on("manifests/", (response) => response.writeHead(status).end(text));
}

test("a tag or a repository that is not there is named with the registry's port", [], async (box) => {
  assert.equal(await said(box, () => undefined, "x:nope"), "there is no nope in HOST/x");
  const unknown = '{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}';
  assert.equal(await said(box, () => refuses(404, unknown)), "there is no repository HOST/x");
});

test("what a registry refuses is told with what can be done about it", [], async (box) => {
  assert.equal(
    await said(box, () => refuses(403)),
    "HOST/x does not give 1 without a name and password (tsrun login, --creds, --authfile): they are needed, or there is no such repository",
  );
  const many = '{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}';
  assert.equal(
    await said(box, () => refuses(429, many)),
    'HOST/x answers 429 (too many requests: who has an account there may make more, with --creds or --authfile) to the request for 1: "You have reached your pull rate limit."',
  );
  assert.equal(await said(box, () => refuses(500)), "HOST/x answers 500 (an error of its own) to the request for 1");
  assert.match(
    await said(box, () => on("blobs/", (response) => response.writeHead(404).end())),
    /^there is no blobs\/sha256:[0-9a-f]{64} in HOST\/x$/,
  );
});

/** The configuration is of another type. */
function artifact(type: string) {
  return (registry: FakeRegistry) => {
    registry.add("1", [], (manifest) => Object.assign(manifest["config"] as object, { mediaType: type }));
    return undefined;
  };
}

test("what is no image is called what it is", [], async (box) => {
  assert.match(
    await said(box, artifact("application/vnd.cncf.helm.config.v1+json")),
    /config\.mediaType must be one of an image's: this is a Helm chart, of type "application\/vnd\.cncf\.helm\.config\.v1\+json"$/,
  );
  assert.match(await said(box, artifact("application/vnd.example.v1+json")), /this is something else, of type /);
  const web = on("manifests/", (response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>"));
  assert.equal(
    await said(box, () => web),
    'what the registry sends as a manifest is of type "text/html": it is a web site, and no registry',
  );
});

test("an image that is not for the machine says what it is for", [], async (box) => {
  const store = new Store(box);
  await using registry = await FakeRegistry.start();
  const { digest, mediaType, size } = registry.add("a", [await noisyLayer()]);
  const architectures = ["s390x", "riscv64", "unknown"];
  const entries = architectures.map((architecture) => ({
    digest,
    mediaType,
    size,
    platform: { os: architecture === "unknown" ? "unknown" : "linux", architecture },
  }));
  registry.addIndex("1", entries);
  const name = `${registry.host}/x:1`;
  assert.match(
    refusal(await pull(store, ["-q", name])),
    /the image is not for linux\/\w+: it is for linux\/s390x, linux\/riscv64$/,
  );
  assert.match(
    refusal(await pull(store, ["-q", "--platform", "linux/arm64/v8", name])),
    /the image is not for linux\/arm64\/v8: it is for linux\/s390x, linux\/riscv64$/,
  );
});

test("who cannot be reached is named, and why", [], async (box) => {
  const store = new Store(box);
  const registry = await FakeRegistry.start();
  const { host } = registry;
  await registry[Symbol.asyncDispose]();
  assert.match(refusal(await pull(store, ["-q", `${host}/x:1`])), new RegExp(`${host}: connection refused$`));
  assert.match(refusal(await pull(store, ["-q", "registry.invalid/x:1"])), /registry\.invalid/);
});

test("a full disk leaves nothing behind, and the message says how much is missing", [], async (box) => {
  const store = new Store(box);
  mkdirSync(store.path);
  await using registry = await FakeRegistry.start();
  // Zeros: what the registry says of its size says nothing.
  registry.add("1", [await filesLayer({ zeros: "0".repeat(12 << 20) }), await filesLayer({ small: "1" })]);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", store.path]);
  try {
    assert.match(
      refusal(await pull(store, ["-q", `${registry.host}/x:1`])),
      /there is no room for the image in .*: its layers take 12\.6MB, and 8\.\d+MB are free; at least 4\.\d+MB are missing/,
    );
    assertNothing(store);
    assert.deepEqual([store.names("tasks"), store.names("locks")], [[], []]);
  } finally {
    execFileSync("umount", [store.path]);
  }
});

const CERTIFICATES = "tool:openssl";

/** A self-signed certificate and its key, as `openssl req -x509` makes them. */
function selfSigned(box: Box, name: string, ...more: string[]): { cert: string; key: string; folder: string } {
  const folder = box.file(name);
  box.file(`${name}/note`, "");
  const files = ["-keyout", `${folder}/key.pem`, "-out", `${folder}/ca.crt`];
  const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = more.includes("-addext") ? [] : ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const subject = ["-subj", "/CN=localhost", ...names];
  const { status, stderr } = spawnSync("openssl", [...kind, "-days", "2", ...subject, ...more, ...files]);
  assert.equal(status, 0, String(stderr));
  return { cert: readFileSync(`${folder}/ca.crt`, "utf8"), key: readFileSync(`${folder}/key.pem`, "utf8"), folder };
}

/** The same with dates of 2020: who trusts it by its bytes does not ask who has signed them. */
function expired({ cert, key, folder }: ReturnType<typeof selfSigned>): ReturnType<typeof selfSigned> {
  const der = Buffer.from(cert.replaceAll(/-----.*-----|\s/g, ""), "base64");
  // UTCTime, of 13 bytes: RFC 5280, 4.1.2.5.1.
  const before = der.indexOf(Buffer.from([0x17, 13]));
  const after = der.indexOf(Buffer.from([0x17, 13]), before + 15);
  der.write("200101000000Z", before + 2);
  der.write("200102000000Z", after + 2);
  const lines = (der.toString("base64").match(/.{1,64}/g) ?? []).join("\n");
  const changed = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  writeFileSync(`${folder}/ca.crt`, changed);
  return { cert: changed, key, folder };
}

test("a self-signed certificate with CA:TRUE is a server's where it is trusted itself", [CERTIFICATES], async (box) => {
  const store = new Store(box);
  const own = selfSigned(box, "own");
  assert.match(spawnSync("openssl", ["x509", "-in", `${own.folder}/ca.crt`, "-text"]).stdout.toString(), /CA:TRUE/);
  await using registry = await FakeRegistry.start(own);
  registry.add("1", [await noisyLayer()]);
  const [, port] = registry.host.split(":");
  for (const host of ["localhost", "127.0.0.1"]) {
    const { status, stderr } = await pull(store, ["-q", "--cert-dir", own.folder, `${host}:${port}/x:1`]);
    assert.equal(status, 0, stderr);
  }
  const env = { SSL_CERT_FILE: `${own.folder}/ca.crt` };
  assert.equal((await pull(store, ["-q", `${registry.host}/x:1`], { env })).status, 0);
});

test("one that is not trusted, of another name or time, is refused all the same", [CERTIFICATES], async (box) => {
  const store = new Store(box);
  const [own, other] = [selfSigned(box, "own"), selfSigned(box, "other")];
  await using registry = await FakeRegistry.start(own);
  const name = `${registry.host}/x:1`;
  const refused = async (folder: string, host = name): Promise<string> =>
    refusal(await pull(store, ["-q", "--cert-dir", folder, host]));
  assert.match(await refused(other.folder), /is not trusted: .*\(CA:TRUE\).*--cert-dir/);
  assert.equal(registry.asked.length, 0);
  const foreign = selfSigned(box, "foreign", "-addext", "subjectAltName=DNS:registry.example,IP:127.0.0.2");
  await using elsewhere = await FakeRegistry.start(foreign);
  assert.match(
    await refused(foreign.folder, `${elsewhere.host}/x:1`),
    /is not trusted: certificate not valid for name/,
  );
  const old = expired(selfSigned(box, "old"));
  const server: Server = createServer(old, (_, response) => response.end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  assert.match(
    await refused(old.folder, `localhost:${port}/x:1`),
    /is not trusted: it has expired, or the clock is wrong/,
  );
  server.close();
  server.closeAllConnections();
  assert.equal(elsewhere.asked.length, 0);
});
