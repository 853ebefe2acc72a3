/** `start`: the process of a created container begins. */
import { startContainer } from "../container/start.ts";
import type { Context, Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  startContainer(sys, globals.root, parsed.operands[0] ?? "");
  return 0;
}
