/** What the worker is told of files that are written outside of the store: native/image/src/save/, pack/. */
import type { Compression } from "./make-manifest.ts";
import type { FromSource } from "./worker.ts";

/** A stored layer that is to be a blob in a file. */
export interface PackOrder {
  readonly layer: string;
  readonly compression: Compression;
  readonly file: string;
}

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
    | ({ readonly kind: "member"; readonly member: string } & FromSource);
}
