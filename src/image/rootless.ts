/**
 * A user without privileges: files of many owners need many ids, and mounts need privileges, which a user namespace has. This process
 * enters one of its own, with the ids that /etc/subuid and /etc/subgid lend to the user: user_namespaces(7), newuidmap(1).
 */
import { CLONE_NEWNS, CLONE_NEWUSER, O_WRONLY } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { isErrno } from "../sys/errno.ts";
import { readFile, readFileIfAny } from "../sys/files.ts";
import { runProgram } from "../sys/spawn.ts";
import type { Sys } from "../sys/sys.ts";
import { hasAllIds } from "../mechanisms/overlay.ts";
import type { IdMapping } from "../spec/spec.ts";
import { rangesIn, type Range } from "./lent.ts";
import type { Identity } from "./users.ts";

/** More than its page no such file has in earnest. */
const FILE_LIMIT = 1 << 20;
const TOOLS = ["/usr/bin", "/bin", "/usr/local/bin"];

/**
 * Makes this process root of a namespace of its own, unless it is root already: the ids 1 and above are the lent ones, and without
 * such only files of root can be made. Throws a Failure.
 */
export function becomeRootInside(sys: Sys): void {
  if (sys.geteuid() === 0) return;
  enterNamespace(sys, { own: 0, lent: 1 });
  sys.setresgid(0);
  sys.setresuid(0);
}

/**
 * Gives this process all capabilities in a namespace of its own, in which every id is what it is outside: so that the maps of a
 * config.json mean there what they say. Throws a Failure.
 */
export function becomeCapable(sys: Sys): void {
  enterNamespace(sys, { own: undefined, lent: undefined });
}

/** What the user's own id and the first lent one are inside; undefined: what they are outside. */
interface Inside {
  readonly own: number | undefined;
  readonly lent: number | undefined;
}

function enterNamespace(sys: Sys, inside: Inside): void {
  const [uid, gid] = [sys.geteuid(), sys.getegid()];
  const ranges = lentTo(sys, uid);
  const [listen, tell] = sys.pipe();
  const pid = sys.getpid();
  // The maps of many ids are written by programs with privileges, out here.
  const helper = sys.clone3(0, []);
  if (helper.pid === 0) {
    tell[Symbol.dispose]();
    sys.exit(sys.readSome(listen, 1).length === 1 && writeMaps(sys, { pid, uid, gid, ...ranges }, inside) ? 0 : 1);
  }
  try {
    sys.unshare(CLONE_NEWUSER);
    sys.writeText(tell, "!");
  } catch (cause) {
    throw new Failure(
      "cannot make a user namespace",
      cause,
      "run it as root, or let users make them: user_namespaces(7)",
    );
  } finally {
    tell[Symbol.dispose]();
    listen[Symbol.dispose]();
  }
  if (sys.wait(helper.pid, true).code !== 0) mapAlone(sys, { uid, gid }, inside);
  helper.pidfd[0]?.[Symbol.dispose]();
}

/**
 * Mounts of this process's own, for whoever is root in a user namespace only: nobody else's may be added to. Where the program's
 * file is cannot be asked any more after that.
 */
export function enterOwnMounts(sys: Sys): void {
  if (!hasAllIds(sys)) sys.unshare(CLONE_NEWNS);
}

/** What /proc/self says of this user namespace: user_namespaces(7). */
export interface OwnMaps {
  readonly uids: string;
  readonly gids: string;
  /** "deny" where groups may not be set. */
  readonly setgroups: string;
}

export function mapsOf(sys: Sys): OwnMaps {
  const read = (name: string): string => readFile(sys, null, `/proc/self/${name}`).trim();
  return { uids: read("uid_map"), gids: read("gid_map"), setgroups: read("setgroups") };
}

/**
 * As much of an identity as a process can have in this user namespace; `asked` are the groups of the command line. Groups of the
 * image go where none may be set: no file can be theirs. Throws a Failure where an id is missing. Pure.
 */
export function fitInside(identity: Identity, asked: readonly string[], { uids, gids, setgroups }: OwnMaps): Identity {
  const { uid, gid } = identity;
  const hint = "are there enough ids for this user in /etc/subuid and /etc/subgid?";
  if (!isMapped(uids, uid)) throw new Failure(`a process cannot be uid ${uid}: this user has no such id (${hint})`);
  if (!isMapped(gids, gid)) throw new Failure(`a process cannot be gid ${gid}: this user has no such id (${hint})`);
  if (setgroups !== "deny") return identity;
  if (asked.length > 0)
    throw new Failure(`a process cannot have the group ${asked[0] ?? ""} besides its own (${hint})`);
  return { ...identity, additionalGids: [] };
}

/** Whether a map, in the kernel's words, has an id for this one of its inside. */
export function isMapped(map: string, id: number): boolean {
  return mappingsOf(map).some(({ containerID, size }) => id >= containerID && id < containerID + size);
}

/** A map as config.json has it: user_namespaces(7). */
export function mappingsOf(map: string): IdMapping[] {
  return map.split("\n").map((line) => {
    const [containerID = 0, hostID = 0, size = 0] = line
      .split(" ")
      .filter((word) => word !== "")
      .map(Number);
    return { containerID, hostID, size };
  });
}

interface Maps {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly uids: Range | undefined;
  readonly gids: Range | undefined;
}

function writeMaps(sys: Sys, { pid, uid, gid, uids, gids }: Maps, inside: Inside): boolean {
  const write = (name: string, own: number, lent: Range | undefined): boolean =>
    lent !== undefined && writeMap(sys, name, [pid, ...lineOf(inside, own), ...lentLineOf(inside, lent)]);
  return write("newuidmap", uid, uids) && write("newgidmap", gid, gids);
}

function lineOf(inside: Inside, id: number): readonly number[] {
  return [inside.own ?? id, id, 1];
}

function lentLineOf(inside: Inside, { first, count }: Range): readonly number[] {
  return [inside.lent ?? first, first, count];
}

function writeMap(sys: Sys, name: string, numbers: readonly number[]): boolean {
  const path = TOOLS.map((folder) => `${folder}/${name}`).find((each) => sys.statxIfAny(null, each, 0) !== undefined);
  if (path === undefined) return false;
  const args = [name, ...numbers.map(String)];
  return runProgram(sys, { path, args, env: [], input: "", timeout: 10_000 }).code === 0;
}

/** The user alone: what anybody may write. */
function mapAlone(sys: Sys, { uid, gid }: Pick<Maps, "uid" | "gid">, inside: Inside): void {
  const texts = [
    ["setgroups", "deny"],
    ["uid_map", lineOf(inside, uid).join(" ")],
    ["gid_map", lineOf(inside, gid).join(" ")],
  ] as const;
  for (const [name, text] of texts) {
    try {
      using file = sys.openat(null, `/proc/self/${name}`, O_WRONLY, 0);
      sys.writeOnce(file, text);
    } catch (error) {
      // newuidmap has written its part, and newgidmap has failed.
      if (!isErrno(error, "EPERM")) throw error;
      throw new Failure(
        `cannot write /proc/self/${name}`,
        error,
        "are there ids for this user in /etc/subuid and /etc/subgid?",
      );
    }
  }
}

function lentTo(sys: Sys, uid: number): Pick<Maps, "uids" | "gids"> {
  const read = (path: string): string =>
    attempt(`read ${path}`, () => readFileIfAny(sys, null, path, FILE_LIMIT) ?? "");
  const names = [String(uid), ...namesOf(read("/etc/passwd"), uid)];
  return { uids: rangesIn(read("/etc/subuid"), names)[0], gids: rangesIn(read("/etc/subgid"), names)[0] };
}

function namesOf(passwd: string, uid: number): string[] {
  const users = passwd.split("\n").map((line) => line.split(":"));
  return users.filter(([, , id]) => id === String(uid)).map(([name = ""]) => name);
}
