/** `kill`: a signal for a container. */
import { killContainer } from "../container/kill.ts";
import { signalNumber } from "../mechanisms/signals.ts";
import { isSet, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const [id = "", signal = "SIGTERM"] = parsed.operands;
  // As kill(1) has it: -9, -KILL.
  const number = signalNumber(signal.startsWith("-") ? signal.slice(1) : signal);
  killContainer(sys, globals.root, id, { number, all: isSet(parsed, "all") });
  return 0;
}
