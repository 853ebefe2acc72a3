/** An image for the benchmark of pulls: four layers of what this machine has, in gzip and in zstd, in a registry of its own. */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  addImage,
  busyboxEntries,
  configOf,
  layoutOf,
  tarOf,
  writeFiles,
  type Blobs,
  type Layer,
} from "../../scripts/fixtures.ts";
import { forged } from "../image/forge.ts";
import { eventually } from "../support/runtime.ts";

const OCI = "application/vnd.oci.image.layer.v1.tar";

/** How layers are compressed: the name of it, which is the image's tag too, and the command. */
const COMPRESSIONS = { gzip: ["gzip", "-6"], zstd: ["zstd", "-3", "-T0"] } as const;
export type Compression = keyof typeof COMPRESSIONS;

/**
 * What a layer takes of the machine: files below these directories, so many bytes, none larger or smaller than that. They are about
 * thirty thousand, as in an image of a distribution, python and what npm has installed.
 */
const PARTS = [
  { from: ["/usr/lib"], bytes: 175e6, largest: 30e6, smallest: 0 },
  { from: ["/usr/bin", "/usr/sbin", "/usr/libexec"], bytes: 140e6, largest: 30e6, smallest: 0 },
  { from: ["/usr/share", "/usr/include", "/usr/src"], bytes: 105e6, largest: 2e4, smallest: 1100 },
];

export interface Image {
  readonly entries: number;
  /** Bytes of all archives. */
  readonly bytes: number;
  /** Digests of the blobs, lowest first, and the bytes of all. */
  readonly blobs: Readonly<Record<Compression, { readonly digests: readonly string[]; readonly bytes: number }>>;
}

export class Registry implements Disposable {
  readonly host: string;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.host = `localhost:${port}`;
    this.#child = child;
  }

  static async start(folder: string, port: number): Promise<Registry> {
    const config = join(folder, "registry.yml");
    const storage = `storage: {filesystem: {rootdirectory: "${join(folder, "registry")}"}}`;
    writeFileSync(
      config,
      `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n${storage}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
    );
    const registry = new Registry(port, spawn("docker-registry", ["serve", config], { stdio: "ignore" }));
    const listens = () => spawnSync("bash", ["-c", `: </dev/tcp/127.0.0.1/${port}`], { stdio: "ignore" }).status === 0;
    await eventually(listens, "docker-registry listens");
    return registry;
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

/** Makes the image in `folder`, or so much of it, and pushes it as "bench:gzip" and "bench:zstd". */
export async function makeImage(folder: string, registry: Registry, share: number): Promise<Image> {
  const tars: Buffer[] = [];
  let entries = 0;
  for (const [index, part] of PARTS.entries()) {
    const archive = join(folder, `${index}.tar`);
    entries += pack(archive, { ...part, bytes: part.bytes * share });
    tars.push(readFileSync(archive));
    rmSync(archive);
  }
  tars.push(await oddTar());
  const pushed = (name: Compression) => push(folder, registry, tars, name);
  const blobs = { gzip: pushed("gzip"), zstd: pushed("zstd") };
  return { entries, bytes: tars.reduce((sum, tar) => sum + tar.length, 0), blobs };
}

/** Gives the number of files. */
function pack(archive: string, { from, bytes, largest, smallest }: (typeof PARTS)[number]): number {
  const sizes = ["-size", `-${largest}c`, "-size", `+${smallest}c`];
  const found = run("find", [...from, "-xdev", "-type", "f", ...sizes, "-printf", "%s %p\\n"]);
  let left = bytes;
  const files = found
    .split("\n")
    .flatMap((line) => {
      const [, size = "0", path = ""] = /^(\d+) \/(.*)$/.exec(line) ?? [];
      return path === "" ? [] : [{ size: Number(size), path }];
    })
    .toSorted((one, two) => (one.path < two.path ? -1 : 1))
    .filter(({ size }) => (left -= size) > 0);
  run(
    "tar",
    ["-C", "/", "--format=pax", "--numeric-owner", "-cf", archive, "-T", "-"],
    files.map(({ path }) => path).join("\n"),
  );
  return files.length;
}

/** Programs to run, and an entry of each kind that is no file. */
async function oddTar(): Promise<Buffer> {
  const programs = await tarOf(busyboxEntries());
  const odd = forged([
    { name: "usr/share/doc/.wh..wh..opq" },
    { name: "usr/lib/.wh.python3" },
    { name: "opt/set", mode: 0o4755, body: "x" },
    { name: "opt/same", flag: "1", link: "opt/set" },
    { name: "opt/link", flag: "2", link: "set" },
    { name: "opt/marked", pax: { "SCHILY.xattr.user.mark": "x" } },
  ]);
  // Without the two blocks of zeros at the end of the first.
  return Buffer.concat([programs.subarray(0, programs.length - 1024), odd]);
}

function push(
  folder: string,
  registry: Registry,
  tars: readonly Buffer[],
  name: Compression,
): { digests: string[]; bytes: number } {
  const [program, ...args] = COMPRESSIONS[name];
  const layers = tars.map((tar): Layer => {
    const { status, stdout } = spawnSync(program, [...args, "-c"], { input: tar, maxBuffer: 1 << 30 });
    if (status !== 0) throw new Error(`${program} ended with ${status}`);
    return { tar, blob: stdout, mediaType: `${OCI}+${name}` };
  });
  const blobs: Blobs = new Map();
  const manifest = addImage(blobs, layers, configOf(layers, { Cmd: ["true"] }));
  const annotations = { "org.opencontainers.image.ref.name": "x" };
  const layout = join(folder, "layout");
  mkdirSync(layout);
  writeFiles(layout, layoutOf(blobs, [{ ...manifest, annotations }]));
  run("skopeo", [
    "copy",
    "-q",
    "--dest-tls-verify=false",
    `oci:${layout}:x`,
    `docker://${registry.host}/bench:${name}`,
  ]);
  const { layers: written } = JSON.parse(String(blobs.get(manifest.digest))) as { layers: { digest: string }[] };
  const digests = written.map(({ digest }) => digest.slice("sha256:".length));
  const bytes = digests.reduce((sum, digest) => sum + statSync(join(layout, "blobs/sha256", digest)).size, 0);
  rmSync(layout, { recursive: true });
  return { digests, bytes };
}

function run(program: string, args: readonly string[], input = ""): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28, input });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout;
}
