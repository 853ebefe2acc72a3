/** `volume create`: a volume by its name; without one it gets a name that nobody has. */
import { parsePairs } from "../image/flags/pairs.ts";
import { lockVolumes, makeVolume } from "../image/volumes.ts";
import { print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const name = parsed.operands[0] ?? sys.randomHex(32);
  const labels = parsePairs(parsed.flags.get("label") ?? [], "label");
  using _lock = lockVolumes(store);
  makeVolume(store, name, labels);
  print(sys, `${name}\n`);
  return 0;
}
