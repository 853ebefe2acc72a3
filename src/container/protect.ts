/** What the host leaves behind when it has taken the program's own file out of a container's reach: native/host/src/protect.rs. */
import {
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  O_RDONLY,
  ST_RDONLY,
  STATX_ATTR_IMMUTABLE,
  STATX_ATTR_VERITY,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import type { Process } from "../spec/spec.ts";

/** Says that the copy runs, and where the original is. */
const MARK = "_TSRUN_ORIGINAL=";

const OWN_FILE = "/proc/self/exe";

/** The path of the program's file, from before it was protected. */
export function originalPath(sys: Sys, env: readonly string[]): string {
  return env.find((entry) => entry.startsWith(MARK))?.slice(MARK.length) ?? sys.readlinkat(null, OWN_FILE);
}

/** The environment, in which it stands where that is: in a mount namespace of one's own it cannot be asked any more. */
export function withOriginal(sys: Sys, env: readonly string[]): readonly string[] {
  return [...env, `${MARK}${originalPath(sys, env)}`];
}

/**
 * Throws a Failure unless nobody can write to the executable: it is the root of a read-only mount that is attached nowhere
 * (its path is "/" then), a sealed copy in memory, or the file itself does not allow it.
 */
export function requireProtected(sys: Sys): void {
  if (isDetached(sys) || attributesOf(sys) !== 0 || isSealed(sys)) return;
  throw new Failure(
    "cannot protect the program's own file from the container: it needs CAP_SYS_ADMIN, or memory that programs may be run from " +
      "(the sysctl vm.memfd_noexec below 2)",
  );
}

/**
 * An immutable file (chattr(1) +i) is none for whoever has CAP_LINUX_IMMUTABLE: where one of `processes` may have it, the program
 * begins anew, protected. Nothing must have been changed so far.
 */
export function protectFrom(
  processes: readonly Process[],
  { sys, args, env }: { readonly sys: Sys; readonly args: readonly string[]; readonly env: readonly string[] },
): void {
  const mayWrite = processes.some(({ capabilities: { bounding, permitted } }) =>
    [...bounding, ...permitted].includes("CAP_LINUX_IMMUTABLE"),
  );
  if (mayWrite && !isDetached(sys) && attributesOf(sys) === STATX_ATTR_IMMUTABLE)
    attempt("protect the program's own file", () => sys.protect(args, env));
}

function isDetached(sys: Sys): boolean {
  if (sys.readlinkat(null, OWN_FILE) !== "/") return false;
  using executable = sys.openTree(null, OWN_FILE, 0);
  return Math.floor(sys.fstatfs(executable).flags / ST_RDONLY) % 2 === 1;
}

/** All that fcntl(2) has against changes. */
const SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

function isSealed(sys: Sys): boolean {
  try {
    using executable = sys.openat(null, OWN_FILE, O_RDONLY, 0);
    return (sys.getSeals(executable) & SEALS) === SEALS;
  } catch (error) {
    if (isErrno(error, "EINVAL", "EACCES")) return false; // An ordinary file, or one that may only be executed.
    throw error;
  }
}

/** Those of statx(2) that keep everybody from writing. */
function attributesOf(sys: Sys): number {
  return sys.statx(null, OWN_FILE, 0).attributes & (STATX_ATTR_VERITY | STATX_ATTR_IMMUTABLE);
}
