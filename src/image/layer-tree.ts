/** Which images stand on which layers: layers from the lowest up, and the images that end there. */
import { countOf } from "../spec/text.ts";
import { hexOf, type Digest } from "./digest.ts";
import { layerInfo } from "./load.ts";
import { familiar, parseReference } from "./reference.ts";
import { isThere, layerPath, type ImageRecord, type Store } from "./store.ts";
import { sizeText } from "./words.ts";

/** A layer upon those below it. */
interface Node {
  readonly layers: Map<Digest, Node>;
  readonly images: ImageRecord[];
}

/** The lines of the picture. */
export function treeOf(store: Store, records: readonly ImageRecord[]): string[] {
  const sizes = new Map<Digest, number>();
  const users = new Map<Digest, Set<Digest>>();
  const root: Node = { layers: new Map(), images: [] };
  for (const record of records) {
    for (const diffId of record.layers) {
      sizes.set(diffId, sizes.get(diffId) ?? sizeOf(store, diffId));
      users.set(diffId, (users.get(diffId) ?? new Set()).add(record.id));
    }
    place(root, record).images.push(record);
  }
  return [...linesOf(root, "", { sizes, users }), ...summary(records, sizes)];
}

function sizeOf(store: Store, diffId: Digest): number {
  return isThere(store, layerPath(store, diffId)) ? layerInfo(store, diffId).bytes : 0;
}

function place(root: Node, { layers }: ImageRecord): Node {
  let at = root;
  for (const diffId of layers) {
    const next = at.layers.get(diffId) ?? { layers: new Map(), images: [] };
    at.layers.set(diffId, next);
    at = next;
  }
  return at;
}

interface Known {
  readonly sizes: ReadonlyMap<Digest, number>;
  /** The ids of the images that have a layer. */
  readonly users: ReadonlyMap<Digest, ReadonlySet<Digest>>;
}

function linesOf(node: Node, indent: string, known: Known): string[] {
  const items = [
    ...node.images.map((image) => ({ text: imageText(image, known), below: undefined })),
    ...[...node.layers].map(([diffId, below]) => ({ text: layerText(diffId, known), below })),
  ];
  return items.flatMap(({ text, below }, index) => {
    const isLast = index === items.length - 1;
    const rest = below === undefined ? [] : linesOf(below, `${indent}${isLast ? "   " : "│  "}`, known);
    return [`${indent}${isLast ? "└─ " : "├─ "}${text}`, ...rest];
  });
}

function layerText(diffId: Digest, { sizes, users }: Known): string {
  const count = users.get(diffId)?.size ?? 0;
  const shared = count > 1 ? `, shared by ${count} images` : "";
  return `layer ${hexOf(diffId).slice(0, 12)}  ${sizeText(sizes.get(diffId) ?? 0)}${shared}`;
}

function imageText({ name, id, layers, size, platform }: ImageRecord, { sizes, users }: Known): string {
  const own = [...new Set(layers)].filter((diffId) => users.get(diffId)?.size === 1);
  const alone = own.reduce((sum, diffId) => sum + (sizes.get(diffId) ?? 0), 0);
  const text = name === undefined ? `<none> ${hexOf(id).slice(0, 12)}` : familiar(parseReference(name));
  const machine = platform === undefined ? "" : ` (${platform})`;
  return `${text}${machine}  ${sizeText(size)}, ${sizeText(alone)} of it its own`;
}

function summary(records: readonly ImageRecord[], sizes: ReadonlyMap<Digest, number>): string[] {
  const images = [...new Map(records.map((record) => [record.id, record])).values()];
  const once = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const each = images.reduce((sum, { size }) => sum + size, 0);
  const counts = `${countOf(images.length, "image")}, ${countOf(sizes.size, "layer")}`;
  return [`${counts}: ${sizeText(once)}; without sharing ${sizeText(each)}`];
}
