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
    Mounts: spec.mounts.map((mount) => mountOf(mount, origin?.store)),
    Config: configOf(spec),
    HostConfig: {
      ReadonlyRootfs: spec.root.readonly,
      // By the names that they have in the cgroup's directory.
      Limits: Object.fromEntries(spec.cgroup.settings.map(({ file, value }) => [file, value])),
      Namespaces: spec.namespaces,
      Capabilities: spec.process.capabilities.bounding,
    },
  };
}

function stateOf(status: Status, { pid }: State): object {
  const paused = status === "paused";
  return {
    Status: status,
    Running: paused || status === "running",
    Paused: paused,
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
    Cmd: process.args,
    WorkingDir: process.cwd,
    Labels: annotations,
  };
}

function mountOf({ type, source, destination, options, propagation }: Mount, store: string | undefined): object {
  const beginning = `${store ?? ""}/volumes/`;
  const isVolume = type === "bind" && store !== undefined && source.startsWith(beginning) && source.endsWith("/data");
  return {
    Type: isVolume ? "volume" : type,
    ...(isVolume ? { Name: source.slice(beginning.length, -"/data".length) } : {}),
    Source: source,
    Destination: destination,
    Options: options,
    RW: !options.includes("ro"),
    Propagation: propagation === undefined ? "" : `${propagation.recursive ? "r" : ""}${propagation.type}`,
  };
}
