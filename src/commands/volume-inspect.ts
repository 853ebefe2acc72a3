/** `volume inspect`: in the shape that docker prints, and who uses it. */
import { findVolume, usersOfVolumes } from "../image/volumes.ts";
import { print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const store = { sys, path: globals.store };
  const volumes = parsed.operands.map((name) => findVolume(store, name));
  const users = usersOfVolumes(store);
  const described = volumes.map(({ name, created, labels }) => ({
    CreatedAt: created,
    Driver: "local",
    Labels: labels,
    Mountpoint: `${store.path}/volumes/${name}/data`,
    Name: name,
    Options: {},
    Scope: "local",
    Containers: users.get(name) ?? [],
  }));
  print(sys, `${JSON.stringify(described, undefined, 4)}\n`);
  return 0;
}
