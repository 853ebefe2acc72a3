/**
 * What the layers of an image make together, by the words of layer.md alone: one after another on one tree, each one's whiteouts
 * for what was there before it.
 */
import { createHash } from "node:crypto";
import type { Forged } from "./forge.ts";

/** A file that may have several names. */
interface Node {
  kind: "d" | "f" | "l" | "c" | "p";
  mode: number;
  owner: string;
  time: bigint;
  /** Size or number, and hash or target, as tree.py writes them. */
  what: string;
  attributes: Record<string, string>;
}

const KINDS = { "0": "f", "2": "l", "3": "c", "5": "d", "6": "p" } as const;

/** A directory that nothing describes. */
const IMPLIED: Node = { kind: "d", mode: 0o755, owner: "0:0", time: 0n, what: "- -", attributes: {} };

export class Model {
  readonly #files = new Map<string, Node>([["", IMPLIED]]);

  has(path: string): boolean {
    return this.#files.has(path);
  }

  isDirectory(path: string): boolean {
    return this.#files.get(path)?.kind === "d";
  }

  /** All paths, without the root. */
  paths(): string[] {
    return [...this.#files.keys()].filter((path) => path !== "").toSorted();
  }

  apply(layer: readonly Forged[]): void {
    const entries = layer.map((entry) => ({ entry, path: cleaned(String(entry.name)) }));
    for (const { path } of entries) {
      const [parent, name] = split(path);
      if (name === ".wh..wh..opq") this.#remove(parent, false);
      else if (name.startsWith(".wh.")) this.#remove(join(parent, name.slice(4)), true);
    }
    for (const { entry, path } of entries) {
      const [parent, name] = split(path);
      this.#imply(parent);
      if (!name.startsWith(".wh.")) this.#put(path, entry);
    }
  }

  /** As tree.py would describe it, without what is in `leftOut`. */
  lines(leftOut: readonly string[]): string[] {
    const paths = this.paths().filter((path) => !leftOut.some((out) => path === out || path.startsWith(`${out}/`)));
    const first = new Map<Node, string>();
    return ["", ...paths.toSorted(byComponents)].map((path) => {
      const node = this.#files.get(path) ?? IMPLIED;
      const same = node.kind === "d" ? path : (first.get(node) ?? path);
      first.set(node, same);
      const [shown, mode] = [JSON.stringify(path === "" ? "." : path), node.kind === "l" ? "-" : node.mode.toString(8)];
      const words = [
        shown,
        node.kind,
        mode,
        node.owner,
        node.time,
        node.what,
        same === path ? "-" : JSON.stringify(same),
      ];
      return `${words.join(" ")} ${attributesText(node.attributes)}`;
    });
  }

  #put(path: string, entry: Forged): void {
    const { flag = "0" } = entry;
    if (flag === "1") {
      const target = this.#files.get(cleaned(String(entry.link)));
      if (target === undefined) throw new Error(`no ${String(entry.link)} to link to`);
      if (this.#files.get(path) === target) return;
      this.#remove(path, true);
      this.#files.set(path, target);
      return;
    }
    const node = nodeOf(KINDS[flag as keyof typeof KINDS], entry);
    if (node.kind !== "d" || !this.isDirectory(path)) this.#remove(path, true);
    this.#files.set(path, node);
  }

  #imply(path: string): void {
    if (this.isDirectory(path)) return;
    this.#imply(split(path)[0]);
    this.#remove(path, true);
    this.#files.set(path, IMPLIED);
  }

  /** With all below it, and itself or not. */
  #remove(path: string, itself: boolean): void {
    const below = path === "" ? "" : `${path}/`;
    for (const other of this.#files.keys())
      if ((other === path && itself) || (other !== "" && other.startsWith(below) && other !== path))
        this.#files.delete(other);
  }
}

function nodeOf(
  kind: Node["kind"],
  { mode, uid = 0, gid = 0, mtime = 1_700_000_000, pax = {}, ...entry }: Forged,
): Node {
  const [seconds = "", fraction = ""] = String(pax["mtime"] ?? mtime).split(".");
  const body = Buffer.from(entry.body ?? "");
  const [major, minor] = entry.device ?? [0, 0];
  const what = {
    d: "- -",
    p: "- -",
    c: `${major}:${minor} -`,
    l: `- ${JSON.stringify(String(entry.link))}`,
    f: `${body.length} ${createHash("sha256").update(body).digest("hex")}`,
  }[kind];
  const attributes = Object.entries(pax).flatMap(([key, value]) =>
    key.startsWith("SCHILY.xattr.") ? [[key.slice("SCHILY.xattr.".length), Buffer.from(value).toString("hex")]] : [],
  );
  return {
    kind,
    mode: mode ?? (kind === "d" ? 0o755 : 0o644),
    owner: `${uid}:${gid}`,
    time: BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0")),
    what,
    attributes: Object.fromEntries(attributes) as Record<string, string>,
  };
}

/** As Python's json.dumps writes it. */
function attributesText(attributes: Readonly<Record<string, string>>): string {
  const names = Object.keys(attributes).toSorted();
  return `{${names.map((name) => `${JSON.stringify(name)}: ${JSON.stringify(attributes[name])}`).join(", ")}}`;
}

/** The order of a walk that goes into a directory before it goes on: "a/b" before "a.b". */
function byComponents(one: string, two: string): number {
  const [left, right] = [one.replaceAll("/", "\0"), two.replaceAll("/", "\0")];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function cleaned(name: string): string {
  return name
    .split("/")
    .filter((step) => step !== "" && step !== ".")
    .join("/");
}

function split(path: string): [parent: string, name: string] {
  const at = path.lastIndexOf("/");
  return at < 0 ? ["", path] : [path.slice(0, at), path.slice(at + 1)];
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}
