/** An archive of docker's as what is copied: it has no manifest, so one is made, of layers as the destination wants them. */
import type { Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import type { Asking } from "./copy-source.ts";
import type { Digest } from "./digest.ts";
import { layerType, makeManifest } from "./make-manifest.ts";
import type { Descriptor } from "./manifest.ts";
import type { ConvertedLayer } from "./orders.ts";
import { collect, type Contents, type Parcel, type Sender, type Wanted } from "./parcel.ts";
import type { Document } from "./registry.ts";
import { openSavedImage, type SavedImage } from "./source.ts";
import type { Place } from "./transport.ts";
import type { Worker } from "./worker.ts";

/** Layers at a time: compression is all that takes long. */
const THREADS = 4;

/** Opens the image that the place means. Throws a Failure. */
export function openSaved({ sys }: Context, worker: Worker, place: Place, { scratch }: Asking): Sender {
  const saved = openSavedImage(sys, worker, place, scratch);
  const config = { digest: saved.image.id, size: sys.bytesOf(saved.image.configText).length };
  return { endpoint: undefined, parcel: (wanted) => convert(worker, { ...saved, config }, wanted) };
}

interface Saved extends SavedImage {
  readonly config: { readonly digest: Digest; readonly size: number };
}

/** Parts of the parcel: the configuration, and then each layer once. */
function convert(worker: Worker, saved: Saved, { choice, compression, begins, heard }: Wanted): Parcel {
  const { from, image, config } = saved;
  const layers = [...new Map(image.layers.map((layer) => [layer.diffId, layer])).values()];
  begins([config, ...layers.map(({ diffId }) => ({ digest: diffId }))]);
  for (const at of layers.keys()) heard({ event: "note", layer: at + 1, what: "packing", reason: "" });
  const orders = layers.map(({ member, diffId }) => ({ member, diffId }));
  const ask = { ...from, compression, threads: THREADS, layers: orders };
  const made = worker.ask("convert", { ask }, (event) => heard({ ...event, layer: event.layer + 1 })).layers;
  const blobs = new Map(layers.map(({ diffId }, at) => [diffId, described(made[at])]));
  const written = makeManifest({
    format: "oci",
    config,
    layers: image.layers.flatMap(({ diffId }) => blobs.get(diffId) ?? []),
  });
  const { digest, size } = worker.ask("digest", { text: written.text });
  return collect(contentsOf(saved, { ...written, digest: digest as Digest, size }), choice);
}

function described(made: ConvertedLayer | undefined): Descriptor {
  const mediaType = made && layerType("oci", made.compression);
  if (made === undefined || mediaType === undefined) throw new Failure("the worker has answered too little");
  return { mediaType, digest: made.digest as Digest, size: made.size };
}

function contentsOf({ from, image, member }: Saved, top: Document): Contents {
  return {
    top,
    document: ({ digest }) => {
      throw new Failure(`there is no manifest ${digest}`);
    },
    text: () => image.configText,
    origin: ({ digest }) => (digest === image.id ? { kind: "member", ...from, member } : { kind: "made", digest }),
  };
}
