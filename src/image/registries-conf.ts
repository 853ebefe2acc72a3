/**
 * containers-registries.conf(5), version 2, for pulls: which places a repository comes from, and what must not be asked.
 * Short names always mean Docker Hub here, whatever the file says: a name must not mean another image on another machine.
 */
import { variable, type Context } from "../commands/context.ts";
import { SpecError } from "../spec/error.ts";
import { booleanIn, listIn, mustBe, stringIn, stringMapIn, stringsIn, type JsonObject } from "../spec/reader.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { openDirectory, readFileIfAny } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import type { Reference } from "./reference.ts";
import { cutAtFirst } from "./text.ts";
import type { Worker } from "./worker.ts";

export interface RegistriesConf {
  readonly registries: readonly Registry[];
  /** By short name. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly searched: readonly string[];
}

interface Registry extends Location {
  readonly prefix: string;
  readonly blocked: boolean;
  readonly mirrors: readonly (Location & { readonly use: Use })[];
}

interface Location {
  /** "" for the prefix itself. */
  readonly location: string;
  readonly insecure: boolean;
}

/** Which references a mirror is asked for. */
type Use = "all" | "digest-only" | "tag-only";

const USES: readonly Use[] = ["all", "digest-only", "tag-only"];

/** A place that a repository can be pulled from. */
export interface Endpoint {
  /** "registry.example.com:5000". */
  readonly registry: string;
  readonly path: string;
  readonly insecure: boolean;
}

const LIMIT = 1 << 20;
const SYSTEM = "/etc/containers/registries.conf";

/** Reads the files that there are. Throws a Failure with the file's name. */
export function readRegistriesConf({ sys, env }: Context, worker: Worker): RegistriesConf {
  const parts = filesOf(sys, env).flatMap((path) => {
    const text = attempt(`read ${path}`, () => readFileIfAny(sys, null, path, LIMIT));
    return text === undefined ? [] : [within(path, () => parseRegistriesConf(worker.ask("toml", { text }).value))];
  });
  return combine(parts);
}

/** The main file, the user's before the system's, and then what is dropped in beside it. */
function filesOf(sys: Sys, env: readonly string[]): string[] {
  const named = variable(env, "CONTAINERS_REGISTRIES_CONF");
  if (named !== "") return [named];
  const home = variable(env, "HOME");
  const own = home === "" ? undefined : `${home}/.config/containers/registries.conf`;
  const main = own !== undefined && sys.statxIfAny(null, own, 0) !== undefined ? own : SYSTEM;
  return [main, ...droppedIn(sys, `${SYSTEM}.d`), ...(own === undefined ? [] : droppedIn(sys, `${own}.d`))];
}

function droppedIn(sys: Sys, folder: string): string[] {
  try {
    using opened = openDirectory(sys, null, folder);
    const names = sys.readDirectory(opened).filter((name) => name.endsWith(".conf"));
    return names.toSorted().map((name) => `${folder}/${name}`);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "EACCES")) return [];
    throw error;
  }
}

function within<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof Error) || error.name === "SysError") throw error;
    throw new Failure(`cannot read ${path}: ${error.message}`);
  }
}

/** What one file says; `raw` is its TOML. Throws a SpecError. */
export function parseRegistriesConf(raw: JsonObject): RegistriesConf {
  if (raw["registries"] !== undefined)
    throw new SpecError(
      "registries",
      "is of version 1 of this file, which is not supported: write [[registry]] tables",
    );
  return {
    registries: listIn(raw, "registry", "", parseRegistry),
    aliases: new Map(Object.entries(stringMapIn(raw, "aliases", ""))),
    searched: stringsIn(raw, "unqualified-search-registries", ""),
  };
}

function parseRegistry(raw: JsonObject, at: string): Registry {
  const location = parseLocation(raw, at);
  const prefix = stringIn(raw, "prefix", at) || location.location;
  if (prefix === "") throw new SpecError(at, "must have a location or a prefix");
  if (prefix.startsWith("*.") && location.location === "" && !booleanIn(raw, "blocked", at) && !location.insecure)
    throw new SpecError(`${at}.location`, "is required with a prefix that begins with *.");
  const digestOnly = booleanIn(raw, "mirror-by-digest-only", at);
  return {
    ...location,
    prefix,
    blocked: booleanIn(raw, "blocked", at),
    mirrors: listIn(raw, "mirror", at, (mirror, mirrorAt) => ({
      ...parseLocation(mirror, mirrorAt),
      use: parseUse(stringIn(mirror, "pull-from-mirror", mirrorAt) || (digestOnly ? "digest-only" : "all"), mirrorAt),
    })),
  };
}

function parseLocation(raw: JsonObject, at: string): Location {
  return { location: stringIn(raw, "location", at), insecure: booleanIn(raw, "insecure", at) };
}

function parseUse(text: string, at: string): Use {
  const use = USES.find((known) => known === text);
  if (use === undefined) throw mustBe(`${at}.pull-from-mirror`, USES.join(" or "), text);
  return use;
}

/** A later table for the same prefix takes the place of an earlier one. */
function combine(parts: readonly RegistriesConf[]): RegistriesConf {
  const registries = new Map(parts.flatMap((part) => part.registries.map((each) => [each.prefix, each] as const)));
  const searched = parts.map((part) => part.searched).findLast((list) => list.length > 0) ?? [];
  return {
    registries: [...registries.values()],
    aliases: new Map(parts.flatMap(({ aliases }) => [...aliases])),
    searched,
  };
}

/** The places to ask for a repository, mirrors first. Throws a Failure where it is blocked. */
export function endpointsOf({ registries }: RegistriesConf, reference: Reference): Endpoint[] {
  const name = `${reference.registry}/${reference.path}`;
  const fitting = registries.filter(({ prefix }) => isPrefix(prefix, reference));
  const [best] = fitting.toSorted((one, other) => other.prefix.length - one.prefix.length);
  if (best === undefined) return [{ registry: reference.registry, path: reference.path, insecure: false }];
  if (best.blocked) throw new Failure(`${best.prefix} is blocked in registries.conf`);
  const kind: Use = reference.digest === undefined ? "tag-only" : "digest-only";
  const mirrors = best.mirrors.filter(({ use }) => use === "all" || use === kind);
  return [...mirrors, best].map(({ location, insecure }) => {
    const place = rewritten(name, best.prefix, location);
    const [registry, path = ""] = cutAtFirst(place, "/");
    if (path === "") throw new Failure(`registries.conf leads from ${name} to ${place}, which is no repository`);
    return { registry, path, insecure };
  });
}

/** The one place that a repository is pushed to: no mirror. Throws a Failure where it is blocked. */
export function homeOf(conf: RegistriesConf, reference: Reference): Endpoint {
  return endpointsOf(conf, reference).at(-1) as Endpoint; // The mirrors stand before it.
}

/** Whether the names begin alike, part by part; "*.example.com" stands for the hosts below. */
function isPrefix(prefix: string, { registry, path, tag, digest }: Reference): boolean {
  if (prefix.startsWith("*.")) return registry.endsWith(prefix.slice(1));
  const name = `${registry}/${path}`;
  if (!name.startsWith(prefix)) {
    const whole = [`${name}:${tag ?? ""}`, `${name}@${digest ?? ""}`];
    return whole.includes(prefix);
  }
  return name.length === prefix.length || "/:@".includes(name.charAt(prefix.length));
}

function rewritten(name: string, prefix: string, location: string): string {
  if (location === "") return name;
  if (prefix.startsWith("*.")) return `${location}/${name.slice(name.indexOf("/") + 1)}`;
  return `${location}${name.slice(prefix.length)}`;
}

/** What a short name means to podman here where that is another image than ours; undefined where it is the same. */
export function otherMeaning({ aliases, searched }: RegistriesConf, text: string, ours: Reference): string | undefined {
  const [short] = cutAtFirst(cutAtFirst(text, "@")[0], ":");
  if (short === `${ours.registry}/${ours.path}` || short.startsWith(`${ours.registry}/`)) return undefined;
  const alias = aliases.get(short);
  if (alias !== undefined) return alias === `${ours.registry}/${ours.path}` ? undefined : alias;
  if (searched.length === 0 || searched.includes(ours.registry)) return undefined;
  return `${searched[0] ?? ""}/${short}`;
}
