/** `image history`: the steps that made an image, as docker shows them. */
import { historyOf, type Step } from "../image/history.ts";
import { hexOf, type Digest } from "../image/digest.ts";
import { findRecord } from "../image/store.ts";
import { ageOf, sizeText } from "../image/words.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";
import { formatOf, lineOf, table } from "./text-table.ts";

/** Of a command; docker's width. */
const LONGEST = 45;

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const format = formatOf(parsed);
  const record = findRecord(store, parsed.operands[0] ?? "");
  const steps = historyOf(store, record);
  if (format === "json")
    print(sys, `${JSON.stringify(steps.map((step, index) => describe(step, record.id, index)))}\n`);
  else
    print(sys, table(rowsOf(steps, record.id, { whole: isSet(parsed, "no-trunc"), now: sys.clockRealtime()[0] ?? 0 })));
  return 0;
}

/** Only the last step made the image of this id. */
function describe({ created, createdBy, comment, size, layer }: Step, id: Digest, index: number): object {
  return {
    id: index === 0 ? id : "<missing>",
    created,
    createdBy,
    size,
    comment,
    ...(layer === undefined ? {} : { layer }),
  };
}

function rowsOf(steps: readonly Step[], id: Digest, { whole, now }: { whole: boolean; now: number }): string[][] {
  const image = whole ? id : hexOf(id).slice(0, 12);
  const rows = steps.map(({ created, createdBy, comment, size }, index) => {
    const command = lineOf(createdBy);
    const shown = whole || command.length <= LONGEST ? command : `${command.slice(0, LONGEST - 1)}…`;
    return [index === 0 ? image : "<missing>", ageOf(created, now), shown, sizeText(size), lineOf(comment)];
  });
  return [["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"], ...rows];
}
