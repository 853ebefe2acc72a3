/**
 * Indexes and manifests: the image specification, image-index.md and manifest.md, and docker's older words for the same. What
 * could be read in two ways is refused (CVE-2021-41190), and no digest is used before it was checked (CVE-2024-3727).
 */
import { readDocument } from "../spec/document.ts";
import { SpecError } from "../spec/error.ts";
import {
  arrayIn,
  asObject,
  integerIn,
  listIn,
  mustBe,
  objectIn,
  pathOf,
  requiredStringIn,
  stringIn,
  stringMapIn,
  stringsIn,
} from "../spec/reader.ts";
import type { JsonObject, Range } from "../spec/reader.ts";
import { isDigest, type Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

/** A manifest or an index is refused if it is longer: what registries take, distribution-spec "Pushing Manifests". */
export const MANIFEST_LIMIT = 4 << 20;

/** OVL_MAX_STACK of the kernel's fs/overlayfs/params.h, less one for the layer that mends directories. */
const MOST_LAYERS = 499;
const MOST_MANIFESTS = 1000;

const SIZE: Range = { min: 0, max: Number.MAX_SAFE_INTEGER };
const SCHEMA: Range = { min: 0, max: 100 };

const OCI = "application/vnd.oci.image.";
const DOCKER = "application/vnd.docker.";

export const INDEX_TYPE = `${OCI}index.v1+json`;
const INDEX_TYPES = [INDEX_TYPE, `${DOCKER}distribution.manifest.list.v2+json`];
const MANIFEST_TYPES = [`${OCI}manifest.v1+json`, `${DOCKER}distribution.manifest.v2+json`];

/** What a registry may send as a manifest. */
export const DOCUMENT_TYPES: readonly string[] = [...MANIFEST_TYPES, ...INDEX_TYPES];

const CONFIG_TYPES = [`${OCI}config.v1+json`, `${DOCKER}container.image.v1+json`];
const LAYER_TYPES = [
  `${OCI}layer.v1.tar`,
  `${OCI}layer.v1.tar+gzip`,
  `${OCI}layer.v1.tar+zstd`,
  `${OCI}layer.nondistributable.v1.tar`,
  `${OCI}layer.nondistributable.v1.tar+gzip`,
  `${OCI}layer.nondistributable.v1.tar+zstd`,
  `${DOCKER}image.rootfs.diff.tar`,
  `${DOCKER}image.rootfs.diff.tar.gzip`,
  `${DOCKER}image.rootfs.diff.tar.zstd`,
  `${DOCKER}image.rootfs.foreign.diff.tar.gzip`,
];

/** What registries hold besides images, by the beginning of its configuration's type, or of its own. */
const ARTIFACTS: readonly (readonly [type: string, words: string])[] = [
  ["application/vnd.cncf.helm.", "a Helm chart"],
  ["application/vnd.docker.plugin.", "a plugin of docker"],
  ["application/vnd.docker.ai.model.", "a model of docker's"],
  ["application/vnd.cncf.model.", "a model"],
  ["application/vnd.wasm.", "a WebAssembly module"],
  ["application/vnd.dev.cosign.", "a signature"],
  ["application/vnd.dev.sigstore.", "a signature"],
  ["application/vnd.in-toto", "an attestation"],
  ["application/vnd.sylabs.sif.", "an image of Singularity"],
  ["application/vnd.cncf.flux.", "an artifact of Flux"],
];

/** The annotations by which a layout names its images: annotations.md, and containerd's for the whole name. */
export const REF_NAME = "org.opencontainers.image.ref.name";
export const CONTAINERD_NAME = "io.containerd.image.name";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** One of the images of an index. */
export interface Entry extends Descriptor {
  readonly platform: Platform | undefined;
  /** The names it has in the index, the fullest first. */
  readonly names: readonly string[];
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** An image of docker save's manifest.json: its parts are files of the archive. */
export interface Saved {
  readonly config: string;
  readonly names: readonly string[];
  readonly layers: readonly string[];
}

/** Whether the document of this type holds others, and no layers. */
export function isIndex({ mediaType }: Pick<Descriptor, "mediaType">): boolean {
  return INDEX_TYPES.includes(mediaType);
}

/** The entries of an index. `mediaType` is what its descriptor says, undefined for index.json. Throws a SpecError. */
export function parseIndex(text: string, mediaType: string | undefined): Entry[] {
  return readDocument(text, (index) => {
    checkKind(index, INDEX_TYPES, mediaType, ["layers", "config", "fsLayers"]);
    if (!Array.isArray(index["manifests"])) throw new SpecError("manifests", "is required");
    checkCount(index, "manifests", MOST_MANIFESTS);
    return listIn(index, "manifests", "", parseEntry);
  });
}

/** Throws a SpecError unless `text` is the manifest of an image of the type that its descriptor says. */
export function parseManifest(text: string, mediaType: string): Manifest {
  return readDocument(text, (manifest) => {
    checkKind(manifest, MANIFEST_TYPES, mediaType, ["manifests", "fsLayers"]);
    const config = objectIn(manifest, "config", "");
    if (config === undefined) throw new SpecError("config", "is required");
    const artifact = stringIn(manifest, "artifactType", "");
    refuseArtifact("config.mediaType", stringIn(config, "mediaType", "config"), artifact);
    checkCount(manifest, "layers", MOST_LAYERS);
    return {
      config: parseDescriptor(config, "config", CONFIG_TYPES),
      layers: listIn(manifest, "layers", "", (layer, at) => parseDescriptor(layer, at, LAYER_TYPES)),
    };
  });
}

/** All blobs of a manifest, each once, of an image or of anything else. Throws a SpecError. */
export function parseBlobs(text: string, mediaType: string): Descriptor[] {
  return readDocument(text, (manifest) => {
    checkKind(manifest, MANIFEST_TYPES, mediaType, ["manifests", "fsLayers"]);
    const config = objectIn(manifest, "config", "");
    if (config === undefined) throw new SpecError("config", "is required");
    checkCount(manifest, "layers", MOST_LAYERS);
    return [
      parseDescriptor(config, "config", undefined),
      ...listIn(manifest, "layers", "", (layer, at) => parseDescriptor(layer, at, undefined)),
    ];
  });
}

/** The type of a manifest or index that came without a descriptor: what it says, and the OCI's where it says nothing. */
export function typeOfManifest(text: string): string {
  const { mediaType, manifests } = JSON.parse(text) as { mediaType?: unknown; manifests?: unknown };
  if (typeof mediaType === "string" && mediaType !== "") return mediaType;
  return manifests === undefined ? `${OCI}manifest.v1+json` : INDEX_TYPE;
}

/** Throws a SpecError for what is no image at all, and says what it is. */
function refuseArtifact(at: string, type: string, artifactType: string): void {
  if (CONFIG_TYPES.includes(type) || type === "") return;
  const shown = artifactType === "" ? type : artifactType;
  const [, words] = ARTIFACTS.find(([front]) => shown.startsWith(front)) ?? [];
  throw new SpecError(
    at,
    `must be one of an image's: this is ${words ?? "something else"}, of type ${JSON.stringify(shown)}`,
  );
}

/** The images of docker save's manifest.json, an array. Throws a SpecError. */
export function parseSaved(text: string): Saved[] {
  // The reader wants an object, so that there is one way in for all documents.
  return readDocument(`{"images":${text}}`, (document) => {
    checkCount(document, "images", MOST_MANIFESTS);
    return listIn(document, "images", "", (image, at) => {
      checkCount(image, "Layers", MOST_LAYERS, at);
      return {
        config: requiredStringIn(image, "Config", at),
        names: stringsIn(image, "RepoTags", at),
        layers: stringsIn(image, "Layers", at),
      };
    });
  });
}

/** The oci-layout file: image-layout.md. Throws a SpecError. */
export function checkLayout(text: string): void {
  readDocument(text, (layout) => {
    const version = requiredStringIn(layout, "imageLayoutVersion", "");
    if (version !== "1.0.0") throw mustBe("imageLayoutVersion", "1.0.0", version);
  });
}

/** A document must be of one kind only, and of the one that it was said to be. */
function checkKind(
  document: JsonObject,
  types: readonly string[],
  mediaType: string | undefined,
  foreign: readonly string[],
): void {
  if (integerIn(document, "schemaVersion", "", SCHEMA) !== 2) {
    throw mustBe(
      "schemaVersion",
      "2 (images of the first schema have no digests for what is in them)",
      document["schemaVersion"],
    );
  }
  const own = stringIn(document, "mediaType", "");
  if (own !== "" && !types.includes(own)) throw mustBe("mediaType", types.join(" or "), own);
  if (own !== "" && mediaType !== undefined && own !== mediaType)
    throw mustBe("mediaType", `${mediaType}, as its descriptor says`, own);
  for (const key of foreign) {
    if (document[key] !== undefined)
      throw new SpecError(key, "must not be in a document of this kind: it could be read as another");
  }
}

function checkCount(object: JsonObject, key: string, most: number, at = ""): void {
  const { length } = arrayIn(object, key, at);
  if (length > most) throw new SpecError(pathOf(at, key), `must not have more than ${most} entries: it has ${length}`);
}

function parseEntry(raw: JsonObject, at: string): Entry {
  const annotations = stringMapIn(raw, "annotations", at);
  const names = [annotations[CONTAINERD_NAME], annotations[REF_NAME]].filter(
    (name) => name !== undefined && name !== "",
  );
  return { ...parseDescriptor(raw, at, undefined), platform: parsePlatform(raw, at), names: names as string[] };
}

/** `types` undefined: any, because an index may also list what is no image. Throws a SpecError. */
export function parseDescriptor(raw: JsonObject, at: string, types: readonly string[] | undefined): Descriptor {
  const mediaType = requiredStringIn(raw, "mediaType", at);
  if (types !== undefined && !types.includes(mediaType))
    throw mustBe(pathOf(at, "mediaType"), "one of an image's", mediaType);
  const digest = requiredStringIn(raw, "digest", at);
  if (!isDigest(digest))
    throw mustBe(pathOf(at, "digest"), "a digest such as sha256:… with 64 lower-case hexadecimal digits", digest);
  const size = integerIn(raw, "size", at, SIZE);
  if (size === undefined) throw new SpecError(pathOf(at, "size"), "is required");
  return { mediaType, digest, size };
}

function parsePlatform(raw: JsonObject, at: string): Platform | undefined {
  const platform = raw["platform"];
  if (platform === undefined || platform === null) return undefined;
  const object = asObject(platform, pathOf(at, "platform"));
  const text = (key: string): string => stringIn(object, key, pathOf(at, "platform"));
  return { os: text("os"), architecture: text("architecture"), variant: text("variant") };
}
