/**
 * Images leave the store, as an archive of docker's (manifest.json) or as a layout of the image specification. Their configurations
 * keep every byte and their layers the diff ids, so they are the same images wherever they are loaded.
 */
import type { Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import { layoutMembers, savedMembers } from "./archive-members.ts";
import { blobName, hexOf, pathOfDigest, type Digest } from "./digest.ts";
import { layerType, makeManifest, type Compression } from "./make-manifest.ts";
import { CONTAINERD_NAME, REF_NAME, type Descriptor } from "./manifest.ts";
import { SILENT_PUSH, type PushView } from "./push-view.ts";
import { findRecord, layerPath, readBlob, type ImageRecord, type Store } from "./store.ts";
import { beginTask, type Task } from "./tasks.ts";
import type { Worker } from "./worker.ts";
import type { Member, WriteDest } from "./write.ts";

/** podman's words for what is written. */
export type SaveFormat = "docker-archive" | "oci-archive" | "oci-dir";

export const SAVE_FORMATS: readonly SaveFormat[] = ["docker-archive", "oci-archive", "oci-dir"];

export interface SaveOptions {
  readonly format: SaveFormat;
  /** Of the layers of a layout; docker's archives hold them as they are. */
  readonly compression: Compression;
  readonly dest: WriteDest;
  readonly view?: PushView | undefined;
}

/** An image, and the names under which it is saved. */
interface Saved {
  readonly record: ImageRecord;
  readonly names: readonly string[];
}

interface Saving {
  readonly store: Store;
  readonly worker: Worker;
  readonly task: Task;
  /** Of all images, each once: the parts that the view hears of. */
  readonly layers: readonly Digest[];
  readonly view: PushView;
}

/** Saves images. Throws a Failure; a file or a directory that is not whole is not there. */
export function saveImages(context: Context, worker: Worker, images: readonly string[], options: SaveOptions): void {
  const store: Store = { sys: context.sys, path: context.globals.store };
  const chosen = choose(store, images);
  const needs = chosen.map(({ record: { id, manifest, lower, layers } }) => ({
    id,
    ...(manifest === undefined ? {} : { manifest }),
    lower: [...lower, ...layers.map((diffId) => `layers/${hexOf(diffId)}/fs`)],
  }));
  using task = beginTask(store, needs);
  const { dest, view = SILENT_PUSH } = options;
  const layers = [...new Set(chosen.flatMap(({ record }) => record.layers))];
  const saving: Saving = { store, worker, task, layers, view };
  view.begins(
    dest.kind === "passed" ? "standard output" : dest.path,
    layers.map((digest) => ({ digest })),
  );
  const members =
    options.format === "docker-archive" ? dockerMembers(saving, chosen) : ociMembers(saving, chosen, options);
  worker.ask("write", { dest, members }, (event) => view.heard(event));
  view.ends();
}

/** Each image once, with the names by which it was asked for. */
function choose(store: Store, images: readonly string[]): Saved[] {
  const asked = images.map((text) => {
    const record = findRecord(store, text);
    return { record, names: nameOf(record, text) };
  });
  return [...Map.groupBy(asked, ({ record }) => record.id).values()].flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [{ record: first.record, names: [...new Set(group.flatMap(({ names }) => names))] }];
  });
}

/** The image's name; none where it was asked for by its id, or has one that no tag could be. */
function nameOf({ name, id }: ImageRecord, text: string): string[] {
  const byId = hexOf(id).startsWith(text.startsWith("sha256:") ? text.slice(7) : text);
  return name === undefined || byId || name.includes("@") ? [] : [name];
}

/** docker's image archive. */
function dockerMembers({ store, layers }: Saving, images: readonly Saved[]): Member[] {
  return savedMembers(
    images.map(({ record: { id, layers: own }, names }) => {
      return { id, names, layers: own, config: { from: { kind: "file", path: blobFile(store, id) } } };
    }),
    layers.map((diffId, part) => ({ diffId, part, from: { kind: "layer", path: layerPath(store, diffId) } })),
  );
}

/** A layout: image-layout.md. What names something comes after it. */
function ociMembers(saving: Saving, images: readonly Saved[], { compression }: SaveOptions): Member[] {
  const { store, worker } = saving;
  const blobs = new Map<Digest, Member>();
  const layers = packLayers(saving, compression);
  for (const { digest, file } of layers.values()) blobs.set(digest, blobMember(digest, { kind: "file", path: file }));
  const manifests: object[] = [];
  for (const { record, names } of images) {
    const config = { digest: record.id, size: store.sys.bytesOf(readBlob(store, record.id)).length };
    blobs.set(record.id, blobMember(record.id, { kind: "file", path: blobFile(store, record.id) }));
    const made = makeManifest({ format: "oci", config, layers: record.layers.flatMap((id) => layers.get(id) ?? []) });
    const { digest, size } = worker.ask("digest", { text: made.text });
    blobs.set(digest as Digest, blobMember(digest as Digest, { kind: "text", text: made.text }));
    const entry = { mediaType: made.mediaType, digest, size };
    const named = names.map((name) => ({ ...entry, annotations: { [CONTAINERD_NAME]: name, [REF_NAME]: name } }));
    manifests.push(...(named.length === 0 ? [entry] : named));
  }
  return layoutMembers([...blobs.values()], manifests);
}

/** A layer's blob, which lies in `file`. */
type PackedLayer = Descriptor & { readonly file: string };

/** Layers at a time: compression is all that takes long. */
const THREADS = 4;

function packLayers(
  { store, worker, task, layers: ids, view }: Saving,
  compression: Compression,
): Map<Digest, PackedLayer> {
  const mediaType = layerType("oci", compression);
  if (mediaType === undefined) throw new Failure(`a layout has no ${compression} layers`);
  const orders = ids.map((id) => ({ layer: layerPath(store, id), compression, file: `${task.path}/${hexOf(id)}` }));
  const packed = worker.ask("pack", { layers: orders, threads: THREADS }, (event) => view.heard(event)).layers;
  return new Map(
    ids.map((id, at) => {
      const { digest = "", size = 0 } = packed[at] ?? {};
      return [id, { mediaType, digest: digest as Digest, size, file: orders[at]?.file ?? "" }];
    }),
  );
}

function blobMember(digest: Digest, from: Member["from"]): Member {
  return { name: blobName(digest), from };
}

function blobFile({ path }: Store, digest: Digest): string {
  return `${path}/blobs/${pathOfDigest(digest)}`;
}
