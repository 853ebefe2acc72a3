/** `inspect`: all about containers, as JSON. */
import { openContainer } from "../container/state.ts";
import { inspectContainer } from "../image/inspect-container.ts";
import { print, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  const described = parsed.operands.map((id) => {
    using held = openContainer(sys, globals.root, id);
    return inspectContainer(sys, held);
  });
  print(sys, `${JSON.stringify(described, undefined, 4)}\n`);
  return 0;
}
