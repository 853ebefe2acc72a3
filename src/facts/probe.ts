/** Reads the facts of this host. */
import { CGROUP2_SUPER_MAGIC } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import { openPath, readFile, readFileIfAny } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import type { Facts } from "./facts.ts";

/** All facts. Throws a Failure where the host cannot run containers at all. */
export function probe(sys: Sys): Facts {
  const { release, machine } = sys.uname();
  requireKernel(release);
  const cgroupMount = unifiedMount(sys);
  return {
    kernelRelease: release,
    machine,
    euid: sys.geteuid(),
    cgroupMount,
    ownCgroup: ownCgroup(sys),
    controllers: words(readFileIfAny(sys, null, `${cgroupMount}/cgroup.controllers`) ?? ""),
  };
}

/** mount_setattr(2) is the newest call that everything rests on. */
function requireKernel(release: string): void {
  const [major = 0, minor = 0] = release.split(".").map((part) => Number.parseInt(part, 10));
  if (major > 5 || (major === 5 && minor >= 12)) return;
  throw new Failure(`Linux 5.12 or newer is needed: this is ${release}`);
}

/** Where cgroup v2 is: at the usual place, or beside the v1 hierarchies of a hybrid host. */
export function unifiedMount(sys: Sys): string {
  for (const path of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
    try {
      using directory = openPath(sys, path);
      if (sys.fstatfs(directory).type === CGROUP2_SUPER_MAGIC) return path;
    } catch {
      continue; // Not there: the next one.
    }
  }
  throw new Failure(
    "no cgroup v2 is mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified: mount -t cgroup2 none /sys/fs/cgroup",
  );
}

/** The line "0::/path" of /proc/self/cgroup. */
export function ownCgroup(sys: Sys): string {
  const line = readFile(sys, null, "/proc/self/cgroup")
    .split("\n")
    .find((text) => text.startsWith("0::"));
  return line?.slice(3) ?? "/";
}

function words(text: string): string[] {
  return text
    .trim()
    .split(" ")
    .filter((word) => word !== "");
}
