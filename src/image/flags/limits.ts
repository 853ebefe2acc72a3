/** What limits a container: docker's flags → `linux.resources` and `process.rlimits` of config.json. Pure. */
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { option, type Parsed } from "../../commands/context.ts";
import { CPU_PERIOD, parseCount, parseCpus, parsePids, parseSize } from "./quantities.ts";
import { cutAtFirst, isDigits } from "../text.ts";

export interface Limits {
  /** Bytes. */
  readonly memory: number | undefined;
  /** Memory and swap together; -1 for no limit. */
  readonly memorySwap: number | undefined;
  readonly memoryReservation: number | undefined;
  readonly cpu: {
    /** Microseconds of each period. */
    readonly quota: number | undefined;
    readonly period: number | undefined;
    readonly shares: number | undefined;
    /** Lists such as 0-3,5. */
    readonly cpus: string | undefined;
    readonly mems: string | undefined;
  };
  readonly ioWeight: number | undefined;
  readonly pids: number | undefined;
  readonly rlimits: readonly Rlimit[];
}

interface Rlimit {
  readonly type: string;
  readonly soft: bigint;
  readonly hard: bigint;
}

/** Throws a Failure that names the flag. */
export function parseLimits(parsed: Parsed): Limits {
  const memory = parseSize(option(parsed, "memory"), "memory");
  return {
    memory,
    memorySwap: parseSwap(option(parsed, "memory-swap"), memory),
    memoryReservation: parseReservation(option(parsed, "memory-reservation"), memory),
    cpu: {
      ...parseTime(parsed),
      shares: parseCount(option(parsed, "cpu-shares"), "cpu-shares", { least: 2, most: 262_144 }),
      cpus: parseList(option(parsed, "cpuset-cpus"), "cpuset-cpus"),
      mems: parseList(option(parsed, "cpuset-mems"), "cpuset-mems"),
    },
    ioWeight: parseCount(option(parsed, "blkio-weight"), "blkio-weight", { least: 10, most: 1000 }),
    pids: parsePids(option(parsed, "pids-limit")),
    rlimits: parseRlimits(parsed.flags.get("ulimit") ?? []),
  };
}

/** --cpus is a quota of docker's period; the two others say both by themselves. */
function parseTime(parsed: Parsed): { quota: number | undefined; period: number | undefined } {
  const quota = parseCpus(option(parsed, "cpus"));
  const own = {
    quota: parseCount(option(parsed, "cpu-quota"), "cpu-quota", { least: 1000, most: 1_000_000_000 }),
    period: parseCount(option(parsed, "cpu-period"), "cpu-period", { least: 1000, most: 1_000_000 }),
  };
  if (quota === undefined) return own;
  if (own.quota !== undefined || own.period !== undefined)
    throw new Failure("--cpus and --cpu-quota or --cpu-period exclude each other: it stands for both");
  return { quota, period: CPU_PERIOD };
}

/** docker's rules: it is the limit of both together, so it needs the one of memory and is not below it. */
function parseSwap(text: string | undefined, memory: number | undefined): number | undefined {
  if (text === undefined || text === "0") return undefined;
  if (memory === undefined) throw new Failure("--memory-swap needs --memory: it is the limit of both together");
  if (text === "-1") return -1;
  const swap = parseSize(text, "memory-swap") ?? 0;
  if (swap < memory) throw new Failure(`--memory-swap must not be less than --memory: current value is ${quote(text)}`);
  return swap;
}

function parseReservation(text: string | undefined, memory: number | undefined): number | undefined {
  const reservation = parseSize(text, "memory-reservation");
  if (reservation !== undefined && memory !== undefined && reservation > memory)
    throw new Failure(`--memory-reservation must not be more than --memory: current value is ${quote(text ?? "")}`);
  return reservation;
}

/** cpuset(7), "List format". */
function parseList(text: string | undefined, flag: string): string | undefined {
  if (text === undefined || text === "") return undefined;
  if (text.split(",").every(isRange)) return text;
  throw new Failure(`--${flag} must be a list such as 0-3,5: current value is ${quote(text)}`);
}

function isRange(part: string): boolean {
  const [first = "", last = first, ...more] = part.split("-");
  const isNumbers = [first, last].every((number) => isDigits(number) && number.length < 10);
  return more.length === 0 && isNumbers && Number(first) <= Number(last);
}

/** getrlimit(2), in the words of docker; RLIMIT_CORE is in bytes, as all that are sizes. */
const RLIMITS =
  "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" ");

const UNLIMITED = 2n ** 64n - 1n;

/** TYPE=SOFT[:HARD]; the last of a type counts, as in docker. */
function parseRlimits(texts: readonly string[]): Rlimit[] {
  const found = new Map<string, Rlimit>();
  for (const text of texts) {
    const [name, value = ""] = cutAtFirst(text, "=");
    const [soft, hard] = cutAtFirst(value, ":");
    if (!RLIMITS.includes(name))
      throw ulimitError(text, `unknown limit ${quote(name)}: known are ${RLIMITS.join(", ")}`);
    const limit = {
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: rlimitOf(soft, text),
      hard: rlimitOf(hard ?? soft, text),
    };
    if (limit.soft > limit.hard) throw ulimitError(text, "the soft limit must not be above the hard one");
    found.set(name, limit);
  }
  return [...found.values()];
}

function rlimitOf(value: string, text: string): bigint {
  if (value === "-1" || value === "unlimited") return UNLIMITED;
  if (!isDigits(value) || value.length > 20 || BigInt(value) > UNLIMITED)
    throw ulimitError(text, "it must be TYPE=SOFT[:HARD], with -1 for no limit");
  return BigInt(value);
}

function ulimitError(text: string, why: string): Failure {
  return new Failure(`--ulimit ${quote(text)}: ${why}`);
}

/** `linux.resources`, but for the devices. `hasSwap`: whether the kernel can limit swap. */
export function resourcesOf(limits: Limits, hasSwap: boolean): object {
  const { memory, cpu, ioWeight, pids } = limits;
  // As docker: as much swap again as memory.
  const swap = limits.memorySwap ?? (memory === undefined || !hasSwap ? undefined : memory * 2);
  const quantities = {
    memory: present({ limit: memory, swap, reservation: limits.memoryReservation }),
    cpu: present(cpu),
    blockIO: present({ weight: ioWeight }),
    pids: present({ limit: pids }),
  };
  return Object.fromEntries(Object.entries(quantities).filter(([, part]) => Object.keys(part).length > 0));
}

function present(fields: Readonly<Record<string, number | string | undefined>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
