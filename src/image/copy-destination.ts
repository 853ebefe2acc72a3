/** Where an image is copied to. */
import { absolutePath, type Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import { accessRegistry, type Access } from "./access.ts";
import type { CopySource } from "./copy-source.ts";
import { deliver } from "./deliver.ts";
import { LayoutWriter } from "./layout-write.ts";
import type { Descriptor } from "./manifest.ts";
import { parseDestination } from "./push.ts";
import type { PushView } from "./push-view.ts";
import { homeOf, readRegistriesConf, type Endpoint } from "./registries-conf.ts";
import type { Document } from "./registry.ts";
import { parseTransport, type Place } from "./transport.ts";
import type { Worker } from "./worker.ts";

export interface Destination {
  /** Makes blobs be there. Throws a Failure. */
  takeBlobs(blobs: readonly Descriptor[], source: CopySource, view: PushView): void;
  /** A manifest or index without a name, whose blobs and documents are there. Throws a Failure. */
  takeDocument(document: Document): void;
  /** The one that the name leads to from now on. Throws a Failure. */
  takeTop(document: Document): void;
}

interface Asking {
  readonly access: Access;
  /** Where it comes from, where that is a registry. */
  readonly from: Endpoint | undefined;
}

/** The place that `text` names. Throws a Failure. */
export function openDestination(context: Context, worker: Worker, text: string, asking: Asking): Destination {
  const place = parseTransport(text.startsWith("docker://") ? text.slice("docker://".length) : text);
  if (place === undefined) return toRegistry(context, worker, text, asking);
  if (place.form === "oci") return toLayout(context, worker, place);
  throw new Failure(`images are copied to registries and to oci:DIR, and not to ${place.form}`);
}

/** Files at a time. */
const THREADS = 3;

function toLayout({ sys }: Context, worker: Worker, { path, name }: Place): Destination {
  const layout = new LayoutWriter(sys, absolutePath(sys, path));
  return {
    takeBlobs: (blobs, source, view) => {
      const orders = blobs.map((blob) => {
        const { digest, size } = blob;
        return { digest, size, from: source.origin(blob), dest: layout.placeOf(digest) };
      });
      worker.ask("gather", { ask: { threads: THREADS, blobs: orders } }, (event) => view.heard(event));
    },
    takeDocument: (document) => layout.write(document),
    takeTop: (document) => {
      layout.write(document);
      layout.name(document, name);
    },
  };
}

function toRegistry(context: Context, worker: Worker, text: string, { access, from }: Asking): Destination {
  const reference = parseDestination(text);
  const endpoint = homeOf(readRegistriesConf(context, worker), reference);
  const mounts = from?.registry === endpoint.registry && from.path !== endpoint.path ? [from.path] : [];
  const registry = accessRegistry(context, worker, endpoint, { access, actions: "pull,push", mountable: mounts });
  registry.connect();
  return {
    takeBlobs: (blobs, source, view) => {
      const orders = blobs.map((blob) => {
        const { digest, size } = blob;
        return { known: [{ digest, size, mounts }], from: source.origin(blob) };
      });
      deliver(worker, registry, orders, view);
    },
    takeDocument: (document) => registry.putDocument(document.digest, document),
    takeTop: (document) => registry.putDocument(reference.tag ?? "", document),
  };
}
