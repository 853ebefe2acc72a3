/** What a container was asked to be, in the words of docker's inspect, where config.json has other ones or none. Pure. */
import { isSet, option, type Parsed } from "../commands/context.ts";
import type { Limits } from "./flags/limits.ts";
import type { Options } from "./flags/options.ts";
import type { ImageProcess } from "./image-config.ts";

/** Parts of docker's inspect that are noted when the container is made. */
export interface Asked {
  readonly Config: object;
  readonly HostConfig: object;
}

/** `hostname` is the one that it sees. */
export function askedOf(
  hostname: string,
  image: ImageProcess,
  { options, parsed }: { options: Options; parsed: Parsed },
): Asked {
  const config = configOf(image, options, option(parsed, "image") ?? "");
  return { Config: { Hostname: hostname, ...config }, HostConfig: hostConfigOf(options, parsed) };
}

function configOf(image: ImageProcess, options: Options, name: string): object {
  const own = options.entrypoint;
  const command = options.command.length > 0 || own !== undefined ? options.command : image.cmd;
  const stopSignal = options.stopSignal ?? image.stopSignal;
  return {
    User: options.user ?? image.user,
    OpenStdin: options.interactive,
    ...(image.exposedPorts.length === 0 ? {} : { ExposedPorts: setOf(image.exposedPorts) }),
    Image: name,
    Entrypoint: orNull(own === undefined ? image.entrypoint : [own].filter((word) => word !== "")),
    Cmd: orNull(command),
    WorkingDir: options.cwd ?? image.workingDir,
    Volumes: image.volumes.length === 0 ? null : setOf(image.volumes),
    ...(stopSignal === "" ? {} : { StopSignal: stopSignal }),
  };
}

function hostConfigOf(options: Options, parsed: Parsed): object {
  const list = (name: string): readonly string[] => parsed.flags.get(name) ?? [];
  const word = (name: string, otherwise: string): string => option(parsed, name) ?? otherwise;
  return {
    Binds: orNull(list("volume").filter((volume) => volume.includes(":"))),
    NetworkMode: word("network", "none"),
    PidMode: word("pid", ""),
    IpcMode: word("ipc", "private"),
    UTSMode: word("uts", ""),
    UsernsMode: word("userns", ""),
    CgroupnsMode: word("cgroupns", "private"),
    CgroupParent: word("cgroup-parent", ""),
    AutoRemove: isSet(parsed, "rm"),
    Privileged: isSet(parsed, "privileged"),
    CapAdd: orNull(list("cap-add")),
    CapDrop: orNull(list("cap-drop")),
    SecurityOpt: orNull(list("security-opt")),
    GroupAdd: orNull(list("group-add")),
    ExtraHosts: orNull(list("add-host")),
    Dns: list("dns"),
    DnsOptions: list("dns-option"),
    DnsSearch: list("dns-search"),
    OomScoreAdj: options.oomScoreAdj ?? 0,
    ShmSize: options.shmSize ?? 64 << 20,
    ...limitsOf(options.limits),
    ...timeOf(options.limits, option(parsed, "cpus")),
  };
}

function limitsOf({ memory, memorySwap, memoryReservation, cpu, ioWeight, pids }: Limits): object {
  return {
    Memory: memory ?? 0,
    MemorySwap: memorySwap ?? 0,
    MemoryReservation: memoryReservation ?? 0,
    CpuShares: cpu.shares ?? 0,
    CpusetCpus: cpu.cpus ?? "",
    CpusetMems: cpu.mems ?? "",
    BlkioWeight: ioWeight ?? 0,
    PidsLimit: pids ?? null,
  };
}

/** What --cpus says is not said a second time as a quota. */
function timeOf({ cpu }: Limits, cpus: string | undefined): object {
  if (cpus !== undefined) return { NanoCpus: Math.round(Number(cpus) * 1e9), CpuQuota: 0, CpuPeriod: 0 };
  return { NanoCpus: 0, CpuQuota: cpu.quota ?? 0, CpuPeriod: cpu.period ?? 0 };
}

function orNull(list: readonly string[]): readonly string[] | null {
  return list.length === 0 ? null : list;
}

/** Go's set: names without values. */
function setOf(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
