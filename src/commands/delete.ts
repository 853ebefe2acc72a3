/** `delete`: a container goes, with its cgroup and state. */
import { deleteContainer } from "../container/delete.ts";
import { isSet, type Context, type Parsed } from "./context.ts";

export function run({ sys, globals }: Context, parsed: Parsed): number {
  deleteContainer(sys, globals.root, parsed.operands[0] ?? "", { force: isSet(parsed, "force") });
  return 0;
}
