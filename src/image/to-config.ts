/**
 * An image's configuration and the command line → config.json, which then goes through the same door as any bundle's. The
 * image specification, conversion.md, says what becomes of what. Pure: whatever has to be looked up was looked up before.
 */
import { defaultSeccomp, type RawSeccomp } from "../mechanisms/seccomp-default.ts";
import { writeJson } from "../spec/json.ts";
import { cleanPath } from "../spec/paths.ts";
import type { IdMaps } from "../spec/spec.ts";
import { Failure } from "../sys/failure.ts";
import { annotationsOf } from "./annotations.ts";
import { hooksOf, type Edits } from "./cdi-edits.ts";
import type { Devices } from "./devices.ts";
import { toEnvironment } from "./environment.ts";
import type { ImageConfig, ImageProcess } from "./image-config.ts";
import { resourcesOf } from "./flags/limits.ts";
import { INIT, mountsOf, type Places } from "./mounts.ts";
import { hasOwn, isHosts } from "./flags/namespaces.ts";
import type { Options } from "./flags/options.ts";
import type { Machine } from "./platform.ts";
import { DEFAULT_SYSCTLS, MASKED_PATHS, READONLY_PATHS } from "./profile.ts";
import type { Identity } from "./users.ts";

/** What is known besides the image and the flags. */
export interface Surroundings extends Places {
  readonly id: string;
  readonly hostname: string;
  readonly machine: Machine;
  /** Whether the kernel can limit swap. */
  readonly hasSwap: boolean;
  readonly user: Identity;
  /** Its user namespace, where it has one. */
  readonly idmap: IdMaps | undefined;
  /** Where the layers will be mounted. */
  readonly rootfs: string;
  readonly devices: Devices;
  /** What named devices need besides their nodes. */
  readonly edits: Edits;
  /** The caller's environment, for --env without a value and for nothing else. */
  readonly callerEnv: readonly string[];
  /** The profile that --security-opt names. */
  readonly seccomp: RawSeccomp | undefined;
  /** Gets what the image asks for and does not get. */
  readonly warn: (message: string) => void;
}

/** The version of the runtime specification that this is written to. */
const OCI_VERSION = "1.3.0";

/** The text of config.json. Throws a Failure. */
export function toConfig(image: ImageConfig, options: Options, around: Surroundings): string {
  const config = withoutSeccomp(image, options, around);
  const profile = seccompOf(options, around);
  if (profile === undefined) return writeJson(config);
  const { linux, ...rest } = config;
  return `${begun(rest)},"linux":${begun(linux)},"seccomp":${profile}}}`;
}

/** The JSON of an object, open for one more member. */
function begun(object: object): string {
  return writeJson(object).slice(0, -1);
}

/** A profile as JSON, which is most of a config.json. */
function seccompOf({ security, capabilities }: Options, { machine, seccomp }: Surroundings): string | undefined {
  if (security.seccomp === "unconfined") return undefined;
  return seccomp === undefined ? defaultSeccomp(capabilities, machine) : writeJson(seccomp);
}

type Config = Readonly<Record<string, unknown>> & { readonly linux: object };

function withoutSeccomp(image: ImageConfig, options: Options, around: Surroundings): Config {
  const { namespaces, security, cgroupParent } = options;
  const { idmap } = around;
  return {
    ociVersion: OCI_VERSION,
    process: processOf(image.process, options, around),
    root: { path: around.rootfs, readonly: options.readonlyRoot },
    ...namesOf(options, around),
    mounts: [...mountsOf(image.process, options, around), ...around.edits.mounts],
    ...(around.edits.hooks.length === 0 ? {} : { hooks: hooksOf(around.edits.hooks) }),
    annotations: annotationsOf(image, options, around.warn),
    linux: {
      namespaces: idmap === undefined ? namespaces : [...namespaces, { type: "user" }],
      ...idmap,
      resources: { devices: rulesOf(options, around), ...resourcesOf(options.limits, around.hasSwap) },
      ...propagationOf(options),
      ...(around.devices.nodes.length === 0 ? {} : { devices: around.devices.nodes }),
      ...sysctlsOf(options, around),
      ...(cgroupParent === undefined ? {} : { cgroupsPath: cleanPath(`/${cgroupParent}/${around.id}`) }),
      maskedPaths: security.masked ? MASKED_PATHS : [],
      readonlyPaths: security.masked ? READONLY_PATHS : [],
    },
  };
}

/** A mount that is shared with the host can be so only below a root that is: as docker. */
function propagationOf({ mounts }: Options): object {
  const isShared = mounts.some(({ options }) => options.includes("shared") || options.includes("rshared"));
  return isShared ? { rootfsPropagation: "shared" } : {};
}

function sysctlsOf({ namespaces, sysctl }: Options, { inUserNamespace }: Surroundings): object {
  const defaults = Object.entries(hasOwn(namespaces, "network") ? DEFAULT_SYSCTLS : {});
  // In a user namespace, as docker: who may ping is a range of groups, and it has not that many. And the host's /proc, which is
  // there without a pid namespace, lets it set none.
  const fitting = defaults.filter(
    ([key]) => !inUserNamespace || (key !== "net.ipv4.ping_group_range" && hasOwn(namespaces, "pid")),
  );
  const all = { ...Object.fromEntries(fitting), ...sysctl };
  return Object.keys(all).length === 0 ? {} : { sysctl: all };
}

/** Names are those of a uts namespace: the host's, or another container's, are not the container's to change. */
function namesOf({ namespaces, hostname, domainname }: Options, around: Surroundings): object {
  if (hasOwn(namespaces, "uts"))
    return { hostname: around.hostname, ...(domainname === undefined ? {} : { domainname }) };
  if (hostname === undefined && domainname === undefined) return {};
  const whose = isHosts(namespaces, "uts") ? "the host's name" : "the name that others have too";
  throw new Failure(`--uts and --hostname or --domainname exclude each other: they would change ${whose}`);
}

function processOf(image: ImageProcess, options: Options, around: Surroundings): object {
  const { capabilities, terminal, security, umask, oomScoreAdj, limits } = options;
  const { callerEnv, hostname, warn, edits, user } = around;
  const additionalGids = [...new Set([...user.additionalGids, ...edits.gids])];
  const isRoot = user.uid === 0;
  return {
    terminal,
    user: { ...user, additionalGids, ...(umask === undefined ? {} : { umask }) },
    args: argsOf(image, options),
    env: [...toEnvironment(image.env, options, { callerEnv, hostname, warn }), ...edits.env],
    cwd: options.cwd ?? cleanPath(`/${image.workingDir}`),
    // Never inheritable: CVE-2022-24769. Who is not root has none after execve(2) in any case, capabilities(7).
    capabilities: { bounding: capabilities, ...(isRoot ? { permitted: capabilities, effective: capabilities } : {}) },
    noNewPrivileges: security.noNewPrivileges,
    ...(limits.rlimits.length === 0 ? {} : { rlimits: limits.rlimits }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
  };
}

/** As docker: a command takes the place of Cmd, an entrypoint that of both. */
function argsOf({ entrypoint, cmd }: ImageProcess, options: Options): readonly string[] {
  const own = options.entrypoint;
  const first = own === undefined ? entrypoint : own === "" ? [] : [own];
  const rest = options.command.length > 0 || own !== undefined ? options.command : cmd;
  const args = [...first, ...rest];
  if (args.length === 0) throw new Failure('the image names no command: give one after "--"');
  return options.init ? [INIT, "--", ...args] : args;
}

/** Everything is denied but what the runtime allows to all, and what the flags name. */
function rulesOf({ security, deviceRules }: Options, { devices }: Surroundings): object[] {
  if (security.privileged) return [{ allow: true, access: "rwm" }];
  return [{ allow: false, access: "rwm" }, ...devices.rules, ...deviceRules];
}
