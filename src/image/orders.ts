/** What the worker is told of blobs that go somewhere: native/image/src/net/push.rs and gather.rs. */
import type { Network } from "./network.ts";
import type { FromSource, Renewal } from "./worker.ts";

/** Where the bytes of a blob come from that is to be sent. */
export type Origin =
  | ({ readonly kind: "member"; readonly member: string } & FromSource)
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
