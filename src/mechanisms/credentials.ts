/** Who the process is: credentials(7). */
import { PR_SET_NO_NEW_PRIVS } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { readFileIfAny } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { step, type Plan, type Scene } from "../plan/step.ts";
import type { Process, User } from "../spec/spec.ts";

export function* planNoNewPrivileges(process: Process): Plan {
  if (process.noNewPrivileges) yield step("forbidNewPrivileges", undefined, "config#configLinuxProcess");
}

export function* planIds(process: Process): Plan {
  yield step("setUmask", process.user.umask, "config#configPOSIXUser");
  yield step("setIds", { user: process.user, cwd: process.cwd }, "config#configPOSIXUser");
}

/** PR_SET_NO_NEW_PRIVS: execve never gives more rights than before. See prctl(2). */
export function forbidNewPrivileges({ sys }: Scene, _nothing: undefined): void {
  sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0);
}

export function setUmask({ sys }: Scene, umask: number): void {
  sys.umask(umask);
}

/** Who the process becomes, and where it is then. */
export interface Identity {
  readonly user: User;
  readonly cwd: string;
}

/**
 * Groups first: setgroups and setresgid need privileges that setresuid gives away. The working directory is entered as
 * root, or, where root may not (a network file system), as the user. getcwd(2) says "(unreachable)" of a directory outside
 * of the root (CVE-2024-21626).
 */
export function setIds({ sys }: Scene, { user, cwd }: Identity): void {
  const entered = tryEnter(sys, cwd);
  setGroups(sys, user.additionalGids);
  sys.setresgid(user.gid);
  sys.setresuid(user.uid);
  if (!entered) sys.chdir(cwd);
  if (!sys.getcwd().startsWith("/")) throw new Error(`the working directory ${cwd} is outside of the container's root`);
}

/** Where a user namespace denies setgroups(2), nobody can let go of the caller's groups: user_namespaces(7). As runc. */
function setGroups(sys: Sys, groups: readonly number[]): void {
  try {
    sys.setgroups(groups);
  } catch (error) {
    const denied = (): boolean => readFileIfAny(sys, null, "/proc/self/setgroups")?.trim() === "deny";
    if (!isErrno(error, "EPERM") || groups.length > 0 || !denied()) throw error;
  }
}

function tryEnter(sys: Sys, path: string): boolean {
  try {
    sys.chdir(path);
    return true;
  } catch (error) {
    if (isErrno(error, "EACCES", "EPERM")) return false;
    throw error;
  }
}
