/** `volume ls`: what volumes there are, and how many containers use each. */
import { ageOf } from "../image/words.ts";
import { listVolumes, usersOfVolumes } from "../image/volumes.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";
import { formatOf, table } from "./text-table.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const format = formatOf(parsed);
  const store = { sys, path: globals.store };
  const volumes = listVolumes(store);
  if (isSet(parsed, "quiet")) {
    print(sys, volumes.map(({ name }) => `${name}\n`).join(""));
    return 0;
  }
  const users = usersOfVolumes(store);
  if (format === "json") {
    const described = volumes.map(({ name, created, labels }) => ({
      name,
      created,
      labels,
      users: users.get(name) ?? [],
    }));
    print(sys, `${JSON.stringify(described)}\n`);
    return 0;
  }
  const now = sys.clockRealtime()[0] ?? 0;
  const rows = volumes.map(({ name, created }) => [name, ageOf(created, now), String(users.get(name)?.length ?? 0)]);
  print(sys, table([["VOLUME NAME", "CREATED", "CONTAINERS"], ...rows]));
  return 0;
}
