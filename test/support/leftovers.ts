/** What a container may leave behind: processes, cgroups, mounts, folders. Everything of a test has its mark in it. */

import { readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep, textOf } from "./runtime.ts";

/** Where cgroup2 is mounted, also on a host in hybrid mode; undefined where it is not. */
export function cgroupMount(): string | undefined {
  for (const line of textOf("/proc/self/mountinfo").split("\n")) {
    const [mount, filesystem] = line.split(" - ");
    if (filesystem?.startsWith("cgroup2 ") === true) return mount?.split(" ")[4];
  }
  return undefined;
}

export function processes(mark: string): number[] {
  return numbers("/proc").filter((pid) => {
    if (textOf(`/proc/${pid}/environ`).includes(`${MARK_VARIABLE}=${mark}`)) return true;
    return textOf(`/proc/${pid}/cgroup`).includes(mark) && !isZombie(pid);
  });
}

/** The cgroups of containers with this mark, parents first. */
export function cgroups(mark: string): string[] {
  const mount = cgroupMount();
  return mount === undefined ? [] : below(mount).filter((path) => path.includes(`/${mark}-`));
}

export function mounts(mark: string): string[] {
  return textOf("/proc/self/mountinfo")
    .split("\n")
    .filter((line) => line.includes(mark))
    .map((line) => line.split(" ")[4] ?? "");
}

/** Names in the runtime's folders that have the mark in them. */
export function files(mark: string, folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    names(folder)
      .filter((name) => name.includes(mark))
      .map((name) => join(folder, name)),
  );
}

/** Ends the processes and removes the cgroups with the mark in their path, whoever left them. */
export function sweep(mark: string): void {
  for (const pid of processes(mark)) kill(pid);
  removeCgroups(new RegExp(mark));
}

/** Removes the cgroups whose path, as seen from the root of cgroup2, is like `name`, and ends the processes in them. */
function removeCgroups(name: RegExp): void {
  for (const path of cgroupsLike(name)) removeCgroup(path);
}

/** Removes those in which nothing lives: what others have there stays. */
export function removeEmptyCgroups(name: RegExp): void {
  for (const path of cgroupsLike(name)) {
    if (textOf(join(path, "cgroup.events")).includes("populated 1")) continue;
    try {
      rmdirSync(path);
    } catch {
      // Others have made something below, or have been quicker.
    }
  }
}

/** The innermost first. */
function cgroupsLike(name: RegExp): string[] {
  const mount = cgroupMount();
  if (mount === undefined) return [];
  return below(mount)
    .toReversed()
    .filter((path) => name.test(path.slice(mount.length)));
}

/** The variable in a command's environment by which the processes that it leaves are found. */
export const MARK_VARIABLE = "TSRUN_TEST";

function isZombie(pid: number): boolean {
  return /^\d+ \(.*\) [ZX]/s.test(textOf(`/proc/${pid}/stat`));
}

function removeCgroup(path: string): void {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    try {
      writeFileSync(join(path, "cgroup.kill"), "1");
    } catch {
      // It is gone, or the kernel is older than cgroup.kill: rmdir says which.
    }
    try {
      rmdirSync(path);
      return;
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return;
      sleep(10);
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

function below(folder: string): string[] {
  return subfolders(folder).flatMap((path) => [path, ...below(path)]);
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    return []; // A cgroup that went away while we looked.
  }
}

function numbers(folder: string): number[] {
  return names(folder).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
