/** What the flags of `create` and `run` beside `--image` ask for, in docker's words. Pure. */
import { signalNumber } from "../../mechanisms/signals.ts";
import { quote } from "../../spec/reader.ts";
import { cleanPath, isAbsolute } from "../../spec/paths.ts";
import { Failure } from "../../sys/failure.ts";
import { option, isSet, type Parsed } from "../../commands/context.ts";
import { parseDevices, parseRule, type DeviceWishes, type RawRule } from "./devices.ts";
import { parseHosts } from "./hosts.ts";
import { parseLimits, type Limits } from "./limits.ts";
import { parseMounts } from "./volume.ts";
import { parseNamespaces, type RawNamespace } from "./namespaces.ts";
import { parsePairs } from "./pairs.ts";
import { parseResolver, type Resolver } from "./resolver.ts";
import { hasAll, tweakCapabilities } from "../profile.ts";
import { parseSize } from "./quantities.ts";
import { parseSecurity, type Security } from "./security.ts";
import { everyCharacter } from "../text.ts";
import { parseUserns, type AutoWish } from "./userns.ts";
import type { Wish } from "./wish.ts";

export interface Options {
  readonly terminal: boolean;
  readonly interactive: boolean;
  /** NAME=VALUE sets; NAME takes it from the caller. */
  readonly env: readonly string[];
  readonly envFiles: readonly string[];
  /** They become annotations, as the image's do. */
  readonly labels: Readonly<Record<string, string>>;
  readonly labelFiles: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  /** Names or numbers of further groups. */
  readonly groups: readonly string[];
  readonly umask: number | undefined;
  readonly cwd: string | undefined;
  readonly hostname: string | undefined;
  readonly domainname: string | undefined;
  /** Lines of /etc/hosts. */
  readonly hosts: readonly string[];
  readonly resolver: Resolver;
  /** Undefined: the image's. "" is none. */
  readonly entrypoint: string | undefined;
  readonly command: readonly string[];
  /** Whether the first process is one that reaps others, and the command its child. */
  readonly init: boolean;
  readonly stopSignal: string | undefined;
  readonly mounts: readonly Wish[];
  readonly readonlyRoot: boolean;
  /** Whether /run, /tmp and /var/tmp can be written all the same. */
  readonly scratch: boolean;
  readonly shmSize: number | undefined;
  /** Whether there is no /dev/shm: --ipc none. */
  readonly withoutShm: boolean;
  readonly namespaces: readonly RawNamespace[];
  /** Undefined: it has no user namespace of its own. */
  readonly userns: AutoWish | undefined;
  readonly capabilities: readonly string[];
  /** Whether all are asked for, and not each by its name. */
  readonly allCapabilities: boolean;
  readonly security: Security;
  readonly devices: DeviceWishes;
  readonly deviceRules: readonly RawRule[];
  readonly sysctl: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly oomScoreAdj: number | undefined;
  /** Below which cgroup it is. */
  readonly cgroupParent: string | undefined;
}

/** Throws a Failure that names the flag. */
export function parseOptions(parsed: Parsed): Options {
  const privileged = isSet(parsed, "privileged");
  const added = privileged ? ["ALL"] : all(parsed, "cap-add");
  return {
    ...processOptions(parsed),
    labels: parsePairs(all(parsed, "label"), "label"),
    labelFiles: all(parsed, "label-file"),
    annotations: parsePairs(all(parsed, "annotation"), "annotation"),
    hostname: parseWord(parsed, "hostname"),
    domainname: parseWord(parsed, "domainname"),
    hosts: parseHosts(all(parsed, "add-host")),
    resolver: parseResolver(parsed),
    mounts: parseMounts(parsed.flags),
    readonlyRoot: isSet(parsed, "read-only"),
    scratch: isSet(parsed, "read-only-tmpfs"),
    shmSize: parseSize(option(parsed, "shm-size"), "shm-size"),
    withoutShm: option(parsed, "ipc") === "none",
    namespaces: parseNamespaces(parsed),
    userns: parseUserns(option(parsed, "userns")),
    capabilities: tweakCapabilities(added, all(parsed, "cap-drop")),
    allCapabilities: hasAll(added),
    security: parseSecurity(all(parsed, "security-opt"), privileged),
    devices: parseDevices(all(parsed, "device"), all(parsed, "cdi-spec-dir")),
    deviceRules: all(parsed, "device-cgroup-rule").map(parseRule),
    sysctl: parsePairs(all(parsed, "sysctl").map(checkSysctl), "sysctl"),
    limits: parseLimits(parsed),
    oomScoreAdj: parseScore(option(parsed, "oom-score-adj")),
    cgroupParent: option(parsed, "cgroup-parent"),
  };
}

type ProcessOptions =
  | ("terminal" | "interactive" | "env" | "envFiles" | "user" | "groups" | "umask" | "cwd")
  | ("entrypoint" | "command" | "init" | "stopSignal");

function processOptions(parsed: Parsed): Pick<Options, ProcessOptions> {
  return {
    terminal: isSet(parsed, "tty"),
    interactive: isSet(parsed, "interactive"),
    env: all(parsed, "env").map(checkVariable),
    envFiles: all(parsed, "env-file"),
    user: option(parsed, "user"),
    groups: all(parsed, "group-add"),
    umask: parseUmask(option(parsed, "umask")),
    cwd: parseCwd(option(parsed, "workdir")),
    entrypoint: option(parsed, "entrypoint"),
    command: parsed.rest,
    init: isSet(parsed, "init"),
    stopSignal: parseSignal(option(parsed, "stop-signal")),
  };
}

function all(parsed: Parsed, name: string): readonly string[] {
  return parsed.flags.get(name) ?? [];
}

function checkVariable(entry: string): string {
  if (entry !== "" && !entry.startsWith("=")) return entry;
  throw new Failure(`--env must be NAME=VALUE or NAME: current value is ${quote(entry)}`);
}

function checkSysctl(entry: string): string {
  if (entry.includes("=")) return entry;
  throw new Failure(`--sysctl must be NAME=VALUE: current value is ${quote(entry)}`);
}

function parseCwd(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (!isAbsolute(text)) throw new Failure(`--workdir must be an absolute path: current value is ${quote(text)}`);
  return cleanPath(text);
}

/** A name that is written to files as well. */
function parseWord(parsed: Parsed, flag: string): string | undefined {
  const text = option(parsed, flag);
  const isWord = everyCharacter(text ?? "x", (character) => character > " " && character !== "\u007f");
  if (text === "" || !isWord) throw new Failure(`--${flag} must be a word: current value is ${quote(text ?? "")}`);
  return text;
}

/** Octal, as umask(1) takes it. */
function parseUmask(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const isOctal = text !== "" && text.length <= 4 && everyCharacter(text, (digit) => digit >= "0" && digit <= "7");
  const mask = Number.parseInt(text, 8);
  if (isOctal && mask <= 0o777) return mask;
  throw new Failure(`--umask must be an octal number up to 777: current value is ${quote(text)}`);
}

/** As it is given, once it is known to be a signal. */
function parseSignal(text: string | undefined): string | undefined {
  if (text !== undefined) signalNumber(text);
  return text;
}

/** proc_pid_oom_score_adj(5). */
function parseScore(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const digits = text.startsWith("-") ? text.slice(1) : text;
  const isNumber =
    digits !== "" && digits.length <= 4 && everyCharacter(digits, (digit) => digit >= "0" && digit <= "9");
  const score = Number(text);
  if (isNumber && score >= -1000 && score <= 1000) return score;
  throw new Failure(`--oom-score-adj must be a number from -1000 to 1000: current value is ${quote(text)}`);
}
