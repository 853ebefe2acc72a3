/** The image that `--image` means: one of the store, or one that is loaded on the way. */
import { Failure } from "../sys/failure.ts";
import { quote } from "../spec/reader.ts";
import type { Context } from "../commands/context.ts";
import { hexOf } from "./digest.ts";
import { parseImageConfig, type ImageConfig } from "./image-config.ts";
import { loadImages, namesOf, openImages, severalFound } from "./load.ts";
import { findNamed, isFor, nameOf, parsePlatform, type Platform } from "./platform.ts";
import { parseReference } from "./reference.ts";
import {
  findRecord,
  findRecordIfAny,
  isName,
  isThere,
  listRecords,
  makeStore,
  readBlob,
  readAgain,
  readAllNamed,
  readNamed,
  type ImageRecord,
  type Store,
} from "./store.ts";
import { parseOutside, type Place } from "./transport.ts";
import { Worker } from "./worker.ts";

export interface Obtained {
  readonly record: ImageRecord;
  readonly config: ImageConfig;
}

/** When an image is pulled that has no place of its own: docker's words. */
export type PullPolicy = "never" | "missing" | "always";

/** The policy that `--pull` names; "missing" where it is not given. Throws a Failure. */
export function parsePullPolicy(text: string | undefined): PullPolicy {
  if (text === undefined || text === "missing") return "missing";
  if (text === "never" || text === "always") return text;
  throw new Failure(`--pull must be never, missing or always: current value is ${JSON.stringify(text)}`);
}

/** On which terms an image is taken. */
interface Terms {
  readonly policy: PullPolicy;
  readonly platform?: Platform | undefined;
}

/** The image that `text`, a name or a transport, means; of several the one for `platform`. Throws a Failure. */
export function obtainImage(context: Context, store: Store, text: string, { policy, platform }: Terms): Obtained {
  const { sys, env } = context;
  const place = parseOutside(text);
  if (place === undefined) return findHere(store, text, { policy, platform }) ?? pullOne(context, text, platform);
  using worker = new Worker(sys, env);
  return findLoaded(store, worker, place) ?? loadOne(context, store, worker, place);
}

/** Undefined where it is to be pulled: as for docker, an image for another platform is not the one. Throws a Failure. */
function findHere(store: Store, text: string, { policy, platform }: Terms): Obtained | undefined {
  if (policy === "always") return undefined;
  const record = policy === "never" ? findRecord(store, text) : findRecordIfAny(store, text);
  if (record === undefined) return undefined;
  const here = describe(store, forPlatform(store, record, platform));
  if (platform === undefined || isFor(here.config.platform, platform)) return here;
  // An id is one image's, wherever it is.
  const byName = isName(store, text);
  if (byName && policy === "missing") return undefined;
  const others = record.name === undefined ? [] : readAllNamed(store, record.name);
  const is = [nameOf(here.config.platform), ...others.flatMap((each) => each.platform ?? [])].join(", ");
  const wanted = nameOf(platform);
  const hint = byName
    ? `"tsrun image pull --platform ${wanted} ${text}" brings that`
    : "an id is of one platform: give a name";
  throw new Failure(`image ${quote(text)} in the store is for ${is}, and --platform asks for ${wanted} (${hint})`);
}

/** Of the images of one name the one for this platform; the one that the name means where there is none, or none is asked for. */
export function forPlatform(store: Store, record: ImageRecord, platform: Platform | undefined): ImageRecord {
  if (platform === undefined || record.name === undefined) return record;
  const others = readAllNamed(store, record.name).flatMap((each) =>
    each.platform === undefined ? [] : [{ record: each, platform: parsePlatform(each.platform) }],
  );
  return others.length === 0 ? record : (findNamed(others, platform)?.record ?? record);
}

function pullOne(context: Context, text: string, platform: Platform | undefined): Obtained {
  const [pulled] = context.sys.load("image-pull-for-run").pullForRun(context, text, platform);
  if (pulled === undefined) throw new Failure(`there is no image ${JSON.stringify(text)}`);
  return pulled;
}

function describe(store: Store, record: ImageRecord): Obtained {
  try {
    const missing = record.lower.find((lower) => !isThere(store, `${store.path}/${lower}`));
    if (missing !== undefined)
      throw new Failure(
        `${missing.slice(0, missing.lastIndexOf("/"))} of image ${hexOf(record.id)} is not in the store ` +
          "(load or pull the image again: what is missing is made anew)",
      );
    return { record, config: parseImageConfig(readBlob(store, record.id)) };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "SpecError") throw error;
    throw new Failure(`the configuration of image ${hexOf(record.id)}: ${error.message}`);
  }
}

/** The image of the place, if the store has it under the name that loading would give it. */
function findLoaded(store: Store, worker: Worker, place: Place): Obtained | undefined {
  makeStore(store);
  const opened = openImages(store, worker, place);
  const [image, ...others] = opened.images;
  if (image === undefined || others.length > 0) throw severalFound(place, opened);
  const [name] = namesOf(image, place, undefined);
  const record = name === undefined ? unnamed(store, image.id) : readNamed(store, parseReference(name));
  if (record?.id !== image.id) return undefined;
  const isWhole = record.lower.every((lower) => isThere(store, `${store.path}/${lower}`));
  return isWhole ? { record, config: image.config } : undefined;
}

function unnamed(store: Store, id: ImageRecord["id"]): ImageRecord | undefined {
  return listRecords(store).find((record) => record.name === undefined && record.id === id);
}

function loadOne({ globals }: Context, store: Store, worker: Worker, place: Place): Obtained {
  const [loaded] = loadImages(store, worker, place, { snapshotter: globals.snapshotter });
  if (loaded === undefined) throw new Failure(`there is no image in ${place.path}`);
  return loaded;
}

/** Whether the image is still what its name names. */
export function stillNamed(store: Store, record: ImageRecord): boolean {
  return readAgain(store, record)?.id === record.id;
}
