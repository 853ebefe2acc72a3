/**
 * An image's configuration and the command line → config.json, which then goes through the same door as any bundle's. The
 * image specification, conversion.md, says what becomes of what. Pure: whatever has to be looked up was looked up before.
 */
import { defaultSeccomp, type RawSeccomp } from "../mechanisms/seccomp-default.ts";
import { cleanPath, isWithin } from "../spec/paths.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { toEnvironment } from "./environment.ts";
import type { ImageConfig, ImageProcess } from "./image-config.ts";
import type { Options, RawMount } from "./options.ts";
import type { Machine } from "./platform.ts";
import { DEFAULT_MOUNTS, MASKED_PATHS, NAMESPACES, READONLY_PATHS } from "./profile.ts";
import { CPU_PERIOD } from "./quantities.ts";
import type { Identity } from "./users.ts";

/** What is known besides the image and the flags. */
export interface Surroundings {
  readonly id: string;
  readonly machine: Machine;
  /** Whether the kernel can limit swap. */
  readonly hasSwap: boolean;
  readonly user: Identity;
  /** Where the layers will be mounted. */
  readonly rootfs: string;
  /** Where the anonymous volumes are; their number is the name. */
  readonly volumes: string;
  /** Where the container's own files of /etc are, and which there are. */
  readonly etc: { readonly path: string; readonly names: readonly string[] };
  /** The caller's environment, for --env without a value and for nothing else. */
  readonly callerEnv: readonly string[];
  /** The profile that --security-opt names. */
  readonly seccomp: RawSeccomp | undefined;
  /** Gets what the image asks for and does not get. */
  readonly warn: (message: string) => void;
}

/** The version of the runtime specification that this is written to. */
const OCI_VERSION = "1.3.0";

/** The config.json. Throws a Failure. */
export function toConfig(image: ImageConfig, options: Options, around: Surroundings): object {
  const hostname = hostnameOf(options, around.id);
  const namespaces = NAMESPACES.filter((type) => type !== "network" || !options.hostNetwork);
  return {
    ociVersion: OCI_VERSION,
    process: processOf(image.process, options, around, hostname),
    root: { path: around.rootfs, readonly: options.readonlyRoot },
    hostname,
    mounts: mountsOf(image.process, options, around),
    annotations: annotationsOf(image, around),
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      resources: resourcesOf(options, around),
      ...seccompOf(options, around),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  };
}

/** As docker: the beginning of the id, unless the caller wants another. */
export function hostnameOf({ hostname }: Options, id: string): string {
  return hostname ?? id.slice(0, 12);
}

function processOf(image: ImageProcess, options: Options, around: Surroundings, hostname: string): object {
  const { capabilities, terminal, security } = options;
  const isRoot = around.user.uid === 0;
  return {
    terminal,
    user: around.user,
    args: argsOf(image, options),
    env: toEnvironment(image.env, options, { callerEnv: around.callerEnv, hostname, warn: around.warn }),
    cwd: options.cwd ?? cleanPath(`/${image.workingDir}`),
    // Never inheritable: CVE-2022-24769. Who is not root has none after execve(2) in any case, capabilities(7).
    capabilities: { bounding: capabilities, ...(isRoot ? { permitted: capabilities, effective: capabilities } : {}) },
    noNewPrivileges: security.noNewPrivileges,
  };
}

/** As docker: a command takes the place of Cmd, an entrypoint that of both. */
function argsOf({ entrypoint, cmd }: ImageProcess, options: Options): readonly string[] {
  const own = options.entrypoint;
  const first = own === undefined ? entrypoint : own === "" ? [] : [own];
  const rest = options.command.length > 0 || own !== undefined ? options.command : cmd;
  const args = [...first, ...rest];
  if (args.length === 0) throw new Failure('the image names no command: give one after "--"');
  return args;
}

/** The default ones, the image's volumes, the caller's. */
function mountsOf(image: ImageProcess, options: Options, around: Surroundings): RawMount[] {
  checkTwice(options.mounts);
  const own = anonymousVolumes(image, options).map(({ destination, name }) =>
    bind(`${around.volumes}/${name}`, destination),
  );
  const files = around.etc.names.map((name) => bind(`${around.etc.path}/${name}`, `/etc/${name}`));
  const asked = [...own, ...files, ...options.mounts];
  // One that is asked for takes the place of a default one, and of all below it: those would be covered.
  const defaults = DEFAULT_MOUNTS.filter(
    ({ destination }) => !asked.some((mount) => isWithin(destination, mount.destination)),
  );
  return [...defaults, ...asked.toSorted((left, right) => depthOf(left) - depthOf(right))];
}

function bind(source: string, destination: string): RawMount {
  return { destination, type: "bind", source, options: ["rbind", "rprivate"] };
}

/** Where the runtime's own mounts are: a volume of an image is left out there (images made for systemd have such). */
const RESERVED = ["/proc", "/sys", "/dev"];

/** The image's volumes that nothing else is mounted on, and their names among the container's own files. */
export function anonymousVolumes(
  { volumes }: ImageProcess,
  { mounts }: Options,
): { destination: string; name: string }[] {
  const destinations = [...new Set(volumes.map((path) => cleanPath(`/${path}`)))];
  return destinations
    .filter((path) => !isReserved(path) && !mounts.some(({ destination }) => destination === path))
    .map((destination, index) => ({ destination, name: String(index) }));
}

function isReserved(path: string): boolean {
  return path === "/" || RESERVED.some((directory) => isWithin(path, directory));
}

function checkTwice(mounts: readonly RawMount[]): void {
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) throw new Failure(`two mounts have the destination ${quote(destination)}`);
    seen.add(destination);
  }
}

function depthOf({ destination }: RawMount): number {
  return destination.split("/").length;
}

/** Annotations that the runtime or those around it act on: not for an image to give (CVE-2024-3154, CVE-2026-53488). */
const NOT_FROM_IMAGES = ["org.systemd.property.", "org.criu.", "run.oci."];

/** conversion.md, "Annotation Fields": implied ones first, so that a label of the same name has the last word. */
function annotationsOf(
  { platform, author, created, process }: ImageConfig,
  around: Surroundings,
): Record<string, string> {
  const prefix = "org.opencontainers.image.";
  const implied = {
    os: platform.os,
    architecture: platform.architecture,
    variant: platform.variant,
    author,
    created,
    stopSignal: process.stopSignal,
    exposedPorts: process.exposedPorts.join(","),
  };
  const annotations: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(implied)) if (value !== "") annotations[prefix + key] = value;
  for (const [key, value] of Object.entries(process.labels)) {
    const refused = key === "bundle" || key === "" || NOT_FROM_IMAGES.some((start) => key.startsWith(start));
    if (refused) around.warn(`the image's label ${quote(key)} is left out: it would be an instruction to the runtime`);
    else annotations[key] = value;
  }
  return annotations;
}

/** Everything is denied but what the runtime allows to all; limits from the flags. */
function resourcesOf({ memory, cpuQuota, pids }: Options, { hasSwap }: Surroundings): object {
  return {
    devices: [{ allow: false, access: "rwm" }],
    // As docker: as much swap again as memory.
    ...(memory === undefined ? {} : { memory: { limit: memory, ...(hasSwap ? { swap: memory * 2 } : {}) } }),
    ...(cpuQuota === undefined ? {} : { cpu: { quota: cpuQuota, period: CPU_PERIOD } }),
    ...(pids === undefined ? {} : { pids: { limit: pids } }),
  };
}

function seccompOf({ security, capabilities }: Options, { machine, seccomp }: Surroundings): object {
  if (security.seccomp === "unconfined") return {};
  return { seccomp: seccomp ?? defaultSeccomp(capabilities, machine) };
}
