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
  else print(sys, table(rowsOf(records, { now: sys.clockRealtime()[0] ?? 0, digests: isSet(parsed, "digests") })));
  return 0;
}

function describe(record: ImageRecord): object {
  const { repository, tag } = named(record);
  const { id, platform, created, size, loaded } = record;
  const digest = digestOf(record);
  const more = { ...(digest === undefined ? {} : { digest }), ...(platform === undefined ? {} : { platform }) };
  return { id, repository, tag, ...more, created, loaded, size };
}

/** Images for other machines stand under the same name, with a column for what they are for. */
function rowsOf(
  records: readonly ImageRecord[],
  { now, digests }: { readonly now: number; readonly digests: boolean },
): string[][] {
  const platforms = records.some(({ platform }) => platform !== undefined);
  const row = (name: string[], digest: string, platform: string, rest: string[]): string[] => [
    ...name,
    ...(digests ? [digest] : []),
    ...(platforms ? [platform] : []),
    ...rest,
  ];
  const rows = records.map((record) => {
    const { repository, tag } = named(record);
    const rest = [short(record.id), ageOf(record.created, now), sizeText(record.size)];
    return row([repository, tag], digestOf(record) ?? "<none>", record.platform ?? "", rest);
  });
  return [row(["REPOSITORY", "TAG"], "DIGEST", "PLATFORM", ["IMAGE ID", "CREATED", "SIZE"]), ...rows];
}

/** What its name leads to in its registry. */
function digestOf({ index, manifest }: ImageRecord): string | undefined {
  return index ?? manifest;
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
