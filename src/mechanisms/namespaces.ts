/** Namespaces, and what belongs to a new one: namespaces(7). */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { step, type Plan, type Scene } from "../plan/step.ts";
import type { InitOptions } from "../plan/plan.ts";
import type { Namespace, NamespaceType, Spec } from "../spec/spec.ts";

/** Each namespace's flag for clone3(2) and setns(2), and its name below /proc/PID/ns. */
export const NAMESPACES = {
  user: { flag: CLONE_NEWUSER, file: "user" },
  mount: { flag: CLONE_NEWNS, file: "mnt" },
  pid: { flag: CLONE_NEWPID, file: "pid" },
  network: { flag: CLONE_NEWNET, file: "net" },
  uts: { flag: CLONE_NEWUTS, file: "uts" },
  ipc: { flag: CLONE_NEWIPC, file: "ipc" },
  cgroup: { flag: CLONE_NEWCGROUP, file: "cgroup" },
  time: { flag: CLONE_NEWTIME, file: "time" },
} as const satisfies Record<NamespaceType, { flag: number; file: string }>;

export function hasNew(spec: Spec, type: NamespaceType): boolean {
  return spec.namespaces.some((namespace) => namespace.type === type && namespace.path === undefined);
}

/**
 * What init makes itself, and why: of a cgroup namespace the root is the cgroup of whoever makes it, cgroup_namespaces(7); and
 * a network namespace takes the kernel a third of a millisecond, in which the parent has other things to do. Better still
 * where it is made ahead: see beginNetwork.
 */
export const BY_INIT: readonly NamespaceType[] = ["cgroup", "network"];

/** Flags of clone3(2) for the namespaces that are made, but for those that init makes itself. */
export function cloneFlags(spec: Spec): number {
  let flags = 0;
  for (const { type, path } of spec.namespaces) {
    if (path === undefined && !BY_INIT.includes(type)) flags += NAMESPACES[type].flag;
  }
  return flags;
}

/** Flags of all namespaces that the container does not share with the host: those that exec joins. */
export function namespaceFlags(spec: Spec): number {
  let flags = 0;
  for (const { type } of spec.namespaces) flags += NAMESPACES[type].flag;
  return flags;
}

/** Keys and terminals of the caller are none of the process's. */
export function* planSession(id: string | undefined): Plan {
  if (id !== undefined) yield step("joinKeyring", `_ses.${id}`, "man:session-keyring(7)");
  yield step("startSession", undefined, "man:setsid(2)");
}

export function* planNamespaces(spec: Spec, options: InitOptions): Plan {
  yield* planSession(options.newKeyring ? options.id : undefined);
  for (const type of BY_INIT) {
    if (hasNew(spec, type)) yield step("enterNamespace", type, "config-linux#configLinuxNamespaces");
  }
  if (hasNew(spec, "network")) yield step("bringUpLoopback", "lo", "config-linux#configLinuxNamespaces");
}

export function* planNames(spec: Spec): Plan {
  if (spec.hostname !== undefined) yield step("setHostname", spec.hostname, "config#configHostname");
  if (spec.domainname !== undefined) yield step("setDomainname", spec.domainname, "config#configDomainname");
}

/** A session keyring of the container's own: the caller's keys stay out of reach. */
export function joinKeyring({ sys }: Scene, name: string): void {
  try {
    sys.joinSessionKeyring(name);
  } catch (error) {
    if (!isErrno(error, "ENOSYS")) throw error; // A kernel without keyrings has none to protect.
  }
}

/** No terminal of the caller can be written to by TIOCSTI (CVE-2017-5226). */
export function startSession({ sys }: Scene, _nothing: undefined): void {
  sys.setsid();
}

/** One that was made ahead is only entered. */
export function enterNamespace({ sys, network }: Scene, type: NamespaceType): void {
  if (type === "network" && network !== undefined) sys.setns(network, CLONE_NEWNET);
  else sys.unshare(NAMESPACES[type].flag);
}

/**
 * Lets the kernel make a network namespace while config.json is checked, where it asks for one that belongs to the caller's
 * user namespace; gives the way to have it. Undefined where init shall make it itself, and meet what is wrong.
 */
export function beginNetwork(sys: Sys, config: string): () => Fd | undefined {
  const list = sys.findInJson(config, ["linux", "namespaces"]);
  if (list === undefined || !wantsNetwork(list) || !succeeds(() => sys.beginNetwork())) return () => undefined;
  return () => {
    let network: Fd | undefined;
    succeeds(() => (network = sys.takeNetwork()));
    return network;
  };
}

/** Whether an unchecked list of namespaces has a new network namespace, and no user namespace. */
function wantsNetwork(list: string): boolean {
  let wanted = false;
  try {
    for (const { type, path } of JSON.parse(list) as Partial<Namespace>[]) {
      if (type === "user") return false;
      if (type === "network" && path === undefined) wanted = true;
    }
  } catch {
    return false; // It is no such list: the check says what is wrong.
  }
  return wanted;
}

function succeeds(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

/** A new network namespace has one interface, and it is down. */
export function bringUpLoopback({ sys }: Scene, name: string): void {
  sys.interfaceUp(name);
}

export function setHostname({ sys }: Scene, name: string): void {
  sys.setHostname(name);
}

export function setDomainname({ sys }: Scene, name: string): void {
  sys.setDomainname(name);
}
