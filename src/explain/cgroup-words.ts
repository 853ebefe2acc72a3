/** Limits of cgroup v2 and rules for devices, in words: Documentation/admin-guide/cgroup-v2.rst. */
import { compileDeviceFilter, DEFAULT_DEVICE_RULES } from "../mechanisms/device-filter-compile.ts";
import type { CgroupSetting, DeviceRule } from "../spec/spec.ts";
import { countOf } from "../spec/text.ts";
import { bytesOf, timeOf, wholeNumber } from "./words.ts";

function memoryOf(text: string, what: string): string {
  const bytes = wholeNumber(text);
  return bytes === undefined ? `${what}: no limit` : `${what}: ${bytesOf(bytes)}`;
}

/** What a file's value means; files that are not here speak for themselves. */
const FILES: Readonly<Record<string, (value: string) => string>> = {
  "memory.max": (value) =>
    memoryOf(value, "memory at most") +
    (value === "max" ? "" : "; where more is needed the kernel kills a process (exit code 137)"),
  "memory.high": (value) =>
    memoryOf(value, "memory from which on processes are slowed down and made to give some back"),
  "memory.low": (value) => memoryOf(value, "memory that is taken from others first"),
  "memory.min": (value) => memoryOf(value, "memory that is never taken away"),
  "memory.swap.max": (value) => memoryOf(value, "swap at most, beside the memory"),
  "pids.max": (value) =>
    value === "max"
      ? "no limit to the number of processes"
      : `at most ${value} processes and threads; fork fails with EAGAIN then`,
  "cpu.max": describeQuota,
  "cpu.max.burst": (value) => `of the time that it leaves unused it may save up ${timeOf(Number(value))} for a burst`,
  "cpu.weight": (value) => `its share where processors are wanted by several: ${value}, where 100 is usual`,
  "cpu.idle": (value) => (value === "1" ? "it runs only when nobody else wants to" : "it is scheduled as usual"),
  "cpuset.cpus": (value) => `only on the processors ${value}`,
  "cpuset.mems": (value) => `only memory of the nodes ${value}`,
  "io.weight": (value) => `its share where a disk is wanted by several: ${value}, where 100 is usual`,
  "io.bfq.weight": (value) =>
    `its share where a disk is wanted by several, under the BFQ scheduler: ${value}, where 100 is usual`,
  "io.max": describeRates,
};

/** The lines of a `writeCgroup` step. */
export function describeSetting({ file, value, at, whenMissing }: CgroupSetting): string[] {
  const meaning = FILES[file]?.(value);
  const lines = [...(meaning === undefined ? [] : [meaning]), `asked for by ${at}`];
  if (whenMissing === "skip")
    lines.push("where the kernel has no such file it is left out: it would say what is true anyway");
  else if (whenMissing !== undefined)
    lines.push(`where the kernel has no such file ${whenMissing.value} is written to ${whenMissing.file}`);
  return lines;
}

function describeQuota(value: string): string {
  const [quota = "max", period = "100000"] = value.split(" ");
  if (quota === "max") return `no limit to its time on the processors (counted every ${timeOf(Number(period))})`;
  const share = Math.round((Number(quota) / Number(period)) * 1000) / 1000;
  return `${share} processors at most: ${timeOf(Number(quota))} in every ${timeOf(Number(period))}; then it waits`;
}

const RATES: Readonly<Record<string, string>> = { rbps: "read", wbps: "written", riops: "reads", wiops: "writes" };

/** "8:0 rbps=1048576": a disk, and what it may do in a second. */
function describeRates(value: string): string {
  const [disk = "", ...limits] = value.split(" ");
  const words = limits.map((limit) => {
    const [key = "", text = ""] = limit.split("=");
    const count = wholeNumber(text);
    if (count === undefined) return limit;
    return key.endsWith("bps") ? `${bytesOf(count)} ${RATES[key] ?? key}` : `${count} ${RATES[key] ?? key}`;
  });
  return `of the disk ${disk} at most ${words.join(" and ")} in a second`;
}

/** Numbers of Documentation/admin-guide/devices.txt that a config.json is likely to name. */
const DEVICES: Readonly<Record<string, string>> = {
  "c 1:3": "/dev/null",
  "c 1:5": "/dev/zero",
  "c 1:7": "/dev/full",
  "c 1:8": "/dev/random",
  "c 1:9": "/dev/urandom",
  "c 5:0": "/dev/tty",
  "c 5:1": "/dev/console",
  "c 5:2": "/dev/ptmx",
  "c 136:*": "the terminals /dev/pts/*",
  "c 10:200": "/dev/net/tun",
  "c 10:229": "/dev/fuse",
  "c 4:*": "the machine's consoles",
  "b 7:*": "loop devices",
  "b 8:*": "SCSI and SATA disks",
};

/** The lines of a `filterDevices` step. */
export function describeDeviceRules(rules: readonly DeviceRule[]): string[] {
  const size = compileDeviceFilter(rules).length / 8;
  return [
    ...(rules.length === 0 ? ["config.json has no rules: whatever none allows is denied"] : rules.map(describeRule)),
    ...DEFAULT_DEVICE_RULES.map((rule) => `${describeRule(rule)}, as for every container`),
    `of the rules that speak of a device the last one decides; together they are ${countOf(size, "instruction")} of eBPF`,
  ];
}

function describeRule({ allow, type, major, minor, read, write, mknod }: DeviceRule): string {
  const uses = [...(read ? ["read"] : []), ...(write ? ["write"] : []), ...(mknod ? ["make"] : [])];
  const use = uses.length === 3 ? "read, write and make" : uses.join(" and ");
  return `${allow ? "allow" : "deny"} to ${use} ${describeDevices(type, major, minor)}`;
}

function describeDevices(type: DeviceRule["type"], major: number | undefined, minor: number | undefined): string {
  const kind = { a: "device", b: "block device", c: "character device" }[type];
  if (major === undefined && minor === undefined) return `every ${kind}`;
  const number = `${major ?? "*"}:${minor ?? "*"}`;
  const name = DEVICES[`${type} ${number}`];
  return name === undefined ? `the ${kind} ${number}` : `the ${kind} ${number}, ${name}`;
}
