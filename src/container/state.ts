/** What is remembered of a container between commands: `ROOT/ID/state.json`, written before every effect that it names. */
import {
  AT_SYMLINK_NOFOLLOW,
  LOCK_EX,
  LOCK_NB,
  O_DIRECTORY,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { makeDirectories, openDirectory, readFileIfAny, replaceFile, statOf } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { readCgroup, openCgroup, type CgroupPlace } from "../mechanisms/cgroup2.ts";
import { checkId, EXEC_FIFO, STATE_FILE } from "./paths.ts";

export interface State {
  readonly version: 1;
  readonly id: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly ociVersion: string;
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Undefined where it has none of its own: a user without privileges may not make one everywhere. */
  readonly cgroup: CgroupPlace | undefined;
  /** From /proc/sys/kernel/random/boot_id: pids of another boot mean nothing. */
  readonly boot: string;
  /** Init's pid, 0 as long as there is only the intent to make one; and its start time, in ticks since boot: proc(5). */
  readonly pid: number;
  readonly startTime: string;
  /** Whether config.json has hooks that run after create. */
  readonly hooks: { readonly poststart: boolean; readonly poststop: boolean };
  /** Whether the container shares a pid namespace, so that init's end is not the end of the others. */
  readonly sharesPids: boolean;
  /** CLONE_NEW* of the namespaces that are the container's own, made or joined. */
  readonly namespaces: number;
  /** Whether it has a session keyring of its own, which exec joins. */
  readonly newKeyring: boolean;
  /** The directory of an image container's own files (bundle, upper layer); gone with it. */
  readonly owned: string | undefined;
}

/** The annotation with the signal that a container from an image wants to be stopped with: conversion.md. */
export const STOP_SIGNAL = "org.opencontainers.image.stopSignal";

export type Status = "creating" | "created" | "running" | "paused" | "stopped";

/** A container's directory, open and locked, and its state as last written. */
export interface Held extends Disposable {
  readonly directory: Fd;
  readonly path: string;
  readonly state: State;
}

/** Makes `ROOT/ID` for a new container: exactly one of several creates wins. Throws a Failure. */
export function makeContainerDirectory(sys: Sys, root: string, id: string): Fd {
  checkId(id);
  makeRoot(sys, root);
  const made = attempt(`make ${root}/${id}`, () => sys.mkdirIfNone(null, `${root}/${id}`, 0o711));
  if (!made) throw exists(id);
  return claim(sys, `${root}/${id}`, id);
}

function makeRoot(sys: Sys, root: string): void {
  try {
    makeDirectories(sys, root, 0o700);
  } catch (cause) {
    throw refusal(`cannot make the state directory ${root}`, cause);
  }
}

function refusal(what: string, cause: unknown): Failure {
  const isOthers = isErrno(cause, "EACCES", "EPERM", "EROFS");
  return new Failure(what, cause, isOthers ? "XDG_RUNTIME_DIR or --root names a place of one's own" : undefined);
}

/** Whether there is a container of this name, or a directory that might be one's. Throws a Failure. */
export function isTaken(sys: Sys, root: string, id: string): boolean {
  try {
    return sys.statxIfAny(null, `${root}/${id}`, 0) !== undefined;
  } catch (cause) {
    throw refusal(`cannot look into the state directory ${root}`, cause);
  }
}

/**
 * Locks a directory that was just made. It may have been deleted meanwhile, as one without a state, and made anew by another
 * create, which then was quicker. Throws a Failure.
 */
function claim(sys: Sys, path: string, id: string): Fd {
  const directory = sys.openIfAny(null, path, O_RDONLY | O_DIRECTORY);
  if (directory === undefined) throw deletedMeanwhile(id);
  lock(sys, directory);
  const known = sys.statxIfAny(directory, STATE_FILE, AT_SYMLINK_NOFOLLOW) !== undefined;
  if (!known && isStill(sys, path, directory)) return directory;
  directory[Symbol.dispose]();
  throw known ? exists(id) : deletedMeanwhile(id);
}

function exists(id: string): Failure {
  return new Failure(`container with given ID already exists: ${JSON.stringify(id)}`);
}

function deletedMeanwhile(id: string): Failure {
  return new Failure(`container ${JSON.stringify(id)} was deleted while it was created`);
}

/** More is not read back: annotations of this size are no labels. */
const STATE_LIMIT = 4 << 20;

/** Writes the state so that a power cut leaves the old one or the new one. Throws a Failure. */
export function writeState(sys: Sys, directory: Fd, state: State): void {
  const text = JSON.stringify(state);
  if (text.length > STATE_LIMIT / 4) throw new Failure("annotations must not be larger than 1 MiB together");
  attempt(`write ${STATE_FILE} of container ${JSON.stringify(state.id)}`, () => {
    replaceFile(sys, directory, STATE_FILE, text, 0o600);
  });
}

/** Opens a container for reading. Throws a Failure with runc's words where there is none. */
export function openContainer(sys: Sys, root: string, id: string): Held {
  const directory = openContainerDirectory(sys, root, id);
  try {
    return hold(directory, `${root}/${id}`, readState(sys, directory, id));
  } catch (error) {
    directory[Symbol.dispose]();
    throw error;
  }
}

function hold(directory: Fd, path: string, state: State): Held {
  return { directory, path, state, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

/** As openContainer, with the container's lock held until it is disposed of: for what changes the container. */
export function lockContainer(sys: Sys, root: string, id: string): Held {
  const directory = lockDirectory(sys, root, id);
  try {
    return hold(directory, `${root}/${id}`, readState(sys, directory, id));
  } catch (error) {
    directory[Symbol.dispose]();
    throw error;
  }
}

/** The container's directory, locked. Throws a Failure with runc's words where there is none. */
export function lockDirectory(sys: Sys, root: string, id: string): Fd {
  for (;;) {
    const directory = openContainerDirectory(sys, root, id);
    lock(sys, directory);
    // Somebody may have deleted it, and somebody else made it anew, while the lock was waited for.
    if (isStill(sys, `${root}/${id}`, directory)) return directory;
    directory[Symbol.dispose]();
  }
}

/** Whether `path` still names the directory that is open. */
function isStill(sys: Sys, path: string, directory: Fd): boolean {
  const now = sys.statxIfAny(null, path, AT_SYMLINK_NOFOLLOW);
  const own = statOf(sys, directory);
  return now !== undefined && now.ino === own.ino && now.mountId === own.mountId;
}

function openContainerDirectory(sys: Sys, root: string, id: string): Fd {
  checkId(id);
  try {
    return openDirectory(sys, null, `${root}/${id}`);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) throw doesNotExist();
    throw refusal(`cannot open ${root}/${id}`, error);
  }
}

/** The words that containerd and CRI-O match. */
function doesNotExist(): Failure {
  return new Failure("container does not exist");
}

/** How long another command may hold a container, in milliseconds. */
const PATIENCE = 10_000;

/** Throws a Failure where another command does not let go: a hook that hangs, or one that was stopped. */
function lock(sys: Sys, directory: Fd): void {
  for (let waited = 0, pause = 1; ; waited += pause, pause = Math.min(pause * 2, 50)) {
    try {
      return sys.flock(directory, LOCK_EX | LOCK_NB);
    } catch (error) {
      if (!isErrno(error, "EAGAIN")) throw error;
      if (waited > PATIENCE)
        throw new Failure("another tsrun command holds the container: is one of its hooks still running?");
    }
    sys.sleep(pause);
  }
}

/** The state in an open directory. Throws a Failure where it is missing or damaged. */
export function readState(sys: Sys, directory: Fd, id: string): State {
  const text = readFileIfAny(sys, directory, STATE_FILE, STATE_LIMIT);
  if (text === undefined) throw doesNotExist();
  try {
    const state = JSON.parse(text) as State;
    if (state.version === 1 && state.id === id && (state.cgroup === undefined || typeof state.cgroup.path === "string"))
      return state;
  } catch {
    // Falls through: damaged is damaged.
  }
  throw new Failure(`the state of container ${JSON.stringify(id)} is damaged: remove it with "delete --force ${id}"`);
}

/** What the container is doing now. */
export function statusOf(sys: Sys, { directory, state }: Held): Status {
  if (state.pid === 0) return "creating";
  if (!isAlive(sys, state)) return "stopped";
  if (isFrozen(sys, state.cgroup)) return "paused";
  return isWaiting(sys, directory) ? "created" : "running";
}

/** Init reads from exec.fifo as long as it waits; a `start` that was killed may have left the file behind. */
function isWaiting(sys: Sys, directory: Fd): boolean {
  try {
    using fifo = sys.openIfAny(directory, EXEC_FIFO, O_WRONLY | O_NONBLOCK);
    return fifo !== undefined;
  } catch (error) {
    if (isErrno(error, "ENXIO")) return false;
    throw error;
  }
}

/** The container's cgroup, for what needs one. Throws a Failure where it has none. */
export function cgroupOf({ id, cgroup }: Pick<State, "id" | "cgroup">): CgroupPlace {
  if (cgroup !== undefined) return cgroup;
  throw new Failure(`container ${id} has no cgroup of its own, by which its processes would be known`);
}

function isFrozen(sys: Sys, place: CgroupPlace | undefined): boolean {
  if (place === undefined) return false;
  try {
    using cgroup = openCgroup(sys, place);
    return readCgroup(sys, cgroup, "cgroup.events").includes("frozen 1");
  } catch {
    return false; // No cgroup, nothing frozen.
  }
}

/** Whether init is the very process that was made, and no zombie. */
export function isAlive(sys: Sys, state: Pick<State, "pid" | "startTime" | "boot">): boolean {
  const stat = processStat(sys, state.pid);
  if (stat === undefined || stat.startTime !== state.startTime || stat.state === "Z" || stat.state === "X")
    return false;
  // Pids and times begin anew with each boot, and a state root on a disk outlives it.
  return state.boot === bootId(sys);
}

/** The state letter and start time of a process, from /proc/PID/stat; the name in it may hold anything: proc(5). */
export function processStat(sys: Sys, pid: number): { state: string; startTime: string } | undefined {
  const found = sys.openIfAny(null, `/proc/${pid}/stat`, O_RDONLY);
  if (found === undefined) return undefined;
  using file = found;
  const text = readStat(sys, file);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "X", startTime: fields[19] ?? "0" };
}

/** The boot that the machine is in. */
export function bootId(sys: Sys): string {
  return (readFileIfAny(sys, null, "/proc/sys/kernel/random/boot_id") ?? "").trim();
}

/** The ids of all containers below a root; a name with "~" is no id. */
export function listIds(sys: Sys, root: string): string[] {
  try {
    using directory = openDirectory(sys, null, root);
    return sys
      .readDirectory(directory)
      .filter((name) => !name.includes("~"))
      .toSorted();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw new Failure(`cannot list ${root}`, error);
  }
}

/** A process that ends between open and read answers ESRCH. */
function readStat(sys: Sys, file: Fd): string | undefined {
  try {
    return sys.readText(file, 4096);
  } catch (error) {
    if (isErrno(error, "ESRCH")) return undefined;
    throw error;
  }
}
