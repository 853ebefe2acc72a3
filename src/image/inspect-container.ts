/** A container in full, in the shape that docker prints: what tsrun knows of it, and nothing made up. */
import { specOf } from "../container/start.ts";
import { statusOf, type Held, type State, type Status } from "../container/state.ts";
import type { Mount, Spec } from "../spec/spec.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { originOf, type Origin } from "./containers.ts";

/** Throws a Failure where there is nothing to be seen of it yet. */
export function inspectContainer(sys: Sys, held: Held): object {
  const { state } = held;
  if (state.pid === 0) throw new Failure(`container ${state.id} is still being created`);
  const spec = specOf(sys, held);
  const origin = originOf(sys, state.owned);
  const [path = "", ...args] = spec.process.args;
  return {
    Id: state.id,
    Name: state.id,
    Created: state.created,
    Path: path,
    Args: args,
    State: stateOf(statusOf(sys, held), state),
    ...(origin === undefined ? {} : imageOf(origin)),
    Bundle: state.bundle,
    Rootfs: state.rootfs,
    CgroupPath: state.cgroup?.path ?? "",
    Mounts: mountsOf(spec, state.owned, origin?.store),
    Config: { ...configOf(spec), ...origin?.use.asked.Config },
    HostConfig: { ...hostConfigOf(spec), ...origin?.use.asked.HostConfig },
    NetworkSettings: networkOf(spec),
  };
}

/** In docker's words; whether one that has ended did so well is known to its caller alone. */
function stateOf(status: Status, { pid }: State): object {
  const paused = status === "paused";
  return {
    Status: status === "stopped" ? "exited" : status,
    Running: paused || status === "running",
    Paused: paused,
    Restarting: false,
    Dead: false,
    Pid: status === "stopped" ? 0 : pid,
  };
}

function imageOf({ use, overlay }: Origin): object {
  const { lower, upper, work } = overlay;
  return {
    Image: use.id,
    GraphDriver: { Name: "overlay", Data: { LowerDir: lower.join(":"), UpperDir: upper, WorkDir: work } },
  };
}

function configOf({ process, hostname, domainname, annotations }: Spec): object {
  return {
    Hostname: hostname ?? "",
    Domainname: domainname ?? "",
    User: `${process.user.uid}:${process.user.gid}`,
    Tty: process.terminal,
    Env: process.env,
    Entrypoint: null,
    Cmd: process.args,
    WorkingDir: process.cwd,
    Labels: annotations,
  };
}

function hostConfigOf({ root, cgroup, namespaces, process }: Spec): object {
  return {
    ReadonlyRootfs: root.readonly,
    // By the names that they have in the cgroup's directory.
    Limits: Object.fromEntries(cgroup.settings.map(({ file, value }) => [file, value])),
    Namespaces: namespaces,
    Capabilities: process.capabilities.bounding,
  };
}

/** What is mounted by its caller's wish: what every container has of the kernel and of its own is left out, as docker does. */
function mountsOf({ mounts }: Spec, owned: string | undefined, store: string | undefined): object[] {
  const isOwn = ({ source }: Mount): boolean =>
    owned !== undefined && (source.startsWith(`${owned}/etc/`) || source === `${owned}/init`);
  return mounts
    .filter((mount) => mount.bind !== "no" && !isOwn(mount))
    .map((mount) => mountOf(mount, { owned: `${owned ?? ""}/volumes/`, named: `${store ?? ""}/volumes/` }));
}

function mountOf(mount: Mount, places: { readonly owned: string; readonly named: string }): object {
  const { source, destination, options, propagation } = mount;
  const isOwned = source.startsWith(places.owned);
  const isNamed = source.startsWith(places.named) && source.endsWith("/data");
  const isVolume = isOwned || isNamed;
  const spread = propagation === undefined ? "" : `${propagation.recursive ? "r" : ""}${propagation.type}`;
  return {
    Type: isVolume ? "volume" : "bind",
    ...(isNamed ? { Name: source.slice(places.named.length, -"/data".length) } : {}),
    Source: source,
    Destination: destination,
    ...(isVolume ? { Driver: "local" } : {}),
    Mode: "",
    Options: options,
    RW: !options.includes("ro"),
    Propagation: isVolume ? "" : spread,
  };
}

/** There is no address: the shape alone, for whoever looks for one. */
function networkOf({ namespaces }: Spec): object {
  const network = namespaces.find(({ type }) => type === "network");
  const name = network === undefined ? "host" : network.path === undefined ? "none" : undefined;
  const nothing = { IPAddress: "", IPPrefixLen: 0, Gateway: "", MacAddress: "", GlobalIPv6Address: "" };
  return {
    SandboxKey: network?.path ?? "",
    Ports: {},
    ...nothing,
    Networks: name === undefined ? {} : { [name]: { Aliases: null, NetworkID: "", EndpointID: "", ...nothing } },
  };
}
