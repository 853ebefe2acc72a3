/** Registries that lie: all are refused with one line, and nothing of what they sent is left. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { ARCHITECTURE, sha256, type Layer } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { assertNothing, FakeRegistry, noisyLayer, OCI, on, pull, refusal, wants, type Lie } from "./fake-registry.ts";
import { Store } from "./images.ts";

/** A registry with "x:1", and the lie about it that `make` gives; what is said of it must match. */
function lies(sentence: string, wanted: RegExp, make: (registry: FakeRegistry, layer: Layer) => Lie | undefined): void {
  test(`refused: ${sentence}`, [], async (box) => {
    const store = new Store(box);
    await using registry = await FakeRegistry.start();
    const layer = await noisyLayer();
    registry.add("1", [layer]);
    registry.lie = make(registry, layer) ?? registry.lie;
    assert.match(refusal(await pull(store, ["-q", `${registry.host}/x:1`])), wanted);
    assertNothing(store);
  });
}

function sends(part: string, body: Buffer | string, headers: Record<string, string> = {}): Lie {
  return on(part, (response) => response.writeHead(200, headers).end(body));
}

/** Writes as long as somebody reads. */
function endless(response: ServerResponse): void {
  const piece = Buffer.alloc(1 << 16, "x");
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", more);
  more();
}

lies("a layer of other bytes", /Cannot pull layer|the digest is sha256:\w+, must be/i, (_, { blob }) => {
  const other = Buffer.from(blob);
  other[other.length - 20] = (other[other.length - 20] ?? 0) ^ 1;
  return sends(sha256(blob), other);
});

lies("a layer that is longer than its size, and says so", /it has \d+ bytes, must have \d+/, (_, { blob }) =>
  sends(sha256(blob), Buffer.concat([blob, Buffer.from("x")]), { "content-length": String(blob.length + 1) }),
);

lies("a layer that is longer than its size, and does not say so", /more than the \d+ bytes/, (_, { blob }) =>
  sends(sha256(blob), Buffer.concat([blob, Buffer.from("x")]), { "transfer-encoding": "chunked" }),
);

lies("a layer without an end", /the digest|more than the \d+ bytes|gzip|damaged/, (_, { blob }) =>
  on(sha256(blob), (response) => {
    response.writeHead(200);
    response.write(blob.subarray(0, 1000));
    endless(response);
  }),
);

lies("a layer that is shorter than its size, and says so", /it has \d+ bytes, must have \d+/, (_, { blob }) =>
  sends(sha256(blob), blob.subarray(0, 1000), { "content-length": "1000" }),
);

lies(
  "a layer with another diff id than the configuration says",
  /the diff id is sha256:\w+, must be/,
  (registry, layer) => {
    const config = {
      architecture: ARCHITECTURE,
      os: "linux",
      rootfs: { type: "layers", diff_ids: [sha256(Buffer.from("no"))] },
    };
    const body = Buffer.from(JSON.stringify(config));
    registry.blobs.set(sha256(body), body);
    registry.add("1", [layer], (manifest) => {
      manifest["config"] = { mediaType: `${OCI}.config.v1+json`, digest: sha256(body), size: body.length };
    });
    return undefined;
  },
);

lies("a manifest of another type than it says itself", /mediaType must be .*docker.*manifest\.v2\+json/, (registry) =>
  sends("manifests/1", registry.manifests.get("1")?.body ?? "", {
    "content-type": "application/vnd.docker.distribution.manifest.v2+json",
  }),
);

lies("a manifest that is an index too", /manifests must not be in a document of this kind/, (registry, layer) => {
  registry.add("1", [layer], (manifest) => (manifest["manifests"] = []));
  return undefined;
});

lies("a web page", /sends as a manifest is of type "text\/html"/, () =>
  sends("manifests/1", "<html>", { "content-type": "text/html; charset=utf-8" }),
);

lies("a manifest without a type", /has no Content-Type/, (registry) =>
  sends("manifests/1", registry.manifests.get("1")?.body ?? ""),
);

lies("a manifest of the first schema", /manifest\.v1\+prettyjws.*must be one of an image/, () =>
  sends("manifests/1", "{}", { "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws" }),
);

lies("a manifest of more than 4 MiB", /more than 4194304 bytes/, () =>
  sends("manifests/1", Buffer.alloc(5 << 20, " "), { "content-type": `${OCI}.manifest.v1+json` }),
);

lies("a manifest without an end", /more than 4194304 bytes/, () =>
  on("manifests/1", (response) => {
    response.writeHead(200, { "content-type": `${OCI}.manifest.v1+json` });
    endless(response);
  }),
);

lies(
  "a manifest that is not the one that its digest header says",
  /the digest of 1 is .*: the registry says/,
  (registry) =>
    sends("manifests/1", registry.manifests.get("1")?.body ?? "", {
      "content-type": `${OCI}.manifest.v1+json`,
      "docker-content-digest": `sha256:${"0".repeat(64)}`,
    }),
);

lies("a manifest of an index that has another size", /bytes: its descriptor says 7/, (registry, layer) => {
  registry.addIndex("1", [{ ...registry.add("2", [layer]), size: 7 }]);
  return undefined;
});

lies("a manifest of an index that is another one", /the digest is sha256:\w+, must be/, (registry, layer) => {
  const entry = registry.add("2", [layer]);
  registry.addIndex("1", [entry]);
  return sends(`manifests/${entry.digest}`, "{}", { "content-type": entry.mediaType });
});

lies("a manifest of an index that is of another type", /its descriptor says/, (registry, layer) => {
  const entry = registry.add("2", [layer]);
  registry.addIndex("1", [{ ...entry, mediaType: `${OCI}.index.v1+json` }]);
  return undefined;
});

lies("indexes in indexes", /nested more than 4 times/, (registry, layer) => {
  let entry = registry.add("2", [layer]);
  for (let depth = 0; depth < 6; depth++) entry = registry.addIndex("1", [entry]);
  return undefined;
});

lies("a digest that is a path", /must be a digest such as sha256/, (registry, layer) => {
  registry.add("1", [layer], (manifest) => {
    (manifest["layers"] as { digest: string }[])[0] = {
      ...(manifest["layers"] as object[])[0],
      digest: "sha256:../../etc/passwd",
    };
  });
  return undefined;
});

lies("a configuration with fewer layers", /has 2 layers, and its configuration 1/, (registry, layer) => {
  registry.add(
    "1",
    [layer],
    (manifest) => (manifest["layers"] = [0, 0].map(() => (manifest["layers"] as object[])[0])),
  );
  return undefined;
});

lies("a configuration without an end", /more than \d+ bytes/, (registry) => {
  const { config } = JSON.parse(String(registry.manifests.get("1")?.body)) as { config: { digest: string } };
  return on(config.digest, (response) => {
    response.writeHead(200);
    endless(response);
  });
});

lies("redirects in a circle", /more than 10 redirects/, () =>
  on("manifests/1", (response) => response.writeHead(307, { location: "/v2/x/manifests/1" }).end()),
);

lies("a redirect to something that is no web address", /is not followed: it is neither https nor http/, () =>
  on("manifests/1", (response) => response.writeHead(307, { location: "file://localhost/etc/passwd" }).end()),
);

lies("a redirect with a user in it", /is not followed: it has a user in it/, () =>
  on("manifests/1", (response) => response.writeHead(307, { location: "http://localhost@evil.example/" }).end()),
);

lies(
  "a registry that asks for a token and never takes it",
  /does not give 1 without a name and password/,
  (registry) => (request, response) => {
    if (request.url?.startsWith("/token") === true) response.writeHead(200).end('{"token":"x"}');
    else response.writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.host}/token"` }).end();
    return true;
  },
);

lies("a token service with a user in its address", /which is no address/, () =>
  wants('Bearer realm="http://localhost@evil.example/"'),
);

lies("a token service in the open, on another host", /which is not https/, () =>
  wants('Bearer realm="http://evil.example/token"'),
);

lies("a way to authenticate that is none", /not by a password or token: "negotiate"/, () => wants("Negotiate"));

lies("a server that is always busy", /answers 503.*: "no\\tway\\u001b"/, () =>
  on("manifests/1", (response) => response.writeHead(503).end('{"errors":[{"message":"no\\tway\\u001b"}]}')),
);

lies("headers without an end", /too many headers|more|header/i, () =>
  on("manifests/1", (response) => {
    for (let number = 0; number < 3000; number++) response.setHeader(`x-${number}`, "x".repeat(100));
    response.writeHead(200).end();
  }),
);
