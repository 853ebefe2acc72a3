/** `kill`: a signal for a container. */
import { killContainer } from "../container/kill.ts";
import { signalNumber } from "../mechanisms/signals.ts";
import { openContainer, STOP_SIGNAL } from "../container/state.ts";
import type { Sys } from "../sys/sys.ts";
import { isSet, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const [id = "", given] = parsed.operands;
  const signal = given ?? stopSignalOf(sys, globals.root, id);
  // As kill(1) has it: -9, -KILL.
  const number = signalNumber(signal.startsWith("-") ? signal.slice(1) : signal);
  killContainer(sys, globals.root, id, { number, all: isSet(parsed, "all") });
  return 0;
}

/** A container from an image says what it wants to be stopped with; a bundle gets what runc sends. */
function stopSignalOf(sys: Sys, root: string, id: string): string {
  using held = openContainer(sys, root, id);
  const { owned, annotations } = held.state;
  return (owned === undefined ? undefined : annotations[STOP_SIGNAL]) ?? "SIGTERM";
}
