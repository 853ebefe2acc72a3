/** `volume create`: a volume by its name; without one it gets a name that nobody has. */
import { parsePairs } from "../image/flags/pairs.ts";
import { lockVolumes, makeAnonymousVolume, makeVolume } from "../image/volumes.ts";
import { print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const [given] = parsed.operands;
  const labels = parsePairs(parsed.flags.get("label") ?? [], "label");
  using _lock = lockVolumes(store);
  if (given !== undefined) makeVolume(store, given, labels);
  print(sys, `${given ?? makeAnonymousVolume(store, labels)}\n`);
  return 0;
}
