/**
 * Makes the demo image, `build/demo.oci.tar`, from rootfs-fixtures/demo and Debian's static busybox: always the same bytes. The
 * functions that it is made with also make the images of the tests. Usage: `node --import ./scripts/typescript.mjs scripts/fixtures.ts [OUT]`
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { pack, type Header } from "tar-stream";

/** An entry of a tar archive. */
export interface TarEntry extends Partial<Header> {
  readonly name: string;
  readonly content?: string | Uint8Array;
}

/** A layer: its archive, and the blob that it becomes. */
export interface Layer {
  readonly tar: Buffer;
  readonly blob: Buffer;
  readonly mediaType: string;
}

/** A blob of a layout by its digest. */
export type Blobs = Map<string, Buffer>;

const OCI = "application/vnd.oci.image";
const WHEN = new Date("2026-01-01T00:00:00Z");

/** What the images are for: where this runs. */
export const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";

/** The bytes of an archive. */
export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) {
    archive.entry({ mtime: WHEN, uid: 0, gid: 0, mode: 0o644, ...header }, Buffer.from(content ?? ""));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A layer of these entries, compressed with gzip or not. */
export async function layerOf(entries: readonly TarEntry[], gzip = true): Promise<Layer> {
  const tar = await tarOf(entries);
  return { tar, blob: gzip ? gzipSync(tar) : tar, mediaType: `${OCI}.layer.v1.tar${gzip ? "+gzip" : ""}` };
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Adds a blob; gives its descriptor. */
export function addBlob(
  blobs: Blobs,
  bytes: Uint8Array | string,
  mediaType: string,
): { mediaType: string; digest: string; size: number } {
  const content = Buffer.from(bytes);
  const digest = sha256(content);
  blobs.set(digest, content);
  return { mediaType, digest, size: content.length };
}

/** The configuration of an image with these layers; `change` may make it as odd as a test wants it. */
export function configOf(
  layers: readonly Layer[],
  process: object,
  change: (config: Record<string, unknown>) => void = () => undefined,
): string {
  const config: Record<string, unknown> = {
    created: "2026-01-01T00:00:00Z",
    architecture: ARCHITECTURE,
    os: "linux",
    config: process,
    rootfs: { type: "layers", diff_ids: layers.map(({ tar }) => sha256(tar)) },
  };
  change(config);
  return JSON.stringify(config);
}

/** Adds an image of these layers with this configuration; gives the manifest's descriptor. */
export function addImage(
  blobs: Blobs,
  layers: readonly Layer[],
  config: string,
): { mediaType: string; digest: string; size: number } {
  const manifest = {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: addBlob(blobs, config, `${OCI}.config.v1+json`),
    layers: layers.map(({ blob, mediaType }) => addBlob(blobs, blob, mediaType)),
  };
  return addBlob(blobs, JSON.stringify(manifest), manifest.mediaType);
}

/** The files of an OCI layout, by their paths. */
export function layoutOf(blobs: Blobs, manifests: readonly object[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  files.set("oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  files.set(
    "index.json",
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests })),
  );
  for (const [digest, bytes] of blobs) files.set(`blobs/${digest.replace(":", "/")}`, bytes);
  return files;
}

/** An archive of files. */
export function archiveOf(files: ReadonlyMap<string, Buffer>): Promise<Buffer> {
  return tarOf([...files].map(([name, content]) => ({ name, content })));
}

/** Writes files below a folder. */
export function writeFiles(folder: string, files: ReadonlyMap<string, Buffer>): void {
  for (const [name, content] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** What `docker save` made before it made layouts: layers as they are, named in manifest.json. */
export function savedOf(layers: readonly Layer[], config: string, names: readonly string[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const member = `${sha256(config).slice("sha256:".length)}.json`;
  files.set(member, Buffer.from(config));
  const members = layers.map(({ tar }, index) => {
    files.set(`layer${index}/layer.tar`, tar);
    return `layer${index}/layer.tar`;
  });
  files.set("manifest.json", Buffer.from(JSON.stringify([{ Config: member, RepoTags: names, Layers: members }])));
  return files;
}

/** Busybox and a link for each of these programs, and the directories that a root file system has. */
export function busyboxEntries(programs: readonly string[] = PROGRAMS): TarEntry[] {
  return [
    directoryEntry("./"),
    directoryEntry("bin/"),
    directoryEntry("dev/"),
    directoryEntry("etc/"),
    directoryEntry("proc/"),
    directoryEntry("root/", 0o700),
    directoryEntry("sys/"),
    directoryEntry("tmp/", 0o1777),
    { name: "bin/busybox", mode: 0o755, content: readFileSync("/bin/busybox") },
    ...programs.map((name): TarEntry => ({ name: `bin/${name}`, type: "symlink", linkname: "busybox", mode: 0o777 })),
  ];
}

function directoryEntry(name: string, mode = 0o755): TarEntry {
  return { name, type: "directory", mode };
}

const PROGRAMS = [
  "sh",
  "cat",
  "ls",
  "id",
  "pwd",
  "echo",
  "env",
  "sed",
  "grep",
  "tr",
  "hostname",
  "sleep",
  "true",
  "false",
  "mount",
  "ps",
  "kill",
  "touch",
  "rm",
  "mkdir",
  "stat",
  "head",
  "wc",
  "test",
  "seq",
  "dd",
  "mknod",
  "chroot",
  "sync",
  "tty",
  "stty",
  "ln",
  "sort",
  "find",
];

/** The entries of a folder, in the order of their names. Directories that hold a file only have no entry of their own in `bare`. */
function entriesOf(folder: string, bare: boolean, prefix = ""): TarEntry[] {
  return readdirSync(join(folder, prefix))
    .toSorted()
    .flatMap((name): TarEntry[] => {
      const path = prefix === "" ? name : `${prefix}/${name}`;
      const { mode } = statSync(join(folder, path));
      if (!statSync(join(folder, path)).isDirectory()) {
        return [{ name: path, mode: mode & 0o100 ? 0o755 : 0o644, content: readFileSync(join(folder, path)) }];
      }
      const own: TarEntry[] = bare ? [] : [{ name: `${path}/`, type: "directory", mode: 0o755 }];
      return [...own, ...entriesOf(folder, bare, path)];
    });
}

/** The demo image as an OCI archive. */
export async function demoArchive(fixtures: string): Promise<Buffer> {
  const layers = [
    await layerOf([...busyboxEntries(), ...entriesOf(join(fixtures, "demo/1-base"), false)]),
    await layerOf(entriesOf(join(fixtures, "demo/2-changes"), true), false),
    await layerOf(entriesOf(join(fixtures, "demo/3-app"), false)),
  ];
  const config = configOf(layers, {
    Entrypoint: ["/app/show"],
    Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GREETING=hello from the image"],
    WorkingDir: "/app",
    Labels: { "org.opencontainers.image.title": "tsrun's demo" },
    StopSignal: "SIGTERM",
  });
  const blobs: Blobs = new Map();
  const manifest = addImage(blobs, layers, config);
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  return archiveOf(
    layoutOf(blobs, [{ ...manifest, platform: { os: "linux", architecture: ARCHITECTURE }, annotations }]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const repository = join(dirname(fileURLToPath(import.meta.url)), "..");
  const out = process.argv[2] ?? join(repository, "build/demo.oci.tar");
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, await demoArchive(join(repository, "rootfs-fixtures")));
}
