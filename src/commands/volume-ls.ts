/** `volume ls`: what volumes there are, and how many containers use each. */
import { parseFilters } from "../image/flags/volume-filter.ts";
import { ageOf } from "../image/words.ts";
import { listVolumes, usersOfVolumes } from "../image/volumes.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";
import { formatOf, table } from "./text-table.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const format = formatOf(parsed);
  const passes = parseFilters(parsed.flags.get("filter") ?? [], ["name", "label", "dangling", "driver"]);
  const store = { sys, path: globals.store };
  const users = usersOfVolumes(store);
  const volumes = listVolumes(store)
    .map(({ name, created, labels }) => ({ name, created, labels, users: users.get(name) ?? [] }))
    .filter((volume) => passes({ ...volume, used: volume.users.length > 0 }));
  if (isSet(parsed, "quiet")) {
    print(sys, volumes.map(({ name }) => `${name}\n`).join(""));
    return 0;
  }
  if (format === "json") {
    print(sys, `${JSON.stringify(volumes)}\n`);
    return 0;
  }
  const now = sys.clockRealtime()[0] ?? 0;
  const rows = volumes.map(({ name, created, users: { length } }) => [name, ageOf(created, now), String(length)]);
  print(sys, table([["VOLUME NAME", "CREATED", "CONTAINERS"], ...rows]));
  return 0;
}
