/**
 * `linux.resources` → values for files of cgroup v2, in the order runc writes them (opencontainers/cgroups, fs2):
 * pids, memory, io, cpu, cpuset, hugetlb, rdma, unified. Zero and absent mean "not set", -1 means "no limit".
 */

import { readDocument } from "./document.ts";
import { SpecError } from "./error.ts";
import { parseIo } from "./parse-io.ts";
import { parseHugetlb, parseRdma, parseUnified } from "./parse-limits.ts";
import {
  booleanIn,
  int64In,
  integerIn,
  listIn,
  mustBe,
  objectIn,
  pathOf,
  stringIn,
  uint64In,
  UINT32,
} from "./reader.ts";
import type { JsonObject, Range } from "./reader.ts";
import type { CgroupSetting, DeviceRule } from "./spec.ts";
import { isBlank, ONLY_IN_CGROUP_V1, refuseV1 } from "./unsupported.ts";

/** The kernel's own period: Documentation/admin-guide/cgroup-v2.rst, cpu.max. */
const DEFAULT_PERIOD = 100000n;

/** Of a device in a rule; -1 means any, for runc and so for those who write for it. */
const RULE_NUMBER: Range = { min: -1, max: UINT32.max };

/** What an older docker sends for "not set". */
const UNSET_SWAPPINESS = 2n ** 64n - 1n;

/** The resources of `update --resources FILE`, which is the object `linux.resources` alone. */
export function parseResourcesFile(text: string, warnings: string[] = []): CgroupSetting[] {
  const said: string[] = [];
  const settings = readDocument(text, (resources) => parseResources(resources, "", said));
  warnings.push(...new Set(said));
  return settings;
}

/** The settings that `resources`, which stands at `at`, asks for. */
export function parseResources(resources: JsonObject, at: string, warnings: string[]): CgroupSetting[] {
  const settings: CgroupSetting[] = [];
  const network = objectIn(resources, "network", at);
  if (network !== undefined) refuseV1(network, pathOf(at, "network"), ONLY_IN_CGROUP_V1.network);
  parsePids(resources, at, settings);
  const memory = objectIn(resources, "memory", at);
  if (memory !== undefined) parseMemory(memory, pathOf(at, "memory"), settings, warnings);
  const blockIO = objectIn(resources, "blockIO", at);
  if (blockIO !== undefined) parseIo(blockIO, pathOf(at, "blockIO"), settings);
  const cpu = objectIn(resources, "cpu", at);
  if (cpu !== undefined) {
    parseCpu(cpu, pathOf(at, "cpu"), settings, warnings);
    parseCpuset(cpu, pathOf(at, "cpu"), settings);
  }
  parseHugetlb(resources, at, settings);
  parseRdma(resources, at, settings);
  parseUnified(resources, at, settings);
  return settings;
}

/** 0 is a limit of its own since runc 1.4, and written as 1, which is as little: fs2/pids.go. */
function parsePids(resources: JsonObject, at: string, settings: CgroupSetting[]): void {
  const pids = objectIn(resources, "pids", at);
  const limit = pids === undefined ? undefined : int64In(pids, "limit", pathOf(at, "pids"));
  if (limit === undefined) return;
  const value = limit < 0n ? "max" : limit === 0n ? "1" : String(limit);
  settings.push({ file: "pids.max", value, controller: "pids", at: pathOf(at, "pids.limit") });
}

function parseMemory(memory: JsonObject, at: string, settings: CgroupSetting[], warnings: string[]): void {
  refuseV1(memory, at, ONLY_IN_CGROUP_V1.memory);
  checkOldMemory(memory, at, warnings);
  const limit = limitIn(memory, "limit", at);
  const swap = limitIn(memory, "swap", at);
  const reservation = limitIn(memory, "reservation", at);
  const swapMax = swapOnly(limit, swap, at);
  if (swapMax !== undefined) {
    const setting = { file: "memory.swap.max", value: swapMax, controller: "memory", at: pathOf(at, "swap") };
    // Without swap in the kernel the file is missing, and both of these are true already: fs2/memory.go.
    settings.push(swapMax === "max" || swapMax === "0" ? { ...setting, whenMissing: "skip" } : setting);
  }
  if (limit !== 0n) {
    settings.push({ file: "memory.max", value: limitText(limit), controller: "memory", at: pathOf(at, "limit") });
  }
  if (reservation !== 0n) {
    const value = limitText(reservation);
    settings.push({ file: "memory.low", value, controller: "memory", at: pathOf(at, "reservation") });
  }
}

/** 0 stands for absent, -1 for no limit. */
function limitIn(memory: JsonObject, key: string, at: string): bigint {
  const limit = int64In(memory, key, at) ?? 0n;
  if (limit < -1n) throw mustBe(pathOf(at, key), "a number of bytes, or -1 for no limit", limit);
  return limit;
}

function limitText(limit: bigint): string {
  return limit === -1n ? "max" : String(limit);
}

/** config.json limits both together, cgroup v2 swap alone: cgroups/utils.go, ConvertMemorySwapToCgroupV2Value. */
function swapOnly(limit: bigint, swap: bigint, at: string): string | undefined {
  if (swap === 0n) return limit === -1n ? "max" : undefined;
  if (swap === -1n || limit === -1n) return limitText(swap);
  const swapAt = pathOf(at, "swap");
  if (limit === 0n) throw new SpecError(swapAt, "needs a limit of memory too: it is the limit of both together");
  if (swap < limit) throw mustBe(swapAt, `at least the limit of memory ${limit}`, swap);
  return String(swap - limit);
}

/** Settings that v2 has not: runc ignores them with a warning, or would; nothing is dropped without a word here. */
function checkOldMemory(memory: JsonObject, at: string, warnings: string[]): void {
  for (const key of ["kernel", "kernelTCP"]) {
    if (!isBlank(memory[key])) warnings.push(`${pathOf(at, key)} is ignored: cgroup v2 counts kernel memory as memory`);
  }
  const swappiness = uint64In(memory, "swappiness", at);
  if (swappiness === 0n) warnings.push(`${pathOf(at, "swappiness")} is ignored: cgroup v2 has no such setting`);
  else if (swappiness !== undefined && swappiness !== UNSET_SWAPPINESS) refuseV1(memory, at, ["swappiness"]);
}

function parseCpu(cpu: JsonObject, at: string, settings: CgroupSetting[], warnings: string[]): void {
  refuseV1(cpu, at, ONLY_IN_CGROUP_V1.cpu);
  const idle = integerIn(cpu, "idle", at, { min: 0, max: 1 });
  if (idle !== undefined) {
    settings.push({ file: "cpu.idle", value: String(idle), controller: "cpu", at: pathOf(at, "idle") });
  }
  const shares = uint64In(cpu, "shares", at) ?? 0n;
  if (shares !== 0n && idle === 1) {
    // The kernel answers EINVAL: an idle cgroup has the lowest weight whatever one asks for (sched_group_set_shares).
    warnings.push(`${pathOf(at, "shares")} is ignored: ${pathOf(at, "idle")} is 1`);
  } else if (shares !== 0n) {
    const value = String(cpuWeight(Number(shares)));
    settings.push({ file: "cpu.weight", value, controller: "cpu", at: pathOf(at, "shares") });
  }
  parseBandwidth(cpu, at, settings);
}

/** cpu.max comes first: the kernel refuses a burst above the quota of the moment. */
function parseBandwidth(cpu: JsonObject, at: string, settings: CgroupSetting[]): void {
  const quota = int64In(cpu, "quota", at) ?? 0n;
  const period = uint64In(cpu, "period", at) ?? 0n;
  if (quota !== 0n || period !== 0n) {
    const value = `${quota > 0n ? quota : "max"} ${period === 0n ? DEFAULT_PERIOD : period}`;
    settings.push({ file: "cpu.max", value, controller: "cpu", at: pathOf(at, quota === 0n ? "period" : "quota") });
  }
  const burst = uint64In(cpu, "burst", at);
  if (burst === undefined) return;
  if (quota > 0n && burst > quota) throw mustBe(pathOf(at, "burst"), `at most the quota ${quota}`, burst);
  settings.push({ file: "cpu.max.burst", value: String(burst), controller: "cpu", at: pathOf(at, "burst") });
}

/**
 * 2…262144 → 1…10000 such that 1024 becomes 100: both are the defaults. runc since 1.4 (opencontainers/cgroups,
 * ConvertCPUSharesToCgroupV2Value; runc#4785), crun since 1.23; the straight line of before gave 39.
 */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const log = Math.log2(shares);
  const exponent = (log * log + 125 * log) / 612 - 7 / 34;
  return Math.ceil(10 ** exponent);
}

function parseCpuset(cpu: JsonObject, at: string, settings: CgroupSetting[]): void {
  for (const key of ["cpus", "mems"]) {
    const value = stringIn(cpu, key, at);
    if (value.includes("\n")) throw mustBe(pathOf(at, key), "one line", value);
    if (value !== "") settings.push({ file: `cpuset.${key}`, value, controller: "cpuset", at: pathOf(at, key) });
  }
}

/** config-linux#configLinuxDeviceAllowedlist, in its order. The rules that every container has are added later. */
export function parseDeviceRules(resources: JsonObject, at: string): DeviceRule[] {
  return listIn(resources, "devices", at, parseDeviceRule);
}

function parseDeviceRule(raw: JsonObject, at: string): DeviceRule {
  const type = stringIn(raw, "type", at) || "a";
  if (type !== "a" && type !== "b" && type !== "c") throw mustBe(`${at}.type`, "a, b or c", type);
  const access = stringIn(raw, "access", at);
  // Empty is an error for runc too: nobody means "no access at all is allowed".
  if (access !== "rwm" && !isAccess(access)) throw mustBe(`${at}.access`, "made of r, w and m", access);
  return {
    allow: booleanIn(raw, "allow", at),
    type,
    major: deviceNumberIn(raw, "major", at),
    minor: deviceNumberIn(raw, "minor", at),
    read: access.includes("r"),
    write: access.includes("w"),
    mknod: access.includes("m"),
  };
}

function isAccess(access: string): boolean {
  for (const letter of access) if (letter !== "r" && letter !== "w" && letter !== "m") return false;
  return access !== "";
}

function deviceNumberIn(raw: JsonObject, key: string, at: string): number | undefined {
  const number = integerIn(raw, key, at, RULE_NUMBER);
  return number === -1 ? undefined : number;
}
