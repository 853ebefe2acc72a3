/** Pulls from Debian's docker-registry: with and without TLS and passwords, over a line that breaks, and the same files as others make. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { layerOf, sha256, type Layer } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { pull } from "./fake-registry.ts";
import { BASE, layoutFiles, Store } from "./images.ts";

const NEEDS = ["tool:docker-registry", "tool:skopeo"] as const;

function command(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

class DockerRegistry implements Disposable {
  readonly host: string;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.host = `localhost:${port}`;
    this.#child = child;
  }

  /** `more` continues the configuration's `http:` table, and what comes after it. */
  static async start(box: Box, more = ""): Promise<DockerRegistry> {
    const port = await freePort();
    const storage = `storage: {filesystem: {rootdirectory: "${box.file("registry")}"}}`;
    const conf = `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n${storage}\nhttp:\n  addr: 127.0.0.1:${port}\n${more}`;
    const child = spawn("docker-registry", ["serve", box.file("registry.yml", conf)], { stdio: "ignore" });
    const registry = new DockerRegistry(port, child);
    await eventually(() => listens(port), "docker-registry listens");
    return registry;
  }

  /** Pushes an image of these layers as "x:1". */
  push(store: Store, layers: readonly Layer[], ...flags: string[]): void {
    const layout = store.layout("layout", layoutFiles({ layers, name: "v1", process: { Cmd: ["sh"] } }));
    command(
      "skopeo",
      "copy",
      "-q",
      "--dest-tls-verify=false",
      ...flags,
      `oci:${layout}:v1`,
      `docker://${this.host}/x:1`,
    );
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

function listens(port: number): boolean {
  return spawnSync("bash", ["-c", `: </dev/tcp/127.0.0.1/${port}`], { timeout: 1000, stdio: "ignore" }).status === 0;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Passes connections on, and cuts those that have carried `limit` bytes, so many times. */
function cutting(target: string, limit: number, times: number): Server & { cuts: number } {
  const port = Number(target.split(":")[1]);
  const server = Object.assign(createServer(), { cuts: 0 });
  server.on("connection", (socket) => {
    const upstream = connect(port, "127.0.0.1");
    let carried = 0;
    for (const end of [socket, upstream])
      end.on("error", () => undefined).on("close", () => [socket, upstream].map((each) => each.destroy()));
    socket.pipe(upstream);
    upstream.on("data", (bytes: Buffer) => {
      carried += bytes.length;
      socket.write(bytes);
      if (carried < limit || server.cuts >= times) return;
      server.cuts += 1;
      socket.destroy();
    });
  });
  return server;
}

/** Files of every kind, directories that only an upper layer has an entry for, whiteouts, an opaque directory. */
async function oddLayers(): Promise<Layer[]> {
  return [
    await BASE,
    await layerOf([
      { name: "data/", type: "directory", mode: 0o2750 },
      { name: "data/noise", content: randomBytes(3_000_000).toString("base64"), mode: 0o4755, uid: 3, gid: 4 },
      { name: "data/link", type: "symlink", linkname: "noise" },
      { name: "data/hard", type: "link", linkname: "data/noise" },
      { name: "gone/", type: "directory" },
      { name: "gone/file", content: "x" },
      { name: "hidden/", type: "directory" },
      { name: "hidden/file", content: "x" },
    ]),
    await layerOf([
      { name: "gone/.wh.file", content: "" },
      { name: "hidden/", type: "directory", mode: 0o700 },
      { name: "hidden/.wh..wh..opq", content: "" },
      { name: "hidden/new", content: "new" },
      { name: "etc/added", content: "added" },
    ]),
  ];
}

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
  const proxy = cutting(registry.host, 700_000, 4).listen(0, "127.0.0.1");
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
    const certs = box.file("certs");
    const subject = [
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost",
      "-addext",
      "basicConstraints=critical,CA:FALSE",
    ];
    const files = ["-keyout", `${certs}/key.pem`, "-out", `${certs}/ca.crt`];
    command(
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      ...subject,
      ...files,
    );
    const passwords = box.file("htpasswd", command("htpasswd", "-Bbn", "alice", "secret"));
    const auth = `auth: {htpasswd: {realm: x, path: "${passwords}"}}\n`;
    using registry = await DockerRegistry.start(
      box,
      `  tls: {certificate: "${certs}/ca.crt", key: "${certs}/key.pem"}\n${auth}`,
    );
    registry.push(store, [await BASE], "--dest-creds", "alice:secret");
    const name = `${registry.host}/x:1`;
    const trust = box.file("trust");
    mkdirSync(trust, { recursive: true });
    command("cp", `${certs}/ca.crt`, trust);
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
