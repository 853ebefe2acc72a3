/** The program that says from inside what a container's process was given: rootfs-fixtures/checker/dump.c. */

import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "./runtime.ts";
import { SCRATCH } from "./rootfs.ts";

export interface Dump {
  fds: { fd: number; flags: number; cloexec: number; target: string }[];
  args: string[];
  env: string[];
  uid: number[];
  gid: number[];
  groups: number[];
  /** The lines of /proc/self/status. */
  status: Record<string, string>;
  blocked: number[];
  notDefault: number[];
  /** Soft and hard, in the order of RLIMIT_*'s numbers. */
  limits: [string, string][];
  namespaces: Record<string, string>;
  /** Type;uid;gid;permissions;name, as keyctl(2) describes it. */
  keyring: string;
  umask: number;
  cwd: string;
  pid: number;
  parent: number;
  session: number;
  group: number;
  terminal: number;
  nice: number;
  scheduler: number;
  personality: number;
  securebits: number;
  keepCapabilities: number;
  dumpable: number;
  deathSignal: number;
  subreaper: number;
  timerSlack: number;
  secure: number;
  oomScoreAdj: string;
  cgroup: string;
  mounts: string;
}

/** Puts the checker into a bundle's root as /dump. Needs gcc. */
export function addChecker(bundle: string): void {
  copyFileSync(compiled(), join(bundle, "rootfs", "dump"));
}

export function readDump(output: string): Dump {
  return JSON.parse(output) as Dump;
}

/** The checker as a program of the host's, for what the test's own process has. */
export function dumpHere(): Dump {
  return readDump(execFileSync(compiled(), { encoding: "utf8" }));
}

let program: string | undefined;

function compiled(): string {
  if (program === undefined) {
    program = join(SCRATCH, "dump");
    const source = join(REPOSITORY, "rootfs-fixtures", "checker", "dump.c");
    execFileSync("gcc", ["-static", "-O1", "-o", program, source]);
  }
  return program;
}
