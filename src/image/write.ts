/** What the worker is told of files that are written outside of the store: native/image/src/save/. */
import type { Origin } from "./orders.ts";

/** Where to; a directory must not be there, and an archive takes the place of the file that is. */
export type WriteDest =
  | { readonly kind: "dir" | "archive"; readonly path: string }
  | { readonly kind: "passed"; readonly fd: number };

/** A file to be written, and what is in it. */
export interface Member {
  readonly name: string;
  readonly from:
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "layer"; readonly path: string }
    | {
        readonly kind: "blob";
        readonly origin: Origin;
        readonly digest: string;
        readonly size: number;
        /** Of the layer in it, where that is wanted without its compression. */
        readonly diffId?: string;
      };
  /** The number under which it is told how far it is. */
  readonly part?: number;
}
