/** `state`: what a container is doing, as JSON. */
import { openContainer, statusOf, type Held, type Status } from "../container/state.ts";
import type { Sys } from "../sys/sys.ts";
import { print, type Context, type Parsed } from "./context.ts";

/** What `state` prints, in the order of its keys; runtime#state and more. */
export interface Description {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** For `list` to fill in. */
  readonly owner: string;
}

export function run({ sys, globals }: Context, parsed: Parsed): number {
  using held = openContainer(sys, globals.root, parsed.operands[0] ?? "");
  print(sys, JSON.stringify(describe(sys, held), undefined, 2));
  return 0;
}

export function describe(sys: Sys, held: Held): Description {
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
