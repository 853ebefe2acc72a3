/** An image in full, in the shape that docker and podman print. */
import { hexOf } from "./digest.ts";
import { parseImageConfig } from "./image-config.ts";
import { canonical, familiar, familiarRepository, parseReference } from "./reference.ts";
import { listRecords, readBlob, type ImageRecord, type Store } from "./store.ts";

/** Throws a Failure where the store lacks its configuration. */
export function inspectImage(store: Store, record: ImageRecord): object {
  const text = readBlob(store, record.id);
  const { platform, created, author } = parseImageConfig(text);
  const raw = JSON.parse(text) as { readonly config?: object; readonly history?: unknown };
  const names = listRecords(store)
    .filter(({ id, name }) => id === record.id && name !== undefined)
    .map(({ name = "" }) => parseReference(name));
  const { manifest, layers, lower, size, loaded, id } = record;
  return {
    Id: id,
    RepoTags: names.map(familiar),
    RepoDigests:
      manifest === undefined ? [] : [...new Set(names.map((name) => `${familiarRepository(name)}@${manifest}`))],
    Names: names.map(canonical),
    Created: created,
    Loaded: loaded,
    Author: author,
    Os: platform.os,
    Architecture: platform.architecture,
    Variant: platform.variant,
    Size: size,
    Config: raw.config ?? {},
    RootFS: { Type: "layers", Layers: layers },
    History: raw.history ?? [],
    GraphDriver: { Name: "overlay", Data: { LowerDir: lower.map((path) => `${store.path}/${path}`).join(":") } },
    ...(manifest === undefined ? {} : { Digest: manifest }),
    ShortId: hexOf(id).slice(0, 12),
  };
}
