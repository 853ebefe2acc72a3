/** `image ls`: what is in the store. */
import { hexOf } from "../image/digest.ts";
import { treeOf } from "../image/layer-tree.ts";
import { familiarRepository, parseReference } from "../image/reference.ts";
import { listRecords, type ImageRecord } from "../image/store.ts";
import { ageOf, sizeText } from "../image/words.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";
import { formatOf, table } from "./text-table.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const format = formatOf(parsed);
  const store = { sys, path: globals.store };
  const records = listRecords(store);
  if (isSet(parsed, "quiet")) print(sys, lines([...new Set(records.map(({ id }) => short(id)))]));
  else if (isSet(parsed, "tree")) print(sys, lines(treeOf(store, records)));
  else if (format === "json") print(sys, `${JSON.stringify(records.map(describe))}\n`);
  else print(sys, table(rowsOf(records, sys.clockRealtime()[0] ?? 0)));
  return 0;
}

function describe(record: ImageRecord): object {
  const { repository, tag } = named(record);
  const { id, manifest, created, size, loaded } = record;
  return { id, repository, tag, ...(manifest === undefined ? {} : { digest: manifest }), created, loaded, size };
}

function rowsOf(records: readonly ImageRecord[], now: number): string[][] {
  const rows = records.map((record) => {
    const { repository, tag } = named(record);
    return [repository, tag, short(record.id), ageOf(record.created, now), sizeText(record.size)];
  });
  return [["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"], ...rows];
}

function named({ name }: ImageRecord): { repository: string; tag: string } {
  if (name === undefined) return { repository: "<none>", tag: "<none>" };
  const reference = parseReference(name);
  return { repository: familiarRepository(reference), tag: reference.tag ?? "<none>" };
}

function short(id: ImageRecord["id"]): string {
  return hexOf(id).slice(0, 12);
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}
