/** `volume prune`: volumes that no container uses, those without a name or all, once somebody has said yes. */
import { parseFilters } from "../image/flags/volume-filter.ts";
import { isAnonymous, listVolumes, lockVolumes, removeVolume, usersOfVolumes } from "../image/volumes.ts";
import type { Sys } from "../sys/sys.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const passes = parseFilters(parsed.flags.get("filter") ?? [], ["label", "label!"]);
  const store = { sys, path: globals.store };
  using _lock = lockVolumes(store);
  const users = usersOfVolumes(store);
  const all = isSet(parsed, "all");
  const unused = listVolumes(store).filter(
    (volume) => !users.has(volume.name) && (all || isAnonymous(volume)) && passes({ ...volume, used: false }),
  );
  if (unused.length === 0) return 0;
  const names = unused.map(({ name }) => name).join(", ");
  if (!isSet(parsed, "force") && !confirms(sys, `This removes all that is in ${names}. Go on? [y/N] `)) return 1;
  for (const volume of unused) {
    removeVolume(store, volume);
    print(sys, `${volume.name}\n`);
  }
  return 0;
}

/** Whether the answer begins with "y". */
function confirms(sys: Sys, question: string): boolean {
  print(sys, question);
  const input = sys.inherited(0);
  const [first] = sys.readSome(input, 100);
  input.take();
  return first === 0x79 || first === 0x59;
}
