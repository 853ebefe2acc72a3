/**
 * The process's own entries of /proc, through a private, detached instance: what is mounted on /proc, here or in a
 * container, cannot redirect a write (CVE-2019-16884, CVE-2025-52881).
 */
import { O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV } from "./constants.ts";
import type { Fd, Sys } from "./sys.ts";

const STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

/** A new instance of procfs for the caller's pid namespace, attached nowhere. With "pid" only processes are in it. */
export function privateProc(sys: Sys, what: "pid" | "all"): Fd {
  using context = sys.fsopen("proc");
  if (what === "pid") sys.fsconfigString(context, "subset", "pid");
  sys.fsconfigCreate(context);
  return sys.fsmount(context, 0);
}

/** Writes a file below a private procfs at once. Throws a SysError. */
export function writeProc(sys: Sys, proc: Fd, path: string, value: string): void {
  using file = sys.openat2(proc, path, O_WRONLY, 0, STRICT);
  sys.writeOnce(file, value);
}
