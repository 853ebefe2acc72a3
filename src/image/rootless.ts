/**
 * A user without privileges: files of many owners need many ids, which a user namespace has. This process enters one in which it is
 * root, and the ids 1 and above are those that /etc/subuid and /etc/subgid lend to the user: user_namespaces(7), newuidmap(1). Without such ids only files of root can be made.
 */
import { CLONE_NEWNS, CLONE_NEWUSER, O_WRONLY } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import { isErrno } from "../sys/errno.ts";
import { readFileIfAny } from "../sys/files.ts";
import { runProgram } from "../sys/spawn.ts";
import type { Sys } from "../sys/sys.ts";
import { hasAllIds } from "../mechanisms/overlay.ts";
import { rangesIn, type Range } from "./lent.ts";

/** More than its page no such file has in earnest. */
const FILE_LIMIT = 1 << 20;
const TOOLS = ["/usr/bin", "/bin", "/usr/local/bin"];

/** Makes this process root of a namespace of its own, unless it is root already. Throws a Failure. */
export function becomeRootInside(sys: Sys): void {
  if (sys.geteuid() === 0) return;
  const [uid, gid] = [sys.geteuid(), sys.getegid()];
  const ranges = lentTo(sys, uid);
  const [listen, tell] = sys.pipe();
  const pid = sys.getpid();
  // The maps of many ids are written by programs with privileges, out here.
  const helper = sys.clone3(0, []);
  if (helper.pid === 0) {
    tell[Symbol.dispose]();
    sys.exit(sys.readSome(listen, 1).length === 1 && writeMaps(sys, { pid, uid, gid, ...ranges }) ? 0 : 1);
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
  if (sys.wait(helper.pid, true).code !== 0) mapAlone(sys, uid, gid);
  helper.pidfd[0]?.[Symbol.dispose]();
  sys.setresgid(0);
  sys.setresuid(0);
}

/**
 * Mounts of this process's own, for whoever is root in a user namespace only: nobody else's may be added to. Where the program's
 * file is cannot be asked any more after that.
 */
export function enterOwnMounts(sys: Sys): void {
  if (!hasAllIds(sys)) sys.unshare(CLONE_NEWNS);
}

interface Maps {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly uids: Range | undefined;
  readonly gids: Range | undefined;
}

function writeMaps(sys: Sys, { pid, uid, gid, uids, gids }: Maps): boolean {
  return writeMap(sys, "newuidmap", [pid, uid], uids) && writeMap(sys, "newgidmap", [pid, gid], gids);
}

function writeMap(sys: Sys, name: string, [pid, own]: readonly [number, number], lent: Range | undefined): boolean {
  const path = TOOLS.map((folder) => `${folder}/${name}`).find((each) => sys.statxIfAny(null, each, 0) !== undefined);
  if (lent === undefined || path === undefined) return false;
  const args = [name, ...[pid, 0, own, 1, 1, lent.first, lent.count].map(String)];
  return runProgram(sys, { path, args, env: [], input: "", timeout: 10_000 }).code === 0;
}

/** The user alone, as root: what anybody may write. */
function mapAlone(sys: Sys, uid: number, gid: number): void {
  const texts = [
    ["setgroups", "deny"],
    ["uid_map", `0 ${uid} 1`],
    ["gid_map", `0 ${gid} 1`],
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
  const read = (path: string): string => readFileIfAny(sys, null, path, FILE_LIMIT) ?? "";
  const names = [String(uid), ...namesOf(read("/etc/passwd"), uid)];
  return { uids: rangesIn(read("/etc/subuid"), names)[0], gids: rangesIn(read("/etc/subgid"), names)[0] };
}

function namesOf(passwd: string, uid: number): string[] {
  const users = passwd.split("\n").map((line) => line.split(":"));
  return users.filter(([, , id]) => id === String(uid)).map(([name = ""]) => name);
}
