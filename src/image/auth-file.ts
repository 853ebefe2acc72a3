/**
 * Credentials for registries: docker's config.json and podman's auth.json (containers-auth.json(5)), which have the same form,
 * and the helpers that these name (docker/docker-credential-helpers).
 */
import { variable, type Context } from "../commands/context.ts";
import { readDocument } from "../spec/document.ts";
import { SpecError } from "../spec/error.ts";
import { entryOf, objectIn, quote, stringIn, stringMapIn, type JsonObject } from "../spec/reader.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { readFileIfAny } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { decodeBase64 } from "./base64.ts";
import { askHelper } from "./credential-helper.ts";
import type { Reference } from "./reference.ts";
import { cutAtFirst } from "./text.ts";

/** A name and a password, or a token that stands for both (OAuth 2's refresh token). */
export type Credentials = { readonly username: string; readonly password: string } | { readonly identityToken: string };

/** What one file says. */
interface AuthFile {
  /** By registry, or by the beginning of a repository's name. */
  readonly auths: ReadonlyMap<string, Credentials>;
  /** The helper for a registry. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper for all others, "" where there is none. */
  readonly store: string;
}

export const LIMIT = 4 << 20;

/** Docker Hub's name in docker's file. */
export const HUB = "https://index.docker.io/v1/";

/** The credentials for a repository; undefined where the files have none. Throws a Failure. */
export function findInFiles(
  context: Context,
  reference: Pick<Reference, "registry" | "path">,
  given: string | undefined,
): Credentials | undefined {
  for (const path of filesOf(context, given)) {
    const text = attempt(`read ${path}`, () => readFileIfAny(context.sys, null, path, LIMIT));
    if (text === undefined && path === given) throw new Failure(`cannot read ${path}: there is no such file`);
    if (text === undefined || text.trim() === "") continue;
    const found = lookUp(context, within(path, text), reference);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** "USER:PASSWORD", as --creds has it. */
export function parseCredentials(text: string): Credentials {
  const [username, password] = cutAtFirst(text, ":");
  if (username === "" || password === undefined) throw new Failure("--creds must be USER:PASSWORD");
  return { username, password };
}

/** The files that are looked into, in this order. */
function filesOf({ sys, env }: Context, given: string | undefined): string[] {
  const named = given ?? variable(env, "REGISTRY_AUTH_FILE");
  if (named !== "") return [named];
  const home = variable(env, "HOME");
  const configHome = variable(env, "XDG_CONFIG_HOME");
  const docker = variable(env, "DOCKER_CONFIG");
  const config = configHome === "" && home !== "" ? `${home}/.config` : configHome;
  const dockers = docker === "" && home !== "" ? `${home}/.docker` : docker;
  return [
    runtimeFile(sys, env),
    ...(config === "" ? [] : [`${config}/containers/auth.json`]),
    ...(dockers === "" ? [] : [`${dockers}/config.json`]),
  ];
}

/** Podman's file, which goes with a reboot. */
export function runtimeFile(sys: Sys, env: readonly string[]): string {
  const run = variable(env, "XDG_RUNTIME_DIR");
  return run === "" ? `/run/containers/${sys.geteuid()}/auth.json` : `${run}/containers/auth.json`;
}

function within(path: string, text: string): AuthFile {
  try {
    return parseAuthFile(text);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "SpecError") throw error;
    throw new Failure(`${path}: ${error.message}`);
  }
}

/** Throws a SpecError. No message quotes what may be a secret. */
export function parseAuthFile(text: string): AuthFile {
  return readDocument(text, (file) => {
    const auths = new Map<string, Credentials>();
    const entries = objectIn(file, "auths", "") ?? {};
    for (const key of Object.keys(entries)) {
      const entry = objectIn(entries, key, "auths");
      const credentials = entry === undefined ? undefined : parseEntry(entry, entryOf("auths", key));
      if (credentials !== undefined) auths.set(keyOf(key), credentials);
    }
    const helpers = new Map(
      Object.entries(stringMapIn(file, "credHelpers", "")).map(([key, name]) => [keyOf(key), name]),
    );
    return { auths, helpers, store: stringIn(file, "credsStore", "") };
  });
}

function parseEntry(entry: JsonObject, at: string): Credentials | undefined {
  const identityToken = stringIn(entry, "identitytoken", at);
  if (identityToken !== "") return { identityToken };
  const encoded = stringIn(entry, "auth", at);
  if (encoded === "") {
    const [username, password] = [stringIn(entry, "username", at), stringIn(entry, "password", at)];
    return username === "" ? undefined : { username, password };
  }
  const [username, password] = cutAtFirst(decodeBase64(encoded) ?? "", ":");
  if (password === undefined) throw new SpecError(`${at}.auth`, "must be the base64 of USER:PASSWORD");
  // Docker has padded with NUL in its time.
  let end = password.length;
  while (end > 0 && password.charCodeAt(end - 1) === 0) end--;
  return { username, password: password.slice(0, end) };
}

/** Docker's keys are often whole addresses: "https://index.docker.io/v1/", "https://example.com". */
export function keyOf(key: string): string {
  if (key === HUB) return "docker.io";
  const bare = key.startsWith("https://") ? key.slice(8) : key.startsWith("http://") ? key.slice(7) : key;
  const [host = "", version = "", ...more] = bare.split("/");
  const name = ["index.docker.io", "registry-1.docker.io"].includes(host) ? "docker.io" : host;
  // "https://example.com/v1/" is docker's word for the registry.
  if (["v1", "v2", ""].includes(version) && more.join("") === "") return name;
  return [name, version, ...more].filter((part) => part !== "").join("/");
}

/** The longest name that the repository begins with wins: containers-auth.json(5). A registry's own helper goes first. */
function lookUp(
  context: Context,
  { auths, helpers, store }: AuthFile,
  { registry, path }: Pick<Reference, "registry" | "path">,
): Credentials | undefined {
  const helper = helpers.get(registry);
  if (helper !== undefined) return askHelper(context, helper, serverOf(registry));
  const parts = [registry, ...path.split("/").filter((part) => part !== "")];
  for (let length = parts.length; length > 0; length--) {
    const found = auths.get(parts.slice(0, length).join("/"));
    if (found !== undefined) return found;
  }
  return store === "" ? undefined : askHelper(context, store, serverOf(registry));
}

/** What helpers know a registry as. */
export function serverOf(registry: string): string {
  return registry === "docker.io" ? HUB : registry;
}

/** For messages: who it is, without what makes it so. */
export function nameOfCredentials(credentials: Credentials): string {
  return "username" in credentials ? quote(credentials.username) : "an identity token";
}
