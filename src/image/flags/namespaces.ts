/** --network, --pid, --ipc, --uts and --cgroupns: of which namespaces a container has its own; for --userns see userns.ts. Pure. */
import { quote } from "../../spec/reader.ts";
import { isAbsolute } from "../../spec/paths.ts";
import { Failure } from "../../sys/failure.ts";
import { option, type Parsed } from "../../commands/context.ts";

/** A namespace of config.json; absent where it is the host's. */
export interface RawNamespace {
  readonly type: string;
  readonly path?: string;
}

/** The flag of each type that there is one for, and the word for a namespace of one's own. */
const FLAGS = {
  network: { flag: "network", own: "none" },
  pid: { flag: "pid", own: "private" },
  ipc: { flag: "ipc", own: "private" },
  uts: { flag: "uts", own: "private" },
  cgroup: { flag: "cgroupns", own: "private" },
} as const;

/** `linux.namespaces`. Throws a Failure. */
export function parseNamespaces(parsed: Parsed): RawNamespace[] {
  const asked = Object.entries(FLAGS).flatMap(([type, { flag, own }]) => {
    const text = option(parsed, flag) ?? own;
    if (text === own) return [{ type }];
    if (text === "host") return [];
    const path = text.startsWith("ns:") ? text.slice(3) : "";
    if (isAbsolute(path)) return [{ type, path }];
    const hint = type === "network" ? " (networks between containers are not supported yet)" : "";
    throw new Failure(`--${flag} must be ${own}, host or ns:PATH: current value is ${quote(text)}${hint}`);
  });
  return [...asked, { type: "mount" }];
}

/** Whether the container has a new one, and not one that is there already. */
export function hasOwn(namespaces: readonly RawNamespace[], type: keyof typeof FLAGS): boolean {
  return namespaces.some((namespace) => namespace.type === type && namespace.path === undefined);
}

/** Whether it is the host's that the container is in. */
export function isHosts(namespaces: readonly RawNamespace[], type: keyof typeof FLAGS): boolean {
  return !namespaces.some((namespace) => namespace.type === type);
}
