/**
 * Resource limits: getrlimit(2). Its parent raises what a process may have at most, since root of a user namespace may not, and the
 * process sets its limits itself, as late as it can: with few descriptors or little memory it could not get ready.
 */
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import type { Rlimit } from "../spec/spec.ts";

/** By number, as in asm-generic/resource.h. */
const RLIMITS: readonly string[] = [
  "RLIMIT_CPU",
  "RLIMIT_FSIZE",
  "RLIMIT_DATA",
  "RLIMIT_STACK",
  "RLIMIT_CORE",
  "RLIMIT_RSS",
  "RLIMIT_NPROC",
  "RLIMIT_NOFILE",
  "RLIMIT_MEMLOCK",
  "RLIMIT_AS",
  "RLIMIT_LOCKS",
  "RLIMIT_SIGPENDING",
  "RLIMIT_MSGQUEUE",
  "RLIMIT_NICE",
  "RLIMIT_RTPRIO",
  "RLIMIT_RTTIME",
];

/** The parent's part, for the process `pid`. Throws a Failure. */
export function raiseLimits(sys: Sys, pid: number, limits: readonly Rlimit[]): void {
  for (const limit of limits) orSay(limit, (number) => sys.raiseLimit(pid, number, limit.hard));
}

/** The process's own part. Throws a Failure. */
export function setLimits(sys: Sys, limits: readonly Rlimit[]): void {
  for (const limit of limits) orSay(limit, (number) => sys.setrlimit(0, number, limit.soft, limit.hard));
}

function orSay({ type, soft, hard }: Rlimit, call: (number: number) => void): void {
  try {
    call(RLIMITS.indexOf(type));
  } catch (cause) {
    const hint = isErrno(cause, "EPERM") ? "raising a hard limit needs CAP_SYS_RESOURCE" : undefined;
    throw new Failure(`cannot set ${type} to ${soft} (hard ${hard})`, cause, hint);
  }
}
