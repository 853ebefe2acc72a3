/** Manifests of our own making: manifest.md of the image specification, and docker's schema 2, which differs in its words. */
import type { Descriptor } from "./manifest.ts";

/** How a layer's archive is compressed. */
export type Compression = "gzip" | "zstd" | "none";

export const COMPRESSIONS: readonly Compression[] = ["gzip", "zstd", "none"];

/** The two families of media types, in podman's words. */
export type Format = "oci" | "v2s2";

interface Words {
  readonly index: string;
  readonly manifest: string;
  readonly config: string;
  readonly layers: Partial<Readonly<Record<Compression, string>>>;
}

const WORDS: Readonly<Record<Format, Words>> = {
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layers: {
      none: "application/vnd.oci.image.layer.v1.tar",
      gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
      zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
    },
  },
  // Docker's own readers know no zstd in its schema 2.
  v2s2: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layers: {
      none: "application/vnd.docker.image.rootfs.diff.tar",
      gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    },
  },
};

/** Which family the manifest of this type is of. */
export function formatOf(mediaType: string): Format {
  return mediaType.startsWith("application/vnd.docker.") ? "v2s2" : "oci";
}

/** How the layer of this type is compressed. */
export function compressionOf(mediaType: string): Compression {
  if (mediaType.endsWith("gzip")) return "gzip";
  return mediaType.endsWith("zstd") ? "zstd" : "none";
}

/** The type of a layer; undefined where the family has none for it. */
export function layerType(format: Format, compression: Compression): string | undefined {
  return WORDS[format].layers[compression];
}

/** What a manifest is to say. */
export interface Contents {
  readonly format: Format;
  readonly config: Omit<Descriptor, "mediaType">;
  readonly layers: readonly Descriptor[];
  /** A manifest whose other members are kept, as its annotations. */
  readonly like?: string | undefined;
}

/** The text of a manifest, and its type. */
export function makeManifest({ format, config, layers, like }: Contents): { text: string; mediaType: string } {
  const { manifest: mediaType, config: configType } = WORDS[format];
  const made = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: configType, digest: config.digest, size: config.size },
    layers: layers.map(({ mediaType: type, digest, size }) => ({ mediaType: type, digest, size })),
  };
  return { text: JSON.stringify({ ...made, ...annotationsOf(like, format) }), mediaType };
}

/** What an index is to say: manifests with their platforms. */
export interface Listing extends Pick<Contents, "format" | "like"> {
  readonly entries: readonly object[];
}

/** The text of an index, and its type. */
export function makeIndex({ format, entries, like }: Listing): { text: string; mediaType: string } {
  const mediaType = WORDS[format].index;
  const made = { schemaVersion: 2, mediaType, manifests: entries };
  return { text: JSON.stringify({ ...made, ...annotationsOf(like, format) }), mediaType };
}

/** Docker's documents have none. */
function annotationsOf(like: string | undefined, format: Format): object {
  const { annotations } = (like === undefined ? {} : JSON.parse(like)) as { annotations?: unknown };
  return annotations === undefined || format !== "oci" ? {} : { annotations };
}
