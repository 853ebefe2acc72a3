/** Images for the tests, and a store of the test's own to load them into. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  addImage,
  archiveOf,
  ARCHITECTURE,
  busyboxEntries,
  configOf,
  layerOf,
  layoutOf,
  writeFiles,
  type Blobs,
  type Layer,
  type TarEntry,
} from "../../scripts/fixtures.ts";
import { succeeded, type Box } from "../support/box.ts";
import type { Result, RunOptions, Running } from "../support/runtime.ts";

const REF_NAME = "org.opencontainers.image.ref.name";

/** The layer with busybox, made once. */
export const BASE: Promise<Layer> = layerOf([
  ...busyboxEntries(),
  { name: "etc/passwd", content: "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1001:Alice:/home/alice:/bin/sh\n" },
  { name: "etc/group", content: "root:x:0:\nalice:x:1001:\nstaff:x:50:alice\n" },
]);

/** An image to be: its layers, `config.config`, and what a test makes of the documents. */
export interface Wanted {
  readonly layers: readonly Layer[];
  readonly process?: object;
  readonly change?: (config: Record<string, unknown>) => void;
  /** The name in the layout. */
  readonly name?: string;
  readonly platform?: object;
}

/** The files of a layout with these images. */
export function layoutFiles(...images: readonly Wanted[]): Map<string, Buffer> {
  const blobs: Blobs = new Map();
  const manifests = images.map(({ layers, process = {}, change, name, platform }) => ({
    ...addImage(blobs, layers, configOf(layers, process, change)),
    platform: platform ?? { os: "linux", architecture: ARCHITECTURE },
    ...(name === undefined ? {} : { annotations: { [REF_NAME]: name } }),
  }));
  return layoutOf(blobs, manifests);
}

/** A layer of files, each with its text. */
export function filesLayer(files: Readonly<Record<string, string>>, gzip = true): Promise<Layer> {
  return layerOf(
    Object.entries(files).map(([name, content]): TarEntry => ({ name, content })),
    gzip,
  );
}

/** A test's store. */
export class Store {
  readonly box: Box;
  readonly path: string;

  /** `name` is one in the test's own place, or a path. */
  constructor(box: Box, name = "store") {
    this.box = box;
    this.path = name.startsWith("/") ? name : box.path(name);
  }

  tsrun(args: readonly string[], options?: RunOptions): Result {
    return this.box.tsrun(["--store", this.path, ...args], options);
  }

  begin(args: readonly string[], options?: RunOptions): Running {
    return this.box.begin(["--store", this.path, ...args], options);
  }

  /** Must succeed; gives what it prints. */
  prints(...args: string[]): string {
    return succeeded(args, this.tsrun(args)).stdout;
  }

  /** Must fail with one line; gives what it says. */
  refuses(...args: string[]): string {
    const { status, stderr, stdout } = this.tsrun(args);
    const codes = args.includes("--image") && args[0] !== "explain" ? [125, 126, 127] : [1];
    if (!codes.includes(status) || stderr.trim().includes("\n") || stderr.length > 4096) {
      throw new Error(`${args.join(" ")}: not refused with one line: ${status} ${stdout}${stderr}`);
    }
    const [, said = '""'] = /msg=(".*")/.exec(stderr) ?? [];
    return JSON.parse(said) as string;
  }

  /** Writes an archive with these images; gives its path. */
  async archive(name: string, ...images: readonly Wanted[]): Promise<string> {
    return this.archiveOfFiles(name, layoutFiles(...images));
  }

  async archiveOfFiles(name: string, files: ReadonlyMap<string, Buffer>): Promise<string> {
    const path = this.box.path(name);
    writeFileSync(path, await archiveOf(files));
    return path;
  }

  /** Writes a layout; gives its directory. */
  layout(name: string, files: ReadonlyMap<string, Buffer>): string {
    const path = this.box.file(name);
    writeFiles(path, files);
    return path;
  }

  /** Loads an image of the base layer and these, under the name "it"; gives its id. */
  async load(process: object = {}, ...more: readonly Layer[]): Promise<string> {
    return this.loadImage({ layers: [await BASE, ...more], process: { Cmd: ["sh"], ...process } });
  }

  async loadImage(image: Wanted): Promise<string> {
    this.prints("image", "load", await this.archive("it.tar", image), "--name", "it");
    return (JSON.parse(this.prints("image", "inspect", "it")) as { Id: string }[])[0]?.Id ?? "";
  }

  /** `run --image it`; the flags come before the command, which is run by a shell. */
  sh(command: string, flags: readonly string[] = [], options?: RunOptions): Result {
    return this.tsrun(["run", "--image", "it", ...flags, this.box.id(), "--", "sh", "-c", command], options);
  }

  /** What a command in a container prints, without the last newline. */
  says(command: string, ...flags: string[]): string {
    return succeeded([command], this.sh(command, flags)).stdout.trimEnd();
  }

  /** The names in a folder of the store. */
  names(folder: string): string[] {
    const path = join(this.path, folder);
    return existsSync(path) ? readdirSync(path).toSorted() : [];
  }

  /** What there is of images and containers: for tests that nothing is left. */
  contents(): Record<string, string[]> {
    const blobs = this.names("blobs").flatMap((algorithm) => this.names(`blobs/${algorithm}`));
    return {
      blobs,
      layers: this.names("layers"),
      stacks: this.names("stacks"),
      refs: this.names("refs"),
      containers: this.names("containers"),
      trash: this.names("trash"),
    };
  }

  inode(path: string): number {
    return statSync(join(this.path, path)).ino;
  }

  text(path: string): string {
    return readFileSync(join(this.path, path), "utf8");
  }
}

/** A store with nothing in it. */
export const EMPTY = { blobs: [], layers: [], stacks: [], refs: [], containers: [], trash: [] };
