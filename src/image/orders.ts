/** What the worker is told of layers and blobs, and where they come from. */
import type { Compression } from "./make-manifest.ts";
import type { Network } from "./network.ts";

/** Where an image comes from, as the worker is told. */
export interface Source {
  /** A stream is an archive that can be read only once: the worker keeps a copy as long as it needs it. */
  readonly kind: "dir" | "archive" | "stream";
  readonly path: string;
}

/** A layer to be unpacked: the member of the source, what it must be, and where it goes. */
export interface LayerOrder {
  readonly member: string;
  readonly digest?: string;
  readonly size?: number;
  readonly diffId: string;
  readonly dest: string;
}

/** In which form layers are kept: as directories, or each as its archive with an index. */
export type Snapshotter = "overlayfs" | "erofs";

/** `scratch` is a directory for an unnamed file, which a compressed archive is decompressed into. */
export interface FromSource {
  readonly source: Source;
  readonly scratch: string;
}

/** A request to a registry or a token service. */
export interface FetchOrder {
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Goes to the origin of `url` only. */
  readonly authorization?: string;
  readonly body?: string;
  readonly limit: number;
  readonly digest?: string;
  readonly attempts?: number;
}

/** The request for a token, and the way to whom it goes: the token service is often another host than the registry. */
export interface Renewal {
  readonly network: Network;
  readonly ask: FetchOrder;
}

/** Layers to be pulled. */
export interface PullOrder {
  readonly authorization?: string;
  readonly renewal?: Renewal;
  readonly staging: string;
  readonly snapshotter: Snapshotter;
  readonly threads: number;
  readonly layers: readonly {
    readonly url: string;
    readonly digest: string;
    readonly size: number;
    readonly diffId: string;
    readonly dest: string;
    readonly spool: string;
    readonly lock: string;
  }[];
}

/** A stored layer that is to be a blob in a file. */
export interface PackOrder {
  readonly layer: string;
  readonly compression: Compression;
  readonly file: string;
}

/** Layers of an archive that are to be blobs. */
export interface ConvertOrder extends FromSource {
  /** Of those that have none; "none" takes away what they have. */
  readonly compression: Compression;
  readonly threads: number;
  readonly layers: readonly { readonly member: string; readonly diffId: string }[];
}

/** What has become of such a layer: the worker keeps it. */
export interface ConvertedLayer {
  readonly digest: string;
  readonly size: number;
  readonly compression: Compression;
}

/** Where the bytes of a blob come from that is to be sent; the worker has "made" it in answer to ConvertOrder. */
export type Origin =
  | ({ readonly kind: "member"; readonly member: string } & FromSource)
  | { readonly kind: "made"; readonly digest: string }
  | { readonly kind: "layer"; readonly path: string; readonly compression: string; readonly scratch: string }
  | {
      readonly kind: "registry";
      readonly network: Network;
      readonly url: string;
      readonly authorization?: string;
      readonly renewal?: Renewal;
      readonly scratch: string;
    };

/** A blob to be pushed: any of what is known will do, the best first; `from` has the bytes of the last of these. */
export interface BlobOrder {
  readonly known: readonly {
    readonly digest: string;
    readonly size: number;
    /** Repositories of the registry that may have it. */
    readonly mounts?: readonly string[];
  }[];
  readonly from?: Origin;
}

/** Blobs to be pushed; `base` is "https://HOST/v2/NAME/". */
export interface PushOrder {
  readonly base: string;
  readonly authorization?: string;
  readonly renewal?: Renewal;
  readonly threads: number;
  readonly blobs: readonly BlobOrder[];
}

/** A blob for a file. */
export interface GatherOrder {
  readonly threads: number;
  readonly blobs: readonly {
    readonly digest: string;
    readonly size: number;
    readonly from: Origin;
    readonly dest: string;
  }[];
}

/** What has become of a blob. */
export interface PushedBlob {
  readonly digest: string;
  readonly size: number;
  readonly how: "exists" | "mounted" | "sent";
}

/** One side of a copy: a path below a root, or an archive on a descriptor that the worker was passed. */
export type Side =
  | {
      readonly root: string;
      readonly path: string;
      /** Places of mounts that a copy does not enter. */
      readonly apart?: readonly string[];
    }
  | { readonly fd: number };

/** Ids of a container from the first number on, which are those from the second one on outside, so many of them. */
type IdRange = readonly [inside: number, outside: number, count: number];

/** A copy between a container and the host, or a stream. */
export interface TransferOrder {
  readonly from: Side;
  readonly to: Side;
  readonly follow: boolean;
  /** Who has the files then. */
  readonly owner?: readonly [uid: number, gid: number];
  /** Who the owners in an archive are outside. */
  readonly owners?: { readonly uids: readonly IdRange[]; readonly gids: readonly IdRange[] };
}
