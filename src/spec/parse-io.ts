/** `linux.resources.blockIO` → io.* of cgroup v2: config-linux#configLinuxBlockIO. */

import { SpecError } from "./error.ts";
import { integerIn, listIn, mustBe, UINT32, uint64In } from "./reader.ts";
import type { JsonObject, Range } from "./reader.ts";
import type { CgroupSetting } from "./spec.ts";
import { ONLY_IN_CGROUP_V1, refuseV1 } from "./unsupported.ts";

/** Of cgroup v1's blkio.weight, which config.json speaks; 0 means "not set". */
const MAX_WEIGHT = 1000;
const MIN_WEIGHT = 10;
const WEIGHT: Range = { min: 0, max: MAX_WEIGHT };

/** Property of config.json → key of io.max. */
const THROTTLES = [
  { key: "throttleReadBpsDevice", name: "rbps" },
  { key: "throttleWriteBpsDevice", name: "wbps" },
  { key: "throttleReadIOPSDevice", name: "riops" },
  { key: "throttleWriteIOPSDevice", name: "wiops" },
] as const;

/** The settings that `blockIO`, which stands at `at`, asks for. */
export function parseIo(blockIO: JsonObject, at: string, settings: CgroupSetting[]): void {
  refuseV1(blockIO, at, ONLY_IN_CGROUP_V1.blockIO);
  const weight = weightIn(blockIO, at);
  if (weight !== 0) settings.push(weightSetting("", weight, `${at}.weight`));
  settings.push(...listIn(blockIO, "weightDevice", at, parseDeviceWeight));
  for (const { key, name } of THROTTLES) {
    settings.push(...listIn(blockIO, key, at, (device, deviceAt) => parseThrottle(device, deviceAt, name)));
  }
}

function parseDeviceWeight(device: JsonObject, at: string): CgroupSetting {
  refuseV1(device, at, ONLY_IN_CGROUP_V1.weightDevice);
  const weight = weightIn(device, at);
  if (weight === 0) throw new SpecError(`${at}.weight`, "is required");
  return weightSetting(`${deviceIn(device, at)} `, weight, `${at}.weight`);
}

function weightIn(raw: JsonObject, at: string): number {
  const weight = integerIn(raw, "weight", at, WEIGHT) ?? 0;
  if (weight !== 0 && weight < MIN_WEIGHT) {
    throw mustBe(`${at}.weight`, `an integer from ${MIN_WEIGHT} to ${MAX_WEIGHT}`, weight);
  }
  return weight;
}

/**
 * BFQ has a file of its own with the numbers of v1; where that scheduler is not in the kernel io.weight is used,
 * 10…1000 → 1…10000 on a straight line: fs2/io.go, ConvertBlkIOToIOWeightValue.
 */
function weightSetting(device: string, weight: number, at: string): CgroupSetting {
  const ioWeight = 1 + Math.trunc(((weight - MIN_WEIGHT) * 9999) / 990);
  return {
    file: "io.bfq.weight",
    value: `${device}${weight}`,
    controller: "io",
    at,
    whenMissing: { file: "io.weight", value: `${device}${ioWeight}` },
  };
}

function parseThrottle(device: JsonObject, at: string, name: string): CgroupSetting {
  const rate = uint64In(device, "rate", at) ?? 0n;
  // 0 took the limit away in v1; in v2 the kernel refuses it (blk-throttle.c, tg_set_limit) and "max" does that.
  const value = `${deviceIn(device, at)} ${name}=${rate === 0n ? "max" : rate}`;
  return { file: "io.max", value, controller: "io", at };
}

function deviceIn(device: JsonObject, at: string): string {
  const major = integerIn(device, "major", at, UINT32);
  const minor = integerIn(device, "minor", at, UINT32);
  if (major === undefined) throw new SpecError(`${at}.major`, "is required");
  if (minor === undefined) throw new SpecError(`${at}.minor`, "is required");
  return `${major}:${minor}`;
}
