/** Blobs on their way into a repository of a registry. */
import type { PushView } from "./push-view.ts";
import type { Registry } from "./registry.ts";
import type { BlobOrder, PushedBlob } from "./orders.ts";
import type { Worker } from "./worker.ts";

/** Uploads at a time: as many as downloads. */
const THREADS = 3;

/** Makes blobs be in the repository, each sent only if need be; gives what has become of each. Throws a Failure. */
export function deliver(
  worker: Worker,
  registry: Registry,
  blobs: readonly BlobOrder[],
  view: PushView,
): readonly PushedBlob[] {
  const { header, renewal } = registry.authorization ?? {};
  const ask = {
    base: registry.address(""),
    ...(header === undefined ? {} : { authorization: header }),
    ...(renewal === undefined ? {} : { renewal }),
    threads: THREADS,
    blobs,
  };
  return worker.ask("push", { network: registry.network, ask }, (event) => view.heard(event)).blobs;
}
