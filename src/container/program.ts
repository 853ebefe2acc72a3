/** From a process of config.json to a running program. */
import { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, S_IFDIR, S_IFMT, S_IFREG, X_OK } from "../sys/constants.ts";
import { isErrno, reasonOf } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { statOf } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import type { Process } from "../spec/spec.ts";
import { failure } from "./protocol.ts";

/** More of a passwd file is not read: it is the image's (CVE-2026-47262). */
const PASSWD_LIMIT = 1 << 20;

/** The environment with HOME, from the container's passwd where config.json has none or an empty one, as runc does. */
export function withHome(sys: Sys, { env, user }: Process): readonly string[] {
  if (env.some((entry) => entry.startsWith("HOME=") && entry.length > 5)) return env;
  return [...env.filter((entry) => entry !== "HOME="), `HOME=${homeOf(sys, user.uid) ?? "/"}`];
}

function homeOf(sys: Sys, uid: number): string | undefined {
  const text = readPasswd(sys);
  for (const line of text.split("\n")) {
    const fields = line.split(":");
    if (fields[2] === String(uid)) return fields[5];
  }
  return undefined;
}

/** A regular file only, and never one that makes its reader wait. */
function readPasswd(sys: Sys): string {
  try {
    using file = sys.openIfAny(null, "/etc/passwd", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (file === undefined) return "";
    return (statOf(sys, file).mode & S_IFMT) === S_IFREG ? sys.readText(file, PASSWD_LIMIT) : "";
  } catch {
    return "";
  }
}

/** The file that args[0] names, looked up in PATH like execvp(3). Throws a Failure with the words that callers match. */
export function findProgram(sys: Sys, { args }: Process, env: readonly string[]): string {
  const name = args[0] ?? "";
  if (name.includes("/")) {
    checkProgram(sys, name);
    return name;
  }
  const path =
    env.find((entry) => entry.startsWith("PATH="))?.slice(5) ??
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const directory of path.split(":")) {
    const candidate = `${directory === "" ? "." : directory}/${name}`;
    if (sys.statxIfAny(null, candidate, 0) === undefined) continue;
    try {
      checkProgram(sys, candidate);
      return candidate;
    } catch {
      continue; // Not to be run: the next directory.
    }
  }
  throw new Failure(`exec: ${JSON.stringify(name)}: executable file not found in $PATH`);
}

function checkProgram(sys: Sys, path: string): void {
  try {
    if ((sys.statx(null, path, 0).mode & S_IFMT) === S_IFDIR)
      throw new Failure(`exec: ${JSON.stringify(path)}: is a directory`);
    sys.faccessat(null, path, X_OK);
  } catch (error) {
    if (error instanceof Failure) throw error;
    const call = isErrno(error, "ENOENT") ? `stat ${path}: ` : "";
    throw new Failure(`exec: ${JSON.stringify(path)}: ${call}${reasonOf(error)}`);
  }
}

export interface Last {
  readonly process: Process;
  readonly program: string;
  readonly env: readonly string[];
  readonly filter: Uint8Array;
  readonly flags: number;
  /** Where a failure of execve is told: a channel or exec.fifo. Closed by its success. */
  readonly report: Fd;
  readonly preserveFds: number;
}

/** The last act. With no_new_privs the filter is loaded here, as late as it can be; without, it is in force already. */
export function becomeProcess(sys: Sys, last: Last): never {
  const { process, program, env } = last;
  const keep = 3 + last.preserveFds;
  const filter = process.noNewPrivileges ? last.filter : new Uint8Array();
  try {
    sys.becomeProcess(program, process.args, env, keep, last.report, last.flags, filter);
  } catch (error) {
    const hint = isErrno(error, "ENOENT") ? " (its interpreter or dynamic loader is missing?)" : "";
    sys.writeText(last.report, failure(`exec: ${JSON.stringify(program)}: ${reasonOf(error)}${hint}`));
  }
  sys.exit(127);
  throw new Failure("exec failed");
}
