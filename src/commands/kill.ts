/** `kill`: a signal for a container. */
import { killContainer } from "../container/kill.ts";
import { signalNumber } from "../mechanisms/signals.ts";
import { isSet, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const [id = "", signal = "SIGTERM"] = parsed.operands;
  killContainer(sys, globals.root, id, { number: signalNumber(signal), all: isSet(parsed, "all") });
  return 0;
}
