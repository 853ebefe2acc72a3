/** Pulls from Debian's docker-registry: with and without TLS and passwords, over a line that breaks, and the same files as others make. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { sha256 } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { certificate, command, cutting, DockerRegistry, oddLayers } from "./docker-registry.ts";
import { pull } from "./fake-registry.ts";
import { BASE, Store } from "./images.ts";

const NEEDS = ["tool:docker-registry", "tool:skopeo"] as const;

test("the files of an image are those that skopeo and umoci make of it", [...NEEDS, "tool:umoci"], async (box) => {
  const store = new Store(box);
  using registry = await DockerRegistry.start(box);
  registry.push(store, await oddLayers());
  assert.equal((await pull(store, ["-q", `${registry.host}/x:1`])).status, 0);
  store.prints("image", "unpack", `${registry.host}/x:1`, box.path("ours"));
  command(
    "skopeo",
    "copy",
    "-q",
    "--src-tls-verify=false",
    `docker://${registry.host}/x:1`,
    `oci:${box.path("copy")}:v1`,
  );
  command("umoci", "unpack", "--image", `${box.path("copy")}:v1`, box.path("theirs"));
  assert.equal(listing(`${box.path("ours")}/rootfs`), listing(`${box.path("theirs")}/rootfs`));
});

/** Every file with its kind, mode, owner, target and contents; of times, those of files. */
function listing(root: string): string {
  const script = `cd "$1" && find . -printf '%P %y %m %U %G %l\\n' -type f -printf '%T@\\n' | sort && find . -type f -exec sha256sum {} + | sort`;
  return command("sh", "-c", script, "sh", root);
}

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
    const { cert, key } = certificate(box);
    const passwords = box.file("htpasswd", command("htpasswd", "-Bbn", "alice", "secret"));
    const auth = `auth: {htpasswd: {realm: x, path: "${passwords}"}}\n`;
    using registry = await DockerRegistry.start(box, `  tls: {certificate: "${cert}", key: "${key}"}\n${auth}`);
    registry.push(store, [await BASE], "--dest-creds", "alice:secret");
    const name = `${registry.host}/x:1`;
    const trust = box.file("trust");
    mkdirSync(trust, { recursive: true });
    command("cp", cert, trust);
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
