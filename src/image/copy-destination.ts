/** Where an image is copied to. */
import { absolutePath, type Context } from "../commands/context.ts";
import { accessRegistry, type Access } from "./access.ts";
import { toLayoutArchive, toSavedArchive } from "./copy-archive.ts";
import { deliver } from "./deliver.ts";
import type { Digest } from "./digest.ts";
import { LayoutWriter } from "./layout-write.ts";
import type { Compression } from "./make-manifest.ts";
import type { Parcel } from "./parcel.ts";
import { parseDestination } from "./push.ts";
import type { PushView } from "./push-view.ts";
import { homeOf, readRegistriesConf, type Endpoint } from "./registries-conf.ts";
import { parseTransport, withoutScheme, type Place } from "./transport.ts";
import type { Worker } from "./worker.ts";

export interface Destination {
  /** Of layers that come from where they have no digest. */
  readonly compression: Compression;
  /** Makes all of the parcel be there, its name last; gives the digest of what that leads to. Throws a Failure. */
  take(parcel: Parcel, view: PushView): Digest;
}

interface Asking {
  readonly access: Access;
  /** Where it comes from, where that is a registry. */
  readonly from: Endpoint | undefined;
}

/** The place that `text` names. Throws a Failure. */
export function openDestination(context: Context, worker: Worker, text: string, asking: Asking): Destination {
  const place = parseTransport(withoutScheme(text));
  if (place === undefined) return toRegistry(context, worker, text, asking);
  if (place.form === "oci") return toLayout(context, worker, place);
  return place.form === "oci-archive"
    ? toLayoutArchive(context, worker, place)
    : toSavedArchive(context, worker, place);
}

/** Files at a time. */
const THREADS = 3;

function toLayout({ sys }: Context, worker: Worker, { path, name }: Place): Destination {
  const layout = new LayoutWriter(sys, absolutePath(sys, path));
  return {
    compression: "gzip",
    take: ({ contents, documents, top, blobs }, view) => {
      const orders = blobs.map((blob) => {
        const { digest, size } = blob;
        return { digest, size, from: contents.origin(blob), dest: layout.placeOf(digest) };
      });
      worker.ask("gather", { ask: { threads: THREADS, blobs: orders } }, (event) => view.heard(event));
      for (const document of documents) layout.write(document);
      layout.name(top, name);
      return top.digest;
    },
  };
}

function toRegistry(context: Context, worker: Worker, text: string, { access, from }: Asking): Destination {
  const reference = parseDestination(text);
  const conf = readRegistriesConf(context, worker);
  const endpoint = homeOf(conf, reference);
  const mounts = from?.registry === endpoint.registry && from.path !== endpoint.path ? [from.path] : [];
  const registry = accessRegistry(context, worker, endpoint, {
    access,
    kept: conf,
    actions: "pull,push",
    mountable: mounts,
  });
  registry.connect();
  return {
    compression: "gzip",
    take: ({ contents, documents, top, blobs }, view) => {
      const orders = blobs.map((blob) => {
        const { digest, size } = blob;
        return { known: [{ digest, size, mounts }], from: contents.origin(blob) };
      });
      deliver(worker, registry, orders, view);
      // What a document names is there before it.
      for (const document of documents) if (document !== top) registry.putDocument(document.digest, document);
      registry.putDocument(reference.tag ?? "", top);
      return top.digest;
    },
  };
}
