/** The records of images against their configurations, of which nearly all in them follows. */
import { readFileIfAny } from "../sys/files.ts";
import { Failure } from "../sys/failure.ts";
import type { Check } from "./check.ts";
import { isDigest, pathOfDigest } from "./digest.ts";
import { parseImageConfig } from "./image-config.ts";
import { parseManifest } from "./manifest.ts";
import { fileOf, lockStore, namesIn, readBlob, setAside, writeRecord, type ImageRecord, type Store } from "./store.ts";

const AGAIN = "load or pull the image again";

/** Gives the records that can be used, as they are now. `blobs` are the digests of those that are whole. */
export function checkRecords(check: Check, blobs: ReadonlySet<string>): ImageRecord[] {
  const files = namesIn(check.store, "refs").filter((file) => !file.startsWith("."));
  return files.toSorted().flatMap((file) => checkRecord(check, file, blobs) ?? []);
}

function checkRecord(check: Check, file: string, blobs: ReadonlySet<string>): ImageRecord | undefined {
  const { store, found } = check;
  const path = `refs/${file}`;
  const aside = (): string => {
    setAside(store, path);
    return `set aside in damaged: ${AGAIN}`;
  };
  const record = parse(store, path);
  if (record === undefined || fileName(record) !== file) {
    found(path, "is damaged", aside);
    return undefined;
  }
  if (!blobs.has(record.id)) {
    found(path, `its configuration, ${record.id}, is missing or damaged`, aside);
    return undefined;
  }
  return checkContent(check, path, record, blobs);
}

function checkContent(check: Check, path: string, record: ImageRecord, blobs: ReadonlySet<string>): ImageRecord {
  const { store, found } = check;
  const { diffIds, created } = parseImageConfig(readBlob(store, record.id));
  const { manifest, ...others } = record;
  const lower = record.lower.filter((each) => each.startsWith("layers/"));
  // Which of the two is there is for the layer to say.
  const folders = diffIds.map((diffId) => `layers/${diffId.slice(diffId.indexOf(":") + 1)}`);
  const follows = new Set(folders.flatMap((folder) => [`${folder}/fs`, `${folder}/erofs`]));
  const isRight =
    JSON.stringify(record.layers) === JSON.stringify(diffIds) &&
    record.created === created &&
    Number.isInteger(record.size) &&
    lower.length > 0 === diffIds.length > 0 &&
    lower.every((each) => follows.has(each));
  const rewrite = (mended: ImageRecord, done: string) => (): string => {
    using _lock = lockStore(store);
    writeRecord(store, mended);
    return done;
  };
  if (!isRight) {
    found(path, "is not what follows from its configuration", () => {
      setAside(store, path);
      return `set aside in damaged: ${AGAIN}`;
    });
  }
  if (record.index !== undefined && !blobs.has(record.index))
    return checkContent(check, path, withoutIndex(check, path, record), blobs);
  if (manifest === undefined || (blobs.has(manifest) && leadsTo(store, manifest, record.id))) return record;
  const gone = `blobs/${pathOfDigest(manifest)}`;
  found(path, `its manifest, ${gone}, is missing or damaged`, rewrite(others, "the image has no digest any more"));
  return others;
}

function withoutIndex({ store, found }: Check, path: string, record: ImageRecord): ImageRecord {
  const { index, ...others } = record;
  const gone = index === undefined ? "" : `blobs/${pathOfDigest(index)}`;
  found(path, `its index, ${gone}, is missing or damaged`, () => {
    using _lock = lockStore(store);
    writeRecord(store, others);
    return "the image is not found by the digest of its index any more";
  });
  return others;
}

function leadsTo(store: Store, manifest: NonNullable<ImageRecord["manifest"]>, id: string): boolean {
  const text = readBlob(store, manifest);
  const { mediaType } = JSON.parse(text) as { mediaType?: string };
  return parseManifest(text, mediaType ?? "").config.digest === id;
}

function parse({ sys, path }: Store, file: string): ImageRecord | undefined {
  try {
    const record = JSON.parse(readFileIfAny(sys, null, `${path}/${file}`) ?? "") as Partial<ImageRecord>;
    const { version, id = "", manifest, index, layers, lower } = record;
    const isShaped = version === 1 && isDigest(id) && Array.isArray(layers) && Array.isArray(lower);
    if (!isShaped || ![manifest, index].every((each) => each === undefined || isDigest(each))) return undefined;
    if (![...(layers as unknown[]), ...(lower as unknown[])].every((each) => typeof each === "string"))
      return undefined;
    return record as ImageRecord;
  } catch {
    return undefined; // Damaged is damaged.
  }
}

function fileName(record: ImageRecord): string | undefined {
  try {
    return fileOf(record);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
