/** --network, --pid, --ipc, --uts and --cgroupns: of which namespaces a container has its own; for --userns see userns.ts. Pure. */
import { quote } from "../../spec/reader.ts";
import { isAbsolute } from "../../spec/paths.ts";
import { Failure } from "../../sys/failure.ts";
import { option, type Parsed } from "../../commands/context.ts";

/** A namespace of config.json; absent where it is the host's. */
export interface RawNamespace {
  readonly type: string;
  readonly path?: string;
  /** The container that it is of, until its path is known: see image/joined.ts. */
  readonly container?: string;
}

/** The flag of each type that there is one for, and the words for a namespace of one's own, the default first. */
const FLAGS = {
  network: { flag: "network", own: ["none"] },
  pid: { flag: "pid", own: ["private"] },
  // "none" has no /dev/shm; "shareable" is one that others may join, which is so in any case.
  ipc: { flag: "ipc", own: ["private", "shareable", "none"] },
  uts: { flag: "uts", own: ["private"] },
  cgroup: { flag: "cgroupns", own: ["private"] },
} as const;

const CONTAINER = "container:";

/** `linux.namespaces`. Throws a Failure. */
export function parseNamespaces(parsed: Parsed): RawNamespace[] {
  const asked = Object.entries(FLAGS).flatMap(([type, { flag, own }]): RawNamespace[] => {
    const text = option(parsed, flag) ?? own[0];
    if ((own as readonly string[]).includes(text)) return [{ type }];
    if (text === "host") return [];
    const path = text.startsWith("ns:") ? text.slice(3) : "";
    if (isAbsolute(path)) return [{ type, path }];
    if (text.startsWith(CONTAINER) && text !== CONTAINER) return [joined(type, text.slice(CONTAINER.length))];
    const hint = type === "network" ? " (networks between containers are not supported yet)" : "";
    throw new Failure(
      `--${flag} must be ${own.join(", ")}, host, container:ID or ns:PATH: current value is ${quote(text)}${hint}`,
    );
  });
  return [...asked, { type: "mount" }];
}

function joined(type: string, container: string): RawNamespace {
  if (type !== "ipc") return { type, container };
  throw new Failure(
    "--ipc container:ID is not supported: /dev/shm is a mount of the other container's. Mount a volume on /dev/shm in both, or " +
      "join the namespace alone by ns:PATH",
  );
}

/** Whether the container has a new one, and not one that is there already. */
export function hasOwn(namespaces: readonly RawNamespace[], type: keyof typeof FLAGS): boolean {
  return namespaces.some(
    (namespace) => namespace.type === type && namespace.path === undefined && namespace.container === undefined,
  );
}

/** Whether it is the host's that the container is in. */
export function isHosts(namespaces: readonly RawNamespace[], type: keyof typeof FLAGS): boolean {
  return !namespaces.some((namespace) => namespace.type === type);
}
