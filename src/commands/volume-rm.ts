/** `volume rm`: volumes go, with all that is in them. */
import { findVolume, listVolumes, lockVolumes, removeVolume } from "../image/volumes.ts";
import { isSet, print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  using _lock = lockVolumes(store);
  const force = isSet(parsed, "force");
  const there = new Set(listVolumes(store).map(({ name }) => name));
  // All are looked up before the first goes: a mistake in one takes none away.
  const names = [...new Set(parsed.operands)].filter((name) => !force || there.has(name));
  for (const volume of names.map((name) => findVolume(store, name))) {
    removeVolume(store, volume);
    print(sys, `${volume.name}\n`);
  }
  return 0;
}
