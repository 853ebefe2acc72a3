/** What the host leaves behind when it has taken the program's own file out of a container's reach: native/host/src/protect.rs. */
import { ST_RDONLY } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";

/** Says that the copy runs, and where the original is. */
const MARK = "_TSRUN_ORIGINAL=";

/** The path of the program's file, from before it was protected. */
export function originalPath(sys: Sys, env: readonly string[]): string {
  return env.find((entry) => entry.startsWith(MARK))?.slice(MARK.length) ?? sys.readlinkat(null, "/proc/self/exe");
}

/** Throws a Failure unless the executable is the root of a read-only mount that is attached nowhere: its path is "/" then. */
export function requireProtected(sys: Sys): void {
  if (sys.readlinkat(null, "/proc/self/exe") === "/") {
    using executable = sys.openTree(null, "/proc/self/exe", 0);
    if (Math.floor(sys.fstatfs(executable).flags / ST_RDONLY) % 2 === 1) return;
  }
  throw new Failure("cannot protect the program's own file from the container: it needs CAP_SYS_ADMIN, run it as root");
}
