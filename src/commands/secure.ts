/** What comes before a process that a container will see. */
import { requireProtected } from "../container/protect.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import { option, type Parsed } from "./context.ts";
import { countOf } from "./parse.ts";

/**
 * Closes what a caller left open (buildah leaks its pipes) but what it wants to be passed on, and makes sure that the
 * program's file is out of the container's reach. Throws a Failure.
 */
export function secure(sys: Sys, env: readonly string[], parsed: Parsed): void {
  const count = preservedFds(sys, env, parsed);
  for (let index = 0; index < count; index++) {
    try {
      sys.inherited(3 + index).take();
    } catch {
      throw new Failure(`unable to stat preserved-fd ${index} (of ${count})`);
    }
  }
  sys.closeRange(3 + count, 0xffffffff, 0);
  // A caller that ignores SIGCHLD would make the kernel reap the children that are waited for here.
  sys.resetSignals();
  requireProtected(sys);
}

/** How many descriptors the process gets beyond the standard ones: --preserve-fds, and those of LISTEN_FDS. */
export function preservedFds(sys: Sys, env: readonly string[], parsed: Parsed): number {
  return countOf(option(parsed, "preserve-fds"), "preserve-fds") + listenFds(sys, env);
}

/** sd_listen_fds(3): only for the very process that LISTEN_PID names. */
export function listenFds(sys: Sys, env: readonly string[]): number {
  const value = (name: string): string =>
    env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  if (value("LISTEN_PID") !== String(sys.getpid())) return 0;
  const count = Number(value("LISTEN_FDS"));
  return Number.isInteger(count) && count > 0 ? count : 0;
}
