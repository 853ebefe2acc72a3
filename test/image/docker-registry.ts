/** Debian's docker-registry on the loopback interface, and a line to it that breaks. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { layerOf, type Layer } from "../../scripts/fixtures.ts";
import type { Box } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { BASE, layoutFiles, type Store } from "./images.ts";

/** Runs a program that must succeed; gives what it prints. */
export function command(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** A registry that runs until it is disposed of. */
export class DockerRegistry implements Disposable {
  readonly host: string;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.host = `localhost:${port}`;
    this.#child = child;
  }

  /** `more` continues the configuration's `http:` table, and what comes after it; `name` tells it from others of the box. */
  static async start(box: Box, more = "", name = "registry"): Promise<DockerRegistry> {
    const port = await freePort();
    const storage = `storage: {filesystem: {rootdirectory: "${box.file(name)}"}}`;
    const conf = `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n${storage}\nhttp:\n  addr: 127.0.0.1:${port}\n${more}`;
    const child = spawn("docker-registry", ["serve", box.file(`${name}.yml`, conf)], { stdio: "ignore" });
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

/** Passes connections on, and cuts those that have carried `limit` bytes in this direction, so many times. */
export function cutting(
  target: string,
  { limit, times, direction = "down" }: { limit: number; times: number; direction?: "up" | "down" },
): Server & { cuts: number; carried: number } {
  const port = Number(target.split(":")[1]);
  const server = Object.assign(createServer(), { cuts: 0, carried: 0 });
  server.on("connection", (socket) => {
    const upstream = connect(port, "127.0.0.1");
    let carried = 0;
    for (const end of [socket, upstream])
      end.on("error", () => undefined).on("close", () => [socket, upstream].map((each) => each.destroy()));
    const [source, sink] = direction === "down" ? [upstream, socket] : [socket, upstream];
    sink.pipe(source);
    source.on("data", (bytes: Buffer) => {
      carried += bytes.length;
      server.carried += bytes.length;
      sink.write(bytes);
      if (carried < limit || server.cuts >= times) return;
      server.cuts += 1;
      socket.destroy();
    });
  });
  return server;
}

/** A key, and a certificate for localhost that nobody vouches for, in a directory that may be given as --cert-dir. */
export function selfSigned(box: Box, name = "certs"): { cert: string; key: string } {
  const [cert, key] = [join(box.file(name), "ca.crt"), box.path(`${name}.key`)];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const kind = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-addext",
    "basicConstraints=critical,CA:FALSE",
  ];
  command("openssl", "req", "-x509", ...kind, "-nodes", "-days", "2", ...subject, "-keyout", key, "-out", cert);
  return { cert, key };
}

/** Files of every kind, directories that only an upper layer has an entry for, whiteouts, an opaque directory. */
export async function oddLayers(): Promise<Layer[]> {
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
