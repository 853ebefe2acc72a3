/** `--image`: what a bundle would have said, and the container's own files. */
import { attempt, Failure } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { checkId } from "../container/paths.ts";
import { isTaken } from "../container/state.ts";
import { hasAllIds } from "../mechanisms/overlay.ts";
import type { RawSeccomp } from "../mechanisms/seccomp-default.ts";
import type { IdMaps, Overlay } from "../spec/spec.ts";
import { absolutePath, isSet, option, type Context, type Parsed } from "../commands/context.ts";
import { askedOf } from "./asked.ts";
import { newContainerPath } from "./containers.ts";
import { readAround } from "./around.ts";
import type { Edits } from "./cdi-edits.ts";
import { findCdiDevices } from "./cdi.ts";
import { devicesBelow, findDevices, findNodes, type Devices } from "./devices.ts";
import { joinContainers } from "./joined.ts";
import { makeFiles } from "./make.ts";
import { becomeRootInside, enterOwnMounts, fitInside, isMapped, mapsOf } from "./rootless.ts";
import { hostnameOf, nameFiles } from "./names.ts";
import { TERMINAL_GROUP, usedVolumes, type Places } from "./mounts.ts";
import { obtainImage, parsePullPolicy, type Obtained } from "./obtain.ts";
import { parseOptions, type Options } from "./flags/options.ts";
import { asMachine, checkPlatform, nameOf, parsePlatform, runsOn, type Machine } from "./platform.ts";
import { parseProfile } from "./seccomp-profile.ts";
import { sizeFor } from "./lent.ts";
import type { Store } from "./store.ts";
import { chooseMaps } from "./userns.ts";
import { toConfig } from "./to-config.ts";
import { resolveGroups, resolveUser, type Identity } from "./users.ts";
import { openView, readImageFile } from "./view.ts";

/** What `--image` stands for. */
export interface PreparedImage {
  readonly id: string;
  /** The text of config.json. */
  readonly config: string;
  readonly bundle: string;
  readonly overlay: Overlay;
  /** The container's own directory, which is the bundle: to be removed with the container. */
  readonly owned: string;
  /** Makes that directory, once all else is known to be right. Throws a Failure, and nothing is left of it then. */
  make(): void;
}

/** A profile of docker's has 20 KB. */
const PROFILE_LIMIT = 1 << 20;

/**
 * Finds or loads the image and makes the config.json. `isLasting`: the container outlives its process. Throws a Failure or a
 * SpecError; no container has been made then.
 */
export function prepareImage(context: Context, parsed: Parsed, isLasting: boolean): PreparedImage {
  const { sys, globals, log } = context;
  const other = ["bundle", "config"].find((flag) => parsed.flags.has(flag));
  if (other !== undefined) throw new Failure(`--${other} and --image exclude each other`);
  if (isSet(parsed, "rm") && isSet(parsed, "keep")) throw new Failure("--rm and --keep exclude each other");
  const asked = readAround(sys, parseOptions(parsed));
  const options = { ...asked, namespaces: joinContainers(sys, globals.root, asked.namespaces) };
  const id = idOf(sys, globals.root, parsed);
  const store: Store = { sys, path: globals.store };
  becomeRootInside(sys);
  const { release, machine: word } = sys.uname();
  const machine = asMachine(word);
  const image = imageFor(context, parsed, store, machine);
  enterOwnMounts(sys);
  const { process } = image.config;
  const owned = newContainerPath(store);
  const lower = lowerOf(store, image);
  const user = userFor(sys, lower, process.user, options);
  const chosen = options.userns && chooseMaps(store, options.userns, sizeOf(sys, lower, user));
  const idmap = chosen?.maps;
  const overlay: Overlay = { lower, upper: `${owned}/upper`, work: `${owned}/work`, idmap, isVolatile: !isLasting };
  const hostname = hostnameOf(sys, options, id);
  const etc = nameFiles(sys, options, hostname);
  const files = { store: store.path, volumes: `${owned}/volumes`, init: `${owned}/init` };
  const places = { ...files, etc: { path: `${owned}/etc`, names: [...etc.keys()] }, idmap, ...insideOf(sys, idmap) };
  const edits = findCdiDevices(sys, options.devices);
  const text = toConfig(image.config, options, {
    ...places,
    id,
    hostname,
    machine,
    hasSwap: sys.statxIfAny(null, "/proc/swaps", 0) !== undefined,
    user,
    rootfs: `${owned}/rootfs`,
    devices: devicesFor(sys, options, edits),
    edits,
    callerEnv: context.env,
    seccomp: readProfile(sys, options, { machine, release }),
    warn: (message) => log.warn(message),
  });
  const volumes = usedVolumes(process, options, places);
  const names = volumes.map(({ name }) => name).filter((name) => name !== "");
  const noted = askedOf(hostname, process, { options, parsed });
  const owner = { root: globals.root, container: id, volumes: names, idmap, asked: noted };
  const { env } = context;
  const make = (): void => makeFiles(store, { image, options, owner, chosen, owned, overlay, text, etc, volumes, env });
  return { id, config: text, bundle: owned, overlay, owned, make };
}

/** Who the process is: by the image's word, or the command line's. Throws a Failure. */
function userFor(sys: Sys, lower: readonly string[], own: string, { user = own, groups }: Options): Identity {
  const wanted = identify(sys, lower, { user, groups });
  return hasAllIds(sys) ? wanted : fitInside(wanted, groups, mapsOf(sys));
}

/** What it means for mounts which user namespace the container is in. */
function insideOf(sys: Sys, idmap: IdMaps | undefined): Pick<Places, "inUserNamespace" | "hasTerminalGroup"> {
  return {
    inUserNamespace: idmap !== undefined || !hasAllIds(sys),
    hasTerminalGroup: isMapped(mapsOf(sys).gids, TERMINAL_GROUP),
  };
}

/** The image that the command line names, for the platform that it names. Throws a Failure. */
function imageFor(context: Context, parsed: Parsed, store: Store, machine: Machine): Obtained {
  const wanted = option(parsed, "platform");
  const policy = parsePullPolicy(option(parsed, "pull"));
  const platform = wanted === undefined ? undefined : parsePlatform(wanted);
  const image = obtainImage(context, store, option(parsed, "image") ?? "", { policy, platform });
  checkPlatform(image.config.platform, platform);
  if (!runsOn(image.config.platform, machine))
    context.log.warn(`the image is for ${nameOf(image.config.platform)}, and this machine is not`);
  return image;
}

/** The operand, --name, or a new one. Throws a Failure where it is taken or no id. */
function idOf(sys: Sys, root: string, parsed: Parsed): string {
  const [operand] = parsed.operands;
  const name = option(parsed, "name");
  if (operand !== undefined && name !== undefined)
    throw new Failure("an ID and --name exclude each other: they are the same");
  const id = operand ?? name ?? sys.randomHex(32);
  checkId(id);
  // Told before the container's files are made, which would be left; whoever loses a race for the id has them swept.
  if (isTaken(sys, root, id)) throw new Failure(`container with given ID already exists: ${JSON.stringify(id)}`);
  const cidfile = option(parsed, "cidfile");
  if (cidfile !== undefined && sys.statxIfAny(null, absolutePath(sys, cidfile), 0) !== undefined)
    throw new Failure(`--cidfile ${cidfile} is there already: it may be another container's`);
  return id;
}

function lowerOf({ path }: Store, { record }: Obtained): string[] {
  if (record.lower.length === 0) throw new Failure("the image has no layers: there is nothing to run in it");
  return record.lower.map((lower) => `${path}/${lower}`);
}

function idsOf({ uid, gid, additionalGids }: Identity): number[] {
  return [uid, gid, ...additionalGids];
}

/** The ids of `user` and `groups` by the files of the image whose layers these are, topmost first. Throws a Failure. */
export function identify(
  sys: Sys,
  lower: readonly string[],
  { user, groups }: { readonly user: string; readonly groups: readonly string[] },
): Identity {
  using view = openView(sys, lower);
  const databases = {
    passwd: () => readImageFile(sys, view, "/etc/passwd") ?? "",
    group: () => readImageFile(sys, view, "/etc/group") ?? "",
  };
  const identity = resolveUser(user, databases);
  const additionalGids = [...new Set([...identity.additionalGids, ...resolveGroups(groups, databases)])];
  return { ...identity, additionalGids };
}

/** How many ids the image and its process need: its files are read inside its root, and not endlessly (CVE-2024-9676). */
function sizeOf(sys: Sys, lower: readonly string[], user: Identity): number {
  using view = openView(sys, lower);
  const text = (path: string): string => readImageFile(sys, view, path) ?? "";
  return sizeFor({ passwd: text("/etc/passwd"), group: text("/etc/group") }, idsOf(user));
}

/** What is asked for by path or by name; a privileged container has all that the host has. */
function devicesFor(sys: Sys, { security, devices }: Options, edits: Edits): Devices {
  const [byPath, byName] = [findDevices(sys, devices.paths), findNodes(sys, edits.nodes)];
  const hosts = security.privileged ? devicesBelow(sys, "/dev", "/dev") : [];
  return { nodes: [...hosts, ...byPath.nodes, ...byName.nodes], rules: [...byPath.rules, ...byName.rules] };
}

function readProfile(
  sys: Sys,
  { security, capabilities }: Options,
  host: { machine: "x86_64" | "aarch64"; release: string },
): RawSeccomp | undefined {
  if (security.seccomp === "default" || security.seccomp === "unconfined") return undefined;
  const path = absolutePath(sys, security.seccomp);
  const text = attempt(`read the seccomp profile ${path}`, () => readFile(sys, null, path, PROFILE_LIMIT));
  return parseProfile(text, { ...host, capabilities });
}
