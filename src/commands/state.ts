/** `state`: what a container is doing, as JSON. */
import { openContainer, statusOf, type Held } from "../container/state.ts";
import type { Sys } from "../sys/sys.ts";
import { print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  using held = openContainer(sys, globals.root, parsed.operands[0] ?? "");
  print(sys, JSON.stringify(describe(sys, held), undefined, 2));
  return 0;
}

/** The object that `state` prints; `list` adds the owner's name. */
export function describe(sys: Sys, held: Held): object {
  const { ociVersion, id, pid, bundle, rootfs, created, annotations } = held.state;
  const status = statusOf(sys, held);
  return {
    ociVersion,
    id,
    pid: status === "stopped" ? 0 : pid,
    status,
    bundle,
    rootfs,
    created,
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    owner: "",
  };
}
