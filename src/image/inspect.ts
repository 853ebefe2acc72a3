/** An image in full, in the shape that docker and podman print. */
import { hexOf } from "./digest.ts";
import { parseImageConfig } from "./image-config.ts";
import { checkPlatform, type Platform } from "./platform.ts";
import { canonical, familiar, familiarRepository, parseReference } from "./reference.ts";
import { listRecords, readBlob, type ImageRecord, type Store } from "./store.ts";

/** Throws a Failure where the store lacks its configuration, or the image is not for the platform that is `wanted`. */
export function inspectImage(store: Store, record: ImageRecord, wanted?: Platform): object {
  const text = readBlob(store, record.id);
  const { platform, created, author } = parseImageConfig(text);
  checkPlatform(platform, wanted);
  const raw = JSON.parse(text) as { readonly config?: object; readonly history?: unknown };
  const names = listRecords(store)
    .filter(({ id, name }) => id === record.id && name !== undefined)
    .map(({ name = "" }) => parseReference(name));
  const { manifest, layers, lower, size, loaded, id } = record;
  // What the name leads to in its registry: for docker and podman too that is the index.
  const digest = record.index ?? manifest;
  return {
    Id: id,
    RepoTags: names.filter(({ tag }) => tag !== undefined).map(familiar),
    RepoDigests: digest === undefined ? [] : [...new Set(names.map((name) => `${familiarRepository(name)}@${digest}`))],
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
