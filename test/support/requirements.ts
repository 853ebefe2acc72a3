/** What a test needs of the machine. A test that cannot run says so by name; with TSRUN_MUST_WORK=1 it fails instead. */

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { cgroupMount } from "./leftovers.ts";
import { SCRATCH } from "./rootfs.ts";
import { REPOSITORY, runtimeName, textOf, TSRUN } from "./runtime.ts";

export type Requirement =
  | "root"
  | "tsrun" // the runtime under test is tsrun itself, and not a reference
  | "busybox"
  | "userns"
  | "loop"
  | "erofs"
  | "xattrat" // setxattrat(2) and its kin, since Linux 6.13
  | "raise-limits"
  | "immutable" // files that chattr(1) makes immutable
  | "vm"
  | "ps"
  | `controller:${string}`
  | `lacks:${string}` // a cgroup controller that must not be there
  | `tool:${string}`;

/** Why a test cannot run here, or undefined. */
export function missing(needs: readonly Requirement[]): string | undefined {
  if (!existsSync(TSRUN)) return `needs the runtime ${TSRUN}`;
  for (const need of needs) {
    let lacks = known.get(need);
    if (lacks === undefined) known.set(need, (lacks = lacking(need) ?? ""));
    if (lacks !== "") return `needs ${lacks}`;
  }
  return undefined;
}

/** Whether a missing thing is an error: it is where everything must work, unless the virtual machine takes its place. */
export function mustWork(needs: readonly Requirement[]): boolean {
  if (process.env["TSRUN_MUST_WORK"] !== "1" || runtimeName() !== "tsrun") return false;
  const unmet = needs.filter((need) => !need.startsWith("lacks:") && missing([need]) !== undefined);
  return !unmet.every((need) => vmHas(need) && missing(["vm"]) === undefined);
}

export const VM = join(REPOSITORY, "..", "shared", "vm", "vm.sh");

function lacking(need: Requirement): string | undefined {
  const [kind, name] = need.split(":");
  if (kind === "tool" && name !== undefined) return onPath(name) ? undefined : `the program ${name}`;
  if (kind === "controller" && name !== undefined) {
    return controllers().includes(name) ? undefined : `the cgroup controller ${name}, which this host does not offer`;
  }
  if (kind === "lacks" && name !== undefined) {
    return controllers().includes(name) ? `a host without the cgroup controller ${name}` : undefined;
  }
  return PROBES[need as keyof typeof PROBES]();
}

const PROBES = {
  root: () => (process.geteuid?.() === 0 ? undefined : "root"),
  tsrun: () => (runtimeName() === "tsrun" ? undefined : `tsrun: ${runtimeName()} is known to differ`),
  userns: () => (succeeds("unshare", "--user", "--map-root-user", "true") ? undefined : "user namespaces"),
  loop: () => (existsSync("/dev/loop-control") && onPath("mkfs.ext4") ? undefined : "loop devices and mkfs.ext4"),
  erofs: () => (textOf("/proc/filesystems").includes("\terofs\n") ? undefined : "a kernel with EROFS"),
  xattrat: () => {
    const [major = 0, minor = 0] = textOf("/proc/sys/kernel/osrelease").split(".").map(Number);
    return major > 6 || (major === 6 && minor >= 13) ? undefined : "Linux 6.13";
  },
  "raise-limits": () => (capabilityBit(24) ? undefined : "CAP_SYS_RESOURCE, to raise limits"),
  immutable: () => {
    mkdirSync(SCRATCH, { recursive: true });
    const probe = mkdtempSync(join(SCRATCH, "immutable"));
    const works = succeeds("chattr", "+i", probe);
    succeeds("chattr", "-i", probe);
    rmSync(probe, { recursive: true });
    return works ? undefined : "a file system with the attribute immutable, and CAP_LINUX_IMMUTABLE";
  },
  // procps 4.0.2 does not run on User-mode Linux.
  ps: () => (succeeds("ps", "-ef") ? undefined : "a ps that works"),
  busybox: () => (existsSync("/bin/busybox") ? undefined : "the program /bin/busybox, of Debian's busybox-static"),
  vm: () => (existsSync(VM) && process.geteuid?.() === 0 ? undefined : `the virtual machine ${VM}`),
};

/** What the virtual machine offers where the host may not. */
function vmHas(need: Requirement): boolean {
  return ["controller:memory", "controller:pids", "controller:cpu", "controller:io", "raise-limits", "loop"].includes(
    need,
  );
}

const known = new Map<Requirement, string>();

function controllers(): string[] {
  const mount = cgroupMount();
  return mount === undefined ? [] : textOf(join(mount, "cgroup.controllers")).trim().split(" ");
}

function capabilityBit(bit: number): boolean {
  const set = /^CapEff:\s*([0-9a-f]+)/m.exec(textOf("/proc/self/status"))?.[1] ?? "0";
  return ((BigInt(`0x${set}`) >> BigInt(bit)) & 1n) === 1n;
}

function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function succeeds(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { timeout: 10_000 }).status === 0;
}
