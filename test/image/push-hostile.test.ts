/** What goes out to registries that lie, break off or lead elsewhere: and that no secret and no half image goes with it. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { sha256, type Layer } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";
import { selfSigned } from "./docker-registry.ts";
import { FakeRegistry, noisyLayer, on, refusal, wants, type Lie } from "./fake-registry.ts";
import { layoutFiles, Store } from "./images.ts";

const CREDS = ["--dest-creds", "alice:secret"];
const BASIC = `Basic ${Buffer.from("alice:secret").toString("base64")}`;

interface Copying {
  readonly store: Store;
  readonly layer: Layer;
  /** The layout's directory. */
  readonly layout: string;
}

async function prepare(box: Box): Promise<Copying> {
  const store = new Store(box);
  const layer = await noisyLayer();
  const layout = store.layout("layout", layoutFiles({ layers: [layer], name: "v1", process: { Cmd: ["sh"] } }));
  return { store, layer, layout };
}

/** `image copy` of the layout's image to "x:1", while this process answers. */
function copy({ store, layout }: Copying, registry: FakeRegistry, ...flags: string[]): Promise<Result> {
  return store.begin(["image", "copy", "-q", ...flags, `oci:${layout}:v1`, `docker://${registry.host}/x:1`]).ended;
}

/** An upload's number, in its address. */
function idOf(url = ""): string {
  return /uploads\/(\d+)/.exec(url)?.[1] ?? "";
}

test("blobs go before the manifest, and all of it is there byte for byte", [], async (box) => {
  const copying = await prepare(box);
  await using registry = await FakeRegistry.start();
  const { status, stderr, stdout } = await copy(copying, registry);
  assert.equal(status, 0, stderr);
  assert.ok(registry.blobs.get(sha256(copying.layer.blob))?.equals(copying.layer.blob));
  const { body } = registry.manifests.get("1") ?? { body: Buffer.alloc(0) };
  assert.equal(stdout.trim(), sha256(body));
  assert.match(registry.asked.at(-1)?.line ?? "", /^PUT .*manifests\/1$/);
  assert.equal(registry.count("PUT"), 3);
});

test("what is there is not sent again", [], async (box) => {
  const copying = await prepare(box);
  await using registry = await FakeRegistry.start();
  assert.equal((await copy(copying, registry)).status, 0);
  const before = registry.received;
  assert.equal((await copy(copying, registry)).status, 0);
  assert.equal(registry.received, before);
});

test("an upload that breaks goes on where it was", [], async (box) => {
  const copying = await prepare(box);
  await using registry = await FakeRegistry.start();
  const { length } = copying.layer.blob;
  let broken = 0;
  registry.lie = (request, response) => {
    if (request.method !== "PUT" || request.url?.includes(sha256(copying.layer.blob)) !== true || broken >= 2)
      return false;
    broken += 1;
    void registry.take(request, idOf(request.url), (length * broken) / 3).then(() => response.destroy());
    return true;
  };
  const { status, stderr } = await copy(copying, registry);
  assert.equal(status, 0, stderr);
  assert.equal(broken, 2);
  assert.ok(registry.blobs.get(sha256(copying.layer.blob))?.equals(copying.layer.blob));
  const ranges = registry.asked.map(({ headers }) => headers["content-range"]).filter((range) => range !== undefined);
  assert.equal(ranges.length, 2);
  for (const range of ranges) assert.match(range, new RegExp(`^[1-9]\\d*-${length - 1}$`));
});

test("credentials do not go to another host that an upload is sent to", [], async (box) => {
  const copying = await prepare(box);
  await using registry = await FakeRegistry.start();
  await using storage = await FakeRegistry.start();
  storage.uploads.set("7", Buffer.alloc(0));
  registry.lie = (request, response) => {
    if (request.headers.authorization !== BASIC) return wants("Basic realm=x")(request, response);
    if (request.method !== "POST") return false;
    response.writeHead(202, { location: `http://${storage.host}/v2/x/blobs/uploads/7?state=a` }).end();
    return true;
  };
  storage.lie = (request, response) => {
    void registry.take(request, "7").then(() => response.writeHead(201).end());
    return true;
  };
  const { status, stderr } = await copy(copying, registry, ...CREDS);
  assert.equal(status, 0, stderr);
  assert.equal(storage.count("PUT /v2/x/blobs/uploads/7?state=a&digest=sha256:"), 2);
  for (const { headers } of storage.asked) assert.equal(headers.authorization, undefined);
});

test(
  "a token is asked for with the scopes that are needed, and a password only of the registry's own service",
  [],
  async (box) => {
    const copying = await prepare(box);
    await using registry = await FakeRegistry.start();
    registry.lie = (request, response) => {
      if (request.url?.startsWith("/token") === true) {
        response.end(JSON.stringify({ token: "t0ken" }));
        return true;
      }
      if (request.headers.authorization === "Bearer t0ken") return false;
      return wants(`Bearer realm="http://${registry.host}/token",service="x"`)(request, response);
    };
    const { status, stderr } = await copy(copying, registry, ...CREDS);
    assert.equal(status, 0, stderr);
    const [asked] = registry.asked.filter(({ line }) => line.includes("/token"));
    assert.match(decodeURIComponent(asked?.line ?? ""), /scope=repository:x:pull,push/);
    assert.equal(asked?.headers.authorization, BASIC);
  },
);

test("a token that expires in the middle of a push is got anew", [], async (box) => {
  const copying = await prepare(box);
  await using registry = await FakeRegistry.start();
  let valid = 1;
  registry.lie = (request, response) => {
    if (request.url?.startsWith("/token") === true) {
      response.end(JSON.stringify({ token: `t${valid}` }));
      return true;
    }
    if (request.headers.authorization !== `Bearer t${valid}`)
      return wants(`Bearer realm="http://${registry.host}/token",service="x"`)(request, response);
    if (request.method === "POST" && valid === 1) valid = 2;
    return false;
  };
  const { status, stderr } = await copy(copying, registry, ...CREDS);
  assert.equal(status, 0, stderr);
  assert.ok(registry.blobs.has(sha256(copying.layer.blob)));
});

/** A registry that lies while it is pushed to: it must be refused so, and have no manifest. */
function lies(sentence: string, wanted: RegExp, make: (registry: FakeRegistry, copying: Copying) => Lie): void {
  test(`refused: ${sentence}`, [], async (box) => {
    const copying = await prepare(box);
    await using registry = await FakeRegistry.start();
    registry.lie = make(registry, copying);
    const said = refusal(await copy(copying, registry, ...CREDS));
    assert.match(said, wanted);
    assert.ok(!said.includes("secret") && !said.includes("\u001b"));
    assert.equal(registry.count("PUT /v2/x/manifests"), 0);
  });
}

function answers(method: string, status: number, headers: Record<string, string>, body = ""): Lie {
  return (request, response) => {
    if (request.method !== method) return false;
    response.writeHead(status, headers).end(body);
    return true;
  };
}

lies("an upload without an address", /does not say where to send a blob/, () => answers("POST", 202, {}));

lies("an address that can be misread", /it has a user in it/, (registry) =>
  answers("POST", 202, { location: `http://localhost@${registry.host}/u/1` }),
);

lies("an upload that is sent elsewhere while it goes", /the registry answers 307/, (registry) =>
  answers("PUT", 307, { location: `http://${registry.host}/v2/x/blobs/uploads/1` }),
);

lies("a registry that never has enough", /the registry answers 500/, () => answers("PUT", 500, {}));

lies("who may not write", /the registry answers 403: no, you/, () =>
  answers("POST", 403, {}, JSON.stringify({ errors: [{ code: "DENIED", message: "no, you" }] })),
);

lies("an answer that would move the cursor", /the registry answers 403: no/, () =>
  answers("POST", 403, {}, JSON.stringify({ errors: [{ message: "no\u001b[2J\nmsg=forged" }] })),
);

lies(
  "a registry that has more of an upload than was sent",
  /Cannot put .*: (the registry answers 400|localhost:\d+: .*)/,
  (registry) => {
    return (request, response) => {
      if (request.url?.includes("/uploads/") !== true) return false;
      if (request.method === "GET") response.writeHead(204, { range: "0-99999999" }).end();
      else if (request.method === "PUT") void registry.take(request, "none", 10).then(() => response.destroy());
      else return false;
      return true;
    };
  },
);

test("bytes that are not what their digest says never are a blob of the registry", [], async (box) => {
  const copying = await prepare(box);
  await using registry = await FakeRegistry.start();
  const path = `${copying.layout}/blobs/${sha256(copying.layer.blob).replace(":", "/")}`;
  const bytes = readFileSync(path);
  bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  // It would take anything.
  registry.lie = (request, response) => {
    if (request.method !== "PUT") return false;
    void registry.take(request, idOf(request.url)).then((body) => {
      if (body.length >= bytes.length) registry.blobs.set("taken", body);
      response.writeHead(201).end();
    });
    return true;
  };
  assert.match(refusal(await copy(copying, registry)), /the digest is sha256:\w+, must be/);
  assert.ok(!registry.blobs.has("taken"));
  assert.equal(registry.count("PUT /v2/x/manifests"), 0);
});

test("a registry that says it has another manifest than it was sent is not believed", [], async (box) => {
  const copying = await prepare(box);
  await using registry = await FakeRegistry.start();
  registry.lie = on("/manifests/", (response) =>
    response.writeHead(201, { "docker-content-digest": `sha256:${"0".repeat(64)}` }).end(),
  );
  assert.match(refusal(await copy(copying, registry)), /has taken manifest sha256:\w+ for "sha256:0+"/);
});

test("an upload never leads from https to http", ["tool:openssl"], async (box) => {
  const copying = await prepare(box);
  const { cert, key } = selfSigned(box);
  await using registry = await FakeRegistry.start({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") });
  await using other = await FakeRegistry.start();
  registry.lie = answers("POST", 202, { location: `http://${other.host}/v2/x/blobs/uploads/1` });
  const said = refusal(await copy(copying, registry, "--dest-tls-verify=false", ...CREDS));
  assert.match(said, /it leads from https to http/);
  assert.equal(other.asked.length, 0);
});
