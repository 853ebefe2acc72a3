/**
 * containers-registries.conf(5), version 2: which places a repository comes from, what must not be asked, and who keeps credentials.
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
  /** Undefined where the file does not say. */
  readonly searched: readonly string[] | undefined;
  /** Where credentials are kept, in the order of asking; undefined where the file does not say. */
  readonly helpers: readonly string[] | undefined;
}

interface Registry extends Location {
  /** A host, with or without a port, and a path; "*.example.com" stands for all hosts below. */
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

/** The variable that names another one. */
const NAMED = "CONTAINERS_REGISTRIES_CONF";

/** Reads the files that there are. Throws a Failure with the file's name. */
export function readRegistriesConf({ sys, env }: Context, worker: Worker): RegistriesConf {
  const parts = filesOf(sys, env).flatMap((path) => {
    const text = attempt(`read ${path}`, () => readFileIfAny(sys, null, path, LIMIT));
    if (text === undefined && path === variable(env, NAMED))
      throw new Failure(`cannot read ${path}, which ${NAMED} names: there is no such file`);
    return text === undefined ? [] : [within(path, () => parseRegistriesConf(worker.ask("toml", { text }).value))];
  });
  return combine(parts);
}

/**
 * The main file and what is dropped in beside it, in Go's order (containers/image, sysregistriesv2, newConfigWrapper): a user's
 * own file takes the place of all of the system's.
 */
function filesOf(sys: Sys, env: readonly string[]): string[] {
  const named = variable(env, NAMED);
  const home = variable(env, "HOME");
  const own = home === "" ? undefined : `${home}/.config/containers/registries.conf`;
  const dropped = own === undefined ? [] : droppedIn(sys, `${own}.d`);
  if (named === "" && own !== undefined && isThere(sys, own)) return [own, ...dropped];
  return [named === "" ? SYSTEM : named, ...droppedIn(sys, `${SYSTEM}.d`), ...dropped];
}

function isThere(sys: Sys, path: string): boolean {
  return attempt(`look for ${path}`, () => sys.statxIfAny(null, path, 0) !== undefined);
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
    searched: listIfAny(raw, "unqualified-search-registries"),
    helpers: listIfAny(raw, "credential-helpers"),
  };
}

function listIfAny(raw: JsonObject, key: string): readonly string[] | undefined {
  return raw[key] === undefined ? undefined : stringsIn(raw, key, "");
}

function parseRegistry(raw: JsonObject, at: string): Registry {
  const location = parseLocation(raw, at);
  const prefix = placeIn(raw, "prefix", at) || location.location;
  if (prefix === "") throw new SpecError(at, "must have a location or a prefix");
  if (location.location === "" && !prefix.startsWith("*."))
    throw new SpecError(`${at}.location`, "is required unless the prefix begins with *.");
  if (raw["pull-from-mirror"] !== undefined)
    throw new SpecError(`${at}.pull-from-mirror`, "belongs to a mirror, in [[registry.mirror]]");
  const digestOnly = booleanIn(raw, "mirror-by-digest-only", at);
  const mirrors = listIn(raw, "mirror", at, (mirror, mirrorAt) => parseMirror(mirror, mirrorAt, digestOnly));
  return { ...location, prefix, blocked: booleanIn(raw, "blocked", at), mirrors };
}

function parseMirror(raw: JsonObject, at: string, digestOnly: boolean): Registry["mirrors"][number] {
  const location = parseLocation(raw, at);
  if (location.location === "") throw new SpecError(`${at}.location`, "is required");
  const use = stringIn(raw, "pull-from-mirror", at);
  if (use !== "" && digestOnly)
    throw new SpecError(`${at}.pull-from-mirror`, "excludes the registry's mirror-by-digest-only");
  return { ...location, use: parseUse(use || (digestOnly ? "digest-only" : "all"), at) };
}

function parseLocation(raw: JsonObject, at: string): Location {
  return { location: placeIn(raw, "location", at), insecure: booleanIn(raw, "insecure", at) };
}

/** Slashes at its end say nothing; that it is an address of the web is a mistake (sysregistriesv2, parseLocation). */
function placeIn(raw: JsonObject, key: string, at: string): string {
  const text = stringIn(raw, key, at);
  if (text.includes("://")) throw mustBe(`${at}.${key}`, "a name such as example.com/team, without https://", text);
  let end = text.length;
  while (text.charAt(end - 1) === "/") end--;
  return text.slice(0, end);
}

function parseUse(text: string, at: string): Use {
  const use = USES.find((known) => known === text);
  if (use === undefined) throw mustBe(`${at}.pull-from-mirror`, USES.join(" or "), text);
  return use;
}

/**
 * A later table for the same prefix takes the place of an earlier one, and so do lists of registries to search and of credential
 * helpers, also empty ones; an alias for "" takes one away.
 */
export function combine(parts: readonly RegistriesConf[]): RegistriesConf {
  const registries = new Map(parts.flatMap((part) => part.registries.map((each) => [each.prefix, each] as const)));
  const aliases = new Map(parts.flatMap((part) => [...part.aliases]));
  return {
    registries: [...registries.values()],
    aliases: new Map([...aliases].filter(([, target]) => target !== "")),
    searched: parts.map(({ searched }) => searched).findLast((list) => list !== undefined),
    helpers: parts.map(({ helpers }) => helpers).findLast((list) => list !== undefined),
  };
}

/** The places to ask for a repository, mirrors first. Throws a Failure where it is blocked. */
export function endpointsOf(conf: RegistriesConf, reference: Reference): Endpoint[] {
  const best = bestFor(conf, reference);
  if (best === undefined) return [{ registry: reference.registry, path: reference.path, insecure: false }];
  if (best.blocked) throw new Failure(`${best.prefix} is blocked in registries.conf`);
  const kind: Use = reference.digest === undefined ? "tag-only" : "digest-only";
  const mirrors = best.mirrors.filter(({ use }) => use === "all" || use === kind);
  const places = [...mirrors, best].map((place) => endpointAt(conf, reference, { ...place, prefix: best.prefix }));
  const open = places.filter(({ blocked }) => !blocked);
  const [first] = places;
  if (open.length === 0) throw new Failure(`${first?.registry ?? ""} is blocked in registries.conf`);
  return open.map(({ registry, path, insecure }) => ({ registry, path, insecure }));
}

/** The one place that a repository is pushed to: no mirror. Throws a Failure where it is blocked. */
export function homeOf(conf: RegistriesConf, reference: Reference): Endpoint {
  const best = bestFor(conf, reference);
  if (best === undefined) return { registry: reference.registry, path: reference.path, insecure: false };
  const { registry, path, insecure, blocked } = endpointAt(conf, reference, best);
  if (best.blocked || blocked)
    throw new Failure(`${best.blocked ? best.prefix : registry} is blocked in registries.conf`);
  return { registry, path, insecure };
}

/** What is said of the place itself counts too: Go's client looks the mirror up again (docker_client.go). */
function endpointAt(
  conf: RegistriesConf,
  reference: Reference,
  { prefix, location, insecure }: Location & { readonly prefix: string },
): Endpoint & { readonly blocked: boolean } {
  const name = `${reference.registry}/${reference.path}`;
  const place = location === "" ? name : `${location}${name.slice(matched(prefix, name))}`;
  const [registry, path = ""] = cutAtFirst(place, "/");
  if (path === "") throw new Failure(`registries.conf leads from ${name} to ${place}, which is no repository`);
  const own = bestFor(conf, { ...reference, registry, path });
  return { registry, path, insecure: insecure || own?.insecure === true, blocked: own?.blocked === true };
}

/** The table with the longest prefix. */
function bestFor({ registries }: RegistriesConf, reference: Reference): Registry | undefined {
  const { registry, path, tag, digest } = reference;
  const name = `${registry}/${path}`;
  const whole = [`${name}:${tag ?? ""}`, `${name}@${digest ?? ""}`];
  const fitting = registries.filter(({ prefix }) => matched(prefix, name) > 0 || whole.includes(prefix));
  const [best] = fitting.toSorted((one, other) => other.prefix.length - one.prefix.length);
  return best;
}

/** How much of a repository's name the prefix is, part by part; -1 where it is not its beginning. */
function matched(prefix: string, name: string): number {
  const end = prefix.startsWith("*.") ? endOfDomain(prefix.slice(1), name) : prefix.length;
  const fits = end > 0 && (prefix.startsWith("*.") || name.startsWith(prefix));
  return fits && (end >= name.length || "/:@".includes(name.charAt(end))) ? Math.min(end, name.length) : -1;
}

/** Where ".example.com" ends in "a.b.example.com:5000/x"; -1 where the host is not below it. */
function endOfDomain(domain: string, name: string): number {
  const start = name.indexOf(domain);
  return start <= 0 || name.slice(0, start).includes("/") ? -1 : start + domain.length;
}

/** What a short name means to podman here where that is another image than ours; undefined where it is the same. */
export function otherMeaning({ aliases, searched }: RegistriesConf, text: string, ours: Reference): string | undefined {
  const [short] = cutAtFirst(cutAtFirst(text, "@")[0], ":");
  if (short === `${ours.registry}/${ours.path}` || short.startsWith(`${ours.registry}/`)) return undefined;
  const alias = aliases.get(short);
  if (alias !== undefined) return alias === `${ours.registry}/${ours.path}` ? undefined : alias;
  if (searched === undefined || searched.length === 0 || searched.includes(ours.registry)) return undefined;
  return `${searched[0] ?? ""}/${short}`;
}
