/** The container's cgroup in the unified hierarchy: cgroups(7), Documentation/admin-guide/cgroup-v2.rst. */
import {
  AT_REMOVEDIR,
  BPF_F_ALLOW_MULTI,
  O_DIRECTORY,
  O_RDONLY,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { openDirectory } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { step, type Plan, type Scene } from "../plan/step.ts";
import type { Facts } from "../facts/facts.ts";
import { SpecError } from "../spec/error.ts";
import { cleanPath } from "../spec/paths.ts";
import type { CgroupSetting, DeviceRule, Spec } from "../spec/spec.ts";
import { compileDeviceFilter } from "./device-filter-compile.ts";
import { hasAllIds } from "./overlay.ts";

/** Into no link and no other mount. */
export const STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

/** A cgroup: the mount of the hierarchy, and the path below it, which begins with "/". */
export interface CgroupPlace {
  readonly mount: string;
  readonly path: string;
}

/**
 * Where the container's cgroup is, below the mount: cgroupsPath from the root of the hierarchy when absolute, else beside the
 * caller's own cgroup (inside it a process is, and so no cgroup may be that distributes resources).
 */
export function cgroupPathFor(spec: Spec, facts: Facts, id: string): string {
  const wanted = spec.cgroup.path ?? id;
  const own = facts.ownCgroup;
  const beside = `${own.slice(0, own.lastIndexOf("/"))}/${cleanPath(`/${wanted}`)}`;
  const path = cleanPath(wanted.startsWith("/") ? wanted : beside);
  // To delete the container is to kill what is in its cgroup.
  if (path === "/" || own === path || own.startsWith(`${path}/`)) {
    throw new SpecError("linux.cgroupsPath", `must not be a cgroup that this command is in: current value is ${path}`);
  }
  return path;
}

export function* planCgroup(spec: Spec, facts: Facts, path: string): Plan {
  const place = { mount: facts.cgroupMount, path };
  const because = spec.cgroup.path === undefined ? "man:cgroups(7)" : "config-linux#configLinuxCgroupsPath";
  yield step("makeCgroup", place, because);
  yield step("enableControllers", { ...place, controllers: facts.controllers }, "man:cgroups(7)");
}

export function* planLimits(spec: Spec, facts: Facts, path: string): Plan {
  const place = { mount: facts.cgroupMount, path };
  for (const setting of spec.cgroup.settings) {
    if (setting.controller !== "" && !facts.controllers.includes(setting.controller)) {
      throw new SpecError(setting.at, missingController(setting));
    }
    yield step("writeCgroup", { place, setting }, anchorOf(setting));
  }
}

/** Where the specification speaks of each part of linux.resources. */
const ANCHORS: Readonly<Record<string, string>> = {
  memory: "config-linux#configLinuxMemory",
  cpu: "config-linux#configLinuxCPU",
  pids: "config-linux#configLinuxPIDS",
  blockIO: "config-linux#configLinuxBlockIO",
  hugepageLimits: "config-linux#configLinuxHugePageLimits",
  rdma: "config-linux#configLinuxRDMA",
  unified: "config-linux#configLinuxUnified",
};

/** `at` is a path such as "linux.resources.hugepageLimits[0].limit". */
function anchorOf({ at }: CgroupSetting): string {
  const [part = ""] = at.slice("linux.resources.".length).split(".");
  return ANCHORS[part.split("[")[0] ?? ""] ?? "config-linux#configLinuxControlGroups";
}

function missingController({ controller, file, value }: CgroupSetting): string {
  return (
    `cannot be set (${file} = ${value}): the kernel's unified cgroup hierarchy has no ${controller} controller here; ` +
    `boot with cgroup_no_v1=${controller}, or systemd.unified_cgroup_hierarchy=1`
  );
}

export function* planDeviceFilter(spec: Spec, facts: Facts, path: string): Plan {
  const place = { mount: facts.cgroupMount, path };
  yield step("filterDevices", { place, rules: spec.cgroup.devices }, "config-linux#configLinuxDeviceAllowedlist");
}

/** Makes the cgroup and what leads to it. One that holds processes is another container's: it is refused. */
export function makeCgroup({ sys }: Scene, { mount, path }: CgroupPlace): void {
  using root = openDirectory(sys, null, mount);
  const made: string[] = [];
  try {
    let at = "";
    for (const name of path.split("/").filter((part) => part !== "")) {
      at += at === "" ? name : `/${name}`;
      if (sys.mkdirIfNone(root, at, 0o755)) made.push(at);
    }
    using cgroup = sys.openat2(root, at, O_RDONLY | O_DIRECTORY, 0, STRICT);
    const events = readCgroup(sys, cgroup, "cgroup.events");
    if (events.includes("populated 1"))
      throw new Error("the cgroup is not empty: another container or process uses it");
    if (events.includes("frozen 1")) throw new Error("the cgroup is frozen");
  } catch (error) {
    for (const each of made.toReversed()) unmake(sys, root, each);
    throw error;
  }
}

function unmake(sys: Sys, root: Fd, path: string): void {
  try {
    sys.unlinkat(root, path, AT_REMOVEDIR);
  } catch {
    // Somebody uses it by now. The failure that led here is the one to tell of.
  }
}

/** Offers every controller to the children of each cgroup on the way. What cannot be offered is missed by a later write. */
export function enableControllers(
  { sys }: Scene,
  place: CgroupPlace & { readonly controllers: readonly string[] },
): void {
  if (place.controllers.length === 0) return;
  using root = openDirectory(sys, null, place.mount);
  const parts = place.path.split("/").filter((part) => part !== "");
  for (let depth = 0; depth < parts.length; depth++) {
    const path = depth === 0 ? "." : parts.slice(0, depth).join("/");
    using cgroup = sys.openat2(root, path, O_RDONLY | O_DIRECTORY, 0, STRICT);
    const enabled = readCgroup(sys, cgroup, "cgroup.subtree_control").trim().split(" ");
    for (const name of place.controllers.filter((controller) => !enabled.includes(controller))) {
      tryEnable(sys, cgroup, name);
    }
  }
}

function tryEnable(sys: Sys, cgroup: Fd, controller: string): void {
  try {
    writeCgroupFile(sys, cgroup, "cgroup.subtree_control", `+${controller}`);
  } catch (error) {
    // Not delegated, or a process is inside: only a limit that needs the controller makes it a failure.
    if (!isErrno(error, "ENOENT", "EBUSY", "EOPNOTSUPP", "EACCES", "EPERM", "EINVAL")) throw error;
  }
}

/** Writes one value; where this kernel lacks the file, what the setting says of that. */
export function writeCgroup(
  { sys }: Scene,
  order: { readonly place: CgroupPlace; readonly setting: CgroupSetting },
): void {
  using cgroup = openCgroup(sys, order.place);
  const { file, value, whenMissing } = order.setting;
  try {
    writeCgroupFile(sys, cgroup, file, value);
  } catch (error) {
    if (whenMissing === undefined || !isErrno(error, "ENOENT")) throw error;
    if (whenMissing !== "skip") writeCgroupFile(sys, cgroup, whenMissing.file, whenMissing.value);
  }
}

/** Loads and attaches the device filter: no rule means the defaults, never everything (GHSA-g54h-m393-cpwq). */
export function filterDevices(
  { sys }: Scene,
  order: { readonly place: CgroupPlace; readonly rules: readonly DeviceRule[] },
): void {
  using cgroup = openCgroup(sys, order.place);
  try {
    using program = sys.loadDeviceFilter(compileDeviceFilter(order.rules));
    sys.attachDeviceFilter(cgroup, program, BPF_F_ALLOW_MULTI);
  } catch (error) {
    // As runc: it takes CAP_BPF of the host, bpf(2). Without privileges no device can be had that the caller has not.
    if (!isErrno(error, "EPERM") || hasAllIds(sys)) throw error;
  }
}

/** A handle on a cgroup. Throws a SysError. */
export function openCgroup(sys: Sys, { mount, path }: CgroupPlace): Fd {
  using root = openDirectory(sys, null, mount);
  const relative = path.startsWith("/") ? path.slice(1) : path;
  return sys.openat2(root, relative === "" ? "." : relative, O_RDONLY | O_DIRECTORY, 0, STRICT);
}

export function readCgroup(sys: Sys, cgroup: Fd, file: string): string {
  using opened = sys.openat2(cgroup, file, O_RDONLY, 0, STRICT);
  return sys.readText(opened, 1 << 20);
}

/** One value of a cgroup. */
export function writeCgroupFile(sys: Sys, cgroup: Fd, file: string, value: string): void {
  using opened = sys.openat2(cgroup, file, O_WRONLY, 0, STRICT);
  sys.writeOnce(opened, value);
}
