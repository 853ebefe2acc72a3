/** A container's own files come into being: its bundle, what it will write to, and what it will find of its names. */
import { AT_EMPTY_PATH, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { makeDirectory, openDirectory, statOf } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { CONFIG_FILE } from "../container/paths.ts";
import { originalPath } from "../container/protect.ts";
import { dirname } from "../spec/paths.ts";
import { openLayer } from "../mechanisms/erofs.ts";
import type { Overlay } from "../spec/spec.ts";
import { lockContainers, makeContainerFiles, writeFile, type Owner } from "./containers.ts";
import { fillVolume } from "./fill.ts";
import type { UsedVolume } from "./mounts.ts";
import { stillNamed, type Obtained } from "./obtain.ts";
import type { Options } from "./flags/options.ts";
import type { Store } from "./store.ts";
import { openView } from "./view.ts";
import { lockVolumes, makeVolume } from "./volumes.ts";

/** What the files are made from. */
export interface Files {
  readonly image: Obtained;
  readonly options: Options;
  readonly owner: Owner;
  readonly chosen: Disposable | undefined;
  readonly owned: string;
  readonly overlay: Overlay;
  /** config.json. */
  readonly text: string;
  /** By their names in /etc: what they say. */
  readonly etc: ReadonlyMap<string, string>;
  readonly volumes: readonly UsedVolume[];
  /** The caller's, by which the worker is found. */
  readonly env: readonly string[];
}

/** Throws a Failure; nothing is left then. */
export function makeFiles(store: Store, files: Files): void {
  const { sys } = store;
  const { owned, options, overlay } = files;
  noteUse(store, files);
  try {
    // The note says which ids are taken: others may choose now.
    files.chosen?.[Symbol.dispose]();
    attempt(`make the files of the container in ${owned}`, () => {
      using folder = openDirectory(sys, null, owned);
      for (const name of ["rootfs", "work"]) sys.mkdirat(folder, name, 0o700);
      using top = openLayer(sys, overlay.lower[0] ?? "");
      makeLike(sys, folder, "upper", top)[Symbol.dispose]();
      makeVolumes(store, folder, files);
      makeEtc(sys, folder, files.etc);
      if (options.init) copyInit(sys, folder, files.env);
      writeFile(sys, folder, CONFIG_FILE, { text: files.text, mode: 0o600 });
    });
    if (!options.interactive && !options.terminal) emptyInput(sys);
  } catch (error) {
    sys.removeTree(null, owned);
    throw error;
  }
}

/** From here on the image is in use, and keeps its layers. Throws a Failure, and nothing is left then. */
function noteUse(store: Store, { image, owned, owner }: Files): void {
  using _lock = lockContainers(store, "maker");
  makeContainerFiles(store, owned, image.record, owner);
  // If its name has gone already, its layers may have, too.
  if (stillNamed(store, image.record)) return;
  store.sys.removeTree(null, owned);
  throw new Failure("the image was removed or replaced meanwhile");
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
  using etc = makeDirectory(sys, folder, "etc", 0o755);
  for (const [name, text] of files) writeFile(sys, etc, name, { text, mode: 0o644 });
}

/** A copy of the container's own: who gets at it changes no other container's (CVE-2019-5736). */
function copyInit(sys: Sys, folder: Fd, env: readonly string[]): void {
  const path = `${dirname(originalPath(sys, env))}/tsrun-init`;
  attempt(`copy ${path}, which lies beside tsrun`, () => {
    using program = sys.openat(null, path, O_RDONLY, 0);
    using copy = sys.openat(folder, "init", O_WRONLY | O_CREAT | O_EXCL, 0o555);
    sys.copyFile(program, copy);
    sys.fchmod(copy, 0o555);
  });
}

/** The container's own volumes, and those of the store that are not there yet. */
function makeVolumes(store: Store, folder: Fd, files: Files): void {
  const { sys } = store;
  const { volumes, overlay } = files;
  if (volumes.length === 0) return;
  const named = volumes.filter(({ name }) => name !== "");
  if (named.length > 0) makeNamed(store, named);
  sys.mkdirat(folder, "volumes", 0o700);
  using view = openView(sys, overlay.lower);
  for (const volume of volumes) {
    if (volume.name === "") makeDirectory(sys, null, volume.source, 0o755)[Symbol.dispose]();
    fillVolume(sys, files.env, view, volume);
  }
}

function makeNamed(store: Store, volumes: readonly UsedVolume[]): void {
  using _lock = lockVolumes(store);
  for (const { name, labels } of volumes) makeVolume(store, name, labels);
}
/** Without --interactive the process has nothing to read. */
function emptyInput(sys: Sys): void {
  using nothing = sys.openat(null, "/dev/null", O_RDWR, 0);
  sys.duplicateTo(nothing, 0);
}
