/** How an image came to be: the history of its configuration, newest first, in the columns of docker. */
import { readDocument } from "../spec/document.ts";
import { listIn, stringIn, type JsonObject } from "../spec/reader.ts";
import { layerInfo } from "./load.ts";
import { isThere, layerPath, readBlob, type ImageRecord, type Store } from "./store.ts";

/** A step. */
export interface Step {
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /** Bytes in the files of its layer; 0 for a step that made none. */
  readonly size: number;
  /** Undefined for a step that made no layer. */
  readonly layer: string | undefined;
}

/** Throws a Failure or a SpecError. */
export function historyOf(store: Store, record: ImageRecord): Step[] {
  const raw = readDocument(readBlob(store, record.id), (config) => listIn(config, "history", "", stepIn));
  const layers = record.layers.values();
  const steps = raw.map(({ isEmpty, ...step }): Step => {
    const layer = isEmpty ? undefined : layers.next().value;
    return { ...step, layer, size: sizeOf(store, layer) };
  });
  // Some builders say nothing of some layers, or of all.
  for (const layer of layers)
    steps.push({ created: "", createdBy: "", comment: "", layer, size: sizeOf(store, layer) });
  return steps.toReversed();
}

function stepIn(step: JsonObject, at: string): Omit<Step, "size" | "layer"> & { isEmpty: boolean } {
  return {
    created: stringIn(step, "created", at),
    createdBy: stringIn(step, "created_by", at),
    comment: stringIn(step, "comment", at),
    isEmpty: step["empty_layer"] === true,
  };
}

function sizeOf(store: Store, layer: ImageRecord["layers"][number] | undefined): number {
  return layer === undefined || !isThere(store, layerPath(store, layer)) ? 0 : layerInfo(store, layer).bytes;
}
