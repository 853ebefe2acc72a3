/** `container:ID` of --network, --pid, --uts and --cgroupns: the namespace that the first process of another container is in. */
import { NAMESPACES } from "../mechanisms/namespaces.ts";
import { isAlive, openContainer } from "../container/state.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import type { NamespaceType } from "../spec/spec.ts";
import type { RawNamespace } from "./flags/namespaces.ts";

/** The namespaces with their paths; `root` is where the state of containers is. Throws a Failure. */
export function joinContainers(sys: Sys, root: string, namespaces: readonly RawNamespace[]): RawNamespace[] {
  return namespaces.map(({ type, path, container }) => {
    if (container === undefined) return { type, ...(path === undefined ? {} : { path }) };
    return { type, path: pathIn(sys, root, { type: type as NamespaceType, container }) };
  });
}

function pathIn(sys: Sys, root: string, { type, container }: { type: NamespaceType; container: string }): string {
  using held = inWords(`join the ${type} namespace of container ${JSON.stringify(container)}`, () =>
    openContainer(sys, root, container),
  );
  const { state } = held;
  if (!isAlive(sys, state))
    throw new Failure(`cannot join the ${type} namespace of container ${JSON.stringify(container)}: it does not run`);
  return `/proc/${state.pid}/ns/${NAMESPACES[type].file}`;
}

/** The container that is meant is not the one that is made: its failure says which. */
function inWords<T>(action: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof Failure ? new Failure(`cannot ${action}: ${error.message}`) : error;
  }
}
