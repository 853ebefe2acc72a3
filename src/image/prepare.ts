/** `--image`: what a bundle would have said, and the container's own files. */
import { AT_EMPTY_PATH, O_DIRECTORY, O_RDONLY, O_RDWR } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { openDirectory, readFile, statOf } from "../sys/files.ts";
import { openIn } from "../sys/root.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { checkId, CONFIG_FILE } from "../container/paths.ts";
import { copyTree } from "../mechanisms/copy-up.ts";
import type { RawSeccomp } from "../mechanisms/seccomp-default.ts";
import type { Overlay } from "../spec/spec.ts";
import { absolutePath, option, type Context, type Parsed } from "../commands/context.ts";
import { makeContainerFiles, newContainerPath, writeFile } from "./containers.ts";
import { nameFiles } from "./names.ts";
import { obtainImage, parsePullPolicy, stillNamed, type Obtained } from "./obtain.ts";
import { parseOptions, type Options } from "./options.ts";
import { asMachine, nameOf, runsOn } from "./platform.ts";
import { parseProfile } from "./seccomp-profile.ts";
import type { Store } from "./store.ts";
import { anonymousVolumes, hostnameOf, toConfig } from "./to-config.ts";
import { resolveUser, type Identity } from "./users.ts";
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

/** Finds or loads the image and makes the config.json. Throws a Failure or a SpecError; no container has been made then. */
export function prepareImage(context: Context, parsed: Parsed): PreparedImage {
  const { sys, globals, log } = context;
  const other = ["bundle", "config"].find((flag) => parsed.flags.has(flag));
  if (other !== undefined) throw new Failure(`--${other} and --image exclude each other`);
  const options = parseOptions(parsed);
  const id = parsed.operands[0] ?? sys.randomHex(32);
  checkId(id);
  // Told before the container's files are made, which would be left; whoever loses a race for the id has them swept.
  if (sys.statxIfAny(null, `${globals.root}/${id}`, 0) !== undefined)
    throw new Failure(`container with given ID already exists: ${JSON.stringify(id)}`);
  const store: Store = { sys, path: globals.store };
  const image = obtainImage(context, store, option(parsed, "image") ?? "", parsePullPolicy(option(parsed, "pull")));
  const { release, machine: word } = sys.uname();
  const machine = asMachine(word);
  const { platform, process } = image.config;
  if (!runsOn(platform, machine)) log.warn(`the image is for ${nameOf(platform)}, and this machine is not`);
  const owned = newContainerPath(store);
  const overlay = overlayOf(store, image, owned);
  const files = nameFiles(sys, options, hostnameOf(options, id));
  const config = toConfig(image.config, options, {
    id,
    machine,
    hasSwap: sys.statxIfAny(null, "/proc/swaps", 0) !== undefined,
    user: identify(sys, overlay.lower, options.user ?? process.user),
    rootfs: `${owned}/rootfs`,
    volumes: `${owned}/volumes`,
    etc: { path: `${owned}/etc`, names: [...files.keys()] },
    callerEnv: context.env,
    seccomp: readProfile(sys, options, { machine, release }),
    warn: (message) => log.warn(message),
  });
  const text = JSON.stringify(config);
  const make = (): void =>
    makeFiles(store, {
      image,
      options,
      owner: { root: globals.root, container: id },
      owned,
      overlay,
      text,
      etc: files,
    });
  return { id, config: text, bundle: owned, overlay, owned, make };
}

function overlayOf({ path }: Store, { record }: Obtained, owned: string): Overlay {
  if (record.lower.length === 0) throw new Failure("the image has no layers: there is nothing to run in it");
  return { lower: record.lower.map((lower) => `${path}/${lower}`), upper: `${owned}/upper`, work: `${owned}/work` };
}

/** The ids of `user` by the files of the image whose layers these are, topmost first. Throws a Failure. */
export function identify(sys: Sys, lower: readonly string[], user: string): Identity {
  using view = openView(sys, lower);
  return resolveUser(user, {
    passwd: () => readImageFile(sys, view, "/etc/passwd") ?? "",
    group: () => readImageFile(sys, view, "/etc/group") ?? "",
  });
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

interface Files {
  readonly image: Obtained;
  readonly options: Options;
  readonly owner: { readonly root: string; readonly container: string };
  readonly owned: string;
  readonly overlay: Overlay;
  readonly text: string;
  readonly etc: ReadonlyMap<string, string>;
}

function makeFiles(store: Store, files: Files): void {
  const { sys } = store;
  const { image, owned, options, overlay } = files;
  makeContainerFiles(store, owned, image.record, files.owner);
  try {
    // Whoever takes the name away now sees that the image is in use; if it is gone already, its layers may be too.
    if (!stillNamed(store, image.record)) throw new Failure("the image was removed or replaced meanwhile");
    attempt(`make the files of the container in ${owned}`, () => {
      using folder = openDirectory(sys, null, owned);
      for (const name of ["rootfs", "work"]) sys.mkdirat(folder, name, 0o700);
      using top = openDirectory(sys, null, overlay.lower[0] ?? "");
      makeLike(sys, folder, "upper", top)[Symbol.dispose]();
      makeVolumes(sys, folder, files);
      makeEtc(sys, folder, files.etc);
      writeFile(sys, folder, CONFIG_FILE, { text: files.text, mode: 0o600 });
    });
    if (!options.interactive && !options.terminal) emptyInput(sys);
  } catch (error) {
    sys.removeTree(null, owned);
    throw error;
  }
}

/** A new directory with the mode and owner of another: overlayfs shows the upper root's as the root's. */
function makeLike(sys: Sys, parent: Fd, name: string, model: Fd): Fd {
  const { mode, uid, gid } = statOf(sys, model);
  sys.mkdirat(parent, name, 0o700);
  const made = sys.openat(parent, name, O_RDONLY | O_DIRECTORY, 0);
  sys.fchownat(made, "", uid, gid, AT_EMPTY_PATH);
  sys.fchmod(made, mode & 0o7777);
  return made;
}

function makeEtc(sys: Sys, folder: Fd, files: ReadonlyMap<string, string>): void {
  sys.mkdirat(folder, "etc", 0o755);
  using etc = openDirectory(sys, folder, "etc");
  for (const [name, text] of files) writeFile(sys, etc, name, { text, mode: 0o644 });
}

/** A volume begins with what the image has in its place. */
function makeVolumes(sys: Sys, folder: Fd, { image, options, overlay }: Files): void {
  const volumes = anonymousVolumes(image.config.process, options);
  if (volumes.length === 0) return;
  sys.mkdirat(folder, "volumes", 0o700);
  using parent = openDirectory(sys, folder, "volumes");
  using view = openView(sys, overlay.lower);
  for (const { destination, name } of volumes) {
    using model = directoryIn(sys, view, destination);
    if (model === undefined) {
      sys.mkdirat(parent, name, 0o755);
      continue;
    }
    using made = makeLike(sys, parent, name, model);
    copyVolume(sys, destination, model, made);
  }
}

function copyVolume(sys: Sys, destination: string, from: Fd, to: Fd): void {
  try {
    copyTree(sys, from, to);
  } catch (cause) {
    const hint = `mount something there to go without, as in --tmpfs ${destination}`;
    throw new Failure(`cannot copy what the image has in its volume ${destination}`, cause, hint);
  }
}

/** Links of the image lead nowhere but into the image. */
function directoryIn(sys: Sys, view: Fd, path: string): Fd | undefined {
  try {
    return openIn(sys, view, path, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Without --interactive the process has nothing to read. */
function emptyInput(sys: Sys): void {
  using nothing = sys.openat(null, "/dev/null", O_RDWR, 0);
  sys.duplicateTo(nothing, 0);
}
