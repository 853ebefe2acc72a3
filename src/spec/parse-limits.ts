/** Resources whose names are free text and become names of files or devices: hugetlb, rdma and unified. */

import { SpecError } from "./error.ts";
import {
  asObject,
  entryOf,
  integerIn,
  listIn,
  mustBe,
  objectIn,
  pathOf,
  requiredStringIn,
  stringMapIn,
  uint64In,
  UINT32,
} from "./reader.ts";
import { isDigits } from "./text.ts";
import type { JsonObject } from "./reader.ts";
import type { CgroupSetting } from "./spec.ts";

/**
 * Of the cgroup itself only limits may be set. The others are the runtime's: cgroup.procs would move tsrun
 * itself, cgroup.freeze would stop `create` for ever, cgroup.type and subtree_control keep the container out.
 */
const CORE_LIMITS: ReadonlySet<string> = new Set(["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"]);

/** config-linux#configLinuxHugePageLimits: usage, and reservations where the kernel counts them (fs2/hugetlb.go). */
export function parseHugetlb(resources: JsonObject, at: string, settings: CgroupSetting[]): void {
  settings.push(...listIn(resources, "hugepageLimits", at, parsePageLimit).flat());
}

function parsePageLimit(raw: JsonObject, at: string): CgroupSetting[] {
  const size = requiredStringIn(raw, "pageSize", at);
  // It becomes part of a file's name: GHSA-5g49-rx9x-qfc6.
  if (!isPageSize(size)) throw mustBe(`${at}.pageSize`, "a size such as 64KB, 2MB or 1GB", size);
  const limit = uint64In(raw, "limit", at);
  if (limit === undefined) throw new SpecError(`${at}.limit`, "is required");
  const setting = { value: String(limit), controller: "hugetlb", at };
  return [
    { ...setting, file: `hugetlb.${size}.max` },
    { ...setting, file: `hugetlb.${size}.rsvd.max`, whenMissing: "skip" },
  ];
}

/** ^[1-9][0-9]*[KMG]B$ of the schema. */
function isPageSize(size: string): boolean {
  const unit = size.slice(-2);
  const digits = size.slice(0, -2);
  if (unit !== "KB" && unit !== "MB" && unit !== "GB") return false;
  if (digits.startsWith("0") || !isDigits(digits)) return false;
  return true;
}

/** config-linux#configLinuxRDMA: one line per device. */
export function parseRdma(resources: JsonObject, at: string, settings: CgroupSetting[]): void {
  const devices = objectIn(resources, "rdma", at);
  if (devices === undefined) return;
  for (const [name, entry] of Object.entries(devices)) {
    const deviceAt = entryOf(pathOf(at, "rdma"), name);
    if (!isFileName(name) || name.includes(" ")) throw new SpecError(deviceAt, "must have the name of a device");
    const raw = asObject(entry, deviceAt);
    const handles = integerIn(raw, "hcaHandles", deviceAt, UINT32);
    const objects = integerIn(raw, "hcaObjects", deviceAt, UINT32);
    if (handles === undefined && objects === undefined) {
      throw new SpecError(deviceAt, "must have hcaHandles, hcaObjects or both");
    }
    let value = name;
    if (handles !== undefined) value += ` hca_handle=${handles}`;
    if (objects !== undefined) value += ` hca_object=${objects}`;
    settings.push({ file: "rdma.max", value, controller: "rdma", at: deviceAt });
  }
}

/** config-linux#configLinuxUnified: files of the container's cgroup as they are, written line by line like runc's. */
export function parseUnified(resources: JsonObject, at: string, settings: CgroupSetting[]): void {
  const files = stringMapIn(resources, "unified", at);
  for (const [file, text] of Object.entries(files)) {
    const entryAt = entryOf(pathOf(at, "unified"), file);
    const controller = file.slice(0, Math.max(0, file.indexOf(".")));
    if (!isFileName(file) || controller === "") {
      throw new SpecError(entryAt, "must be the name of a file such as memory.high");
    }
    if (controller === "cgroup" && !CORE_LIMITS.has(file)) {
      throw new SpecError(entryAt, "is not a limit: the runtime itself writes this file");
    }
    const setting = { file, controller: controller === "cgroup" ? "" : controller, at: entryAt };
    for (const value of text.split("\n")) if (value !== "") settings.push({ ...setting, value });
  }
}

/** Whether `name` is one component of a path that stays where it is. */
function isFileName(name: string): boolean {
  if (name === "" || name === "." || name === "..") return false;
  return !name.includes("/") && !name.includes("\n");
}
