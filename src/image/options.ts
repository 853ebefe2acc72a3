/** What the flags of `create` and `run` beside `--image` ask for, in docker's words. Pure. */
import { quote } from "../spec/reader.ts";
import { cleanPath, isAbsolute } from "../spec/paths.ts";
import { Failure } from "../sys/failure.ts";
import { option, isSet, type Parsed } from "../commands/context.ts";
import { tweakCapabilities } from "./profile.ts";
import { parseCpus, parsePids, parseSize } from "./quantities.ts";
import { everyCharacter } from "./text.ts";

/** A mount of config.json. */
export interface RawMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface Options {
  readonly terminal: boolean;
  readonly interactive: boolean;
  /** NAME=VALUE sets; NAME takes it from the caller. */
  readonly env: readonly string[];
  readonly user: string | undefined;
  readonly cwd: string | undefined;
  readonly hostname: string | undefined;
  /** Undefined: the image's. "" is none. */
  readonly entrypoint: string | undefined;
  readonly command: readonly string[];
  readonly mounts: readonly RawMount[];
  readonly readonlyRoot: boolean;
  readonly hostNetwork: boolean;
  readonly capabilities: readonly string[];
  readonly security: Security;
  readonly memory: number | undefined;
  /** Microseconds of each tenth of a second. */
  readonly cpuQuota: number | undefined;
  readonly pids: number | undefined;
}

interface Security {
  readonly noNewPrivileges: boolean;
  /** "default", "unconfined", or the path of a profile. */
  readonly seccomp: string;
}

/** Throws a Failure that names the flag. */
export function parseOptions(parsed: Parsed): Options {
  return {
    terminal: isSet(parsed, "tty"),
    interactive: isSet(parsed, "interactive"),
    env: all(parsed, "env"),
    user: option(parsed, "user"),
    cwd: parseCwd(option(parsed, "workdir")),
    hostname: parseHostname(option(parsed, "hostname")),
    entrypoint: option(parsed, "entrypoint"),
    command: parsed.rest,
    mounts: [...all(parsed, "volume").map(parseVolume), ...all(parsed, "tmpfs").map(parseTmpfs)],
    readonlyRoot: isSet(parsed, "read-only"),
    hostNetwork: parseNetwork(option(parsed, "network")),
    capabilities: tweakCapabilities(all(parsed, "cap-add"), all(parsed, "cap-drop")),
    security: parseSecurity(all(parsed, "security-opt")),
    memory: parseSize(option(parsed, "memory"), "memory"),
    cpuQuota: parseCpus(option(parsed, "cpus")),
    pids: parsePids(option(parsed, "pids-limit")),
  };
}

function all(parsed: Parsed, name: string): readonly string[] {
  return parsed.flags.get(name) ?? [];
}

function parseCwd(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (!isAbsolute(text)) throw new Failure(`--workdir must be an absolute path: current value is ${quote(text)}`);
  return cleanPath(text);
}

/** It is written to files as well. */
function parseHostname(text: string | undefined): string | undefined {
  const isWord = everyCharacter(text ?? "x", (character) => character > " " && character !== "\u007f");
  if (text === "" || !isWord) throw new Failure(`--hostname must be a word: current value is ${quote(text ?? "")}`);
  return text;
}

function parseNetwork(text: string | undefined): boolean {
  if (text === undefined || text === "none") return false;
  if (text === "host") return true;
  throw new Failure(
    `--network must be none or host: current value is ${quote(text)} (networks between containers are not supported yet)`,
  );
}

/** Words of --volume, and the mount options they stand for. "z" and "Z" are for SELinux, which is not here. */
const VOLUME_OPTIONS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ["ro", ["ro", "rro"]],
  ...["rw", "z", "Z", "nocopy"].map((word) => [word, []] as const),
  ...["private", "rprivate", "shared", "rshared", "slave", "rslave"].map((word) => [word, [word]] as const),
]);

function parseVolume(text: string): RawMount {
  const [source = "", destination, words, ...more] = text.split(":");
  if (destination === undefined || more.length > 0)
    throw volumeError(text, "it must be SOURCE:DESTINATION or SOURCE:DESTINATION:ro");
  if (!isAbsolute(source)) {
    throw volumeError(
      text,
      `the source must be an absolute path: ${quote(source)} (named volumes are not supported yet)`,
    );
  }
  if (!isAbsolute(destination))
    throw volumeError(text, `the destination must be an absolute path: ${quote(destination)}`);
  const options = (words ?? "rw").split(",").flatMap((word) => {
    const known = VOLUME_OPTIONS.get(word);
    if (known === undefined) throw volumeError(text, `unknown option ${quote(word)}`);
    return known;
  });
  return {
    destination: inContainer(destination, "volume"),
    type: "bind",
    source: cleanPath(source),
    options: ["rbind", "rprivate", ...options],
  };
}

function volumeError(text: string, why: string): Failure {
  return new Failure(`--volume ${quote(text)}: ${why}`);
}

/** --tmpfs PATH[:OPTIONS], with docker's defaults before the options. */
function parseTmpfs(text: string): RawMount {
  const colon = text.indexOf(":");
  const path = colon < 0 ? text : text.slice(0, colon);
  if (!isAbsolute(path)) throw new Failure(`--tmpfs must have an absolute path: current value is ${quote(text)}`);
  const options =
    colon < 0
      ? []
      : text
          .slice(colon + 1)
          .split(",")
          .filter((word) => word !== "");
  return {
    destination: inContainer(path, "tmpfs"),
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", "noexec", ...options],
  };
}

function inContainer(path: string, flag: string): string {
  const clean = cleanPath(path);
  if (clean === "/") throw new Failure(`--${flag}: the destination must not be "/": that is where the image is`);
  return clean;
}

/** --security-opt, as docker has it: no-new-privileges[=true|false] and seccomp=FILE|unconfined|builtin; ":" is as good as "=". */
function parseSecurity(words: readonly string[]): Security {
  let noNewPrivileges = false;
  let seccomp = "default";
  for (const word of words) {
    const at = separatorIn(word);
    const name = at < 0 ? word : word.slice(0, at);
    const value = at < 0 ? undefined : word.slice(at + 1);
    if (name === "no-new-privileges" && (value === undefined || value === "true" || value === "false")) {
      noNewPrivileges = value !== "false";
    } else if (name === "seccomp" && value !== undefined && value !== "") {
      seccomp = value === "builtin" ? "default" : value;
    } else {
      throw new Failure(
        `--security-opt must be seccomp=FILE, seccomp=unconfined or no-new-privileges: current value is ${quote(word)}`,
      );
    }
  }
  return { noNewPrivileges, seccomp };
}

/** The first "=" or ":". */
function separatorIn(word: string): number {
  const [equals, colon] = [word.indexOf("="), word.indexOf(":")];
  return equals < 0 || colon < 0 ? Math.max(equals, colon) : Math.min(equals, colon);
}
