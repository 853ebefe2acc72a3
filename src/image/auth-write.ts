/** Credentials are written down and forgotten: containers-auth.json(5), and docker's config.json, which has the same form. */
import { variable, type Context } from "../commands/context.ts";
import { asObject, objectIn, stringIn, stringMapIn, type JsonObject } from "../spec/reader.ts";
import { readDocument } from "../spec/document.ts";
import { AT_SYMLINK_NOFOLLOW, LOCK_EX, S_IFLNK, S_IFMT, S_IFREG } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { makeDirectories, makeFile, openDirectory, readFileIfAny } from "../sys/files.ts";
import { basename, dirname, resolve } from "../spec/paths.ts";
import { HUB, keyOf, LIMIT, runtimeFile, serverOf } from "./auth-file.ts";
import { encodeBase64 } from "./base64.ts";
import { eraseWithHelper, storeWithHelper } from "./credential-helper.ts";

/** A name, and what proves it. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** More links in a row are a circle: path_resolution(7). */
const MOST_LINKS = 40;

/** The file that `login` writes: `given`, or what containers-auth.json(5) says. */
export function fileToWrite({ sys, env }: Context, given: string | undefined): string {
  const named = given ?? variable(env, "REGISTRY_AUTH_FILE");
  return named === "" ? runtimeFile(sys, env) : named;
}

/** Keeps credentials for a registry, or for the repositories whose name begins with `key`. Throws a Failure. */
export function storeInFile(context: Context, path: string, key: string, login: Login): void {
  change(context, path, (file) => {
    const helper = helperFor(file, key);
    if (helper !== undefined) {
      storeWithHelper(context, helper, { server: serverOf(key), username: login.username, password: login.password });
      return { ...file, auths: withoutKey(file, key) };
    }
    const auth = encodeBase64(context.sys.bytesOf(`${login.username}:${login.password}`));
    return { ...file, auths: { ...withoutKey(file, key), [keyIn(path, key)]: { auth } } };
  });
}

/** Forgets the credentials for `key`; whether there were any. Throws a Failure. */
export function eraseFromFile(context: Context, path: string, key: string): boolean {
  let found = false;
  change(context, path, (file) => {
    const auths = withoutKey(file, key);
    const helper = helperFor(file, key);
    found = Object.keys(auths).length < Object.keys(authsIn(file)).length;
    if (helper !== undefined) found = eraseWithHelper(context, helper, serverOf(key)) || found;
    return found ? { ...file, auths } : undefined;
  });
  return found;
}

/** Forgets the credentials of all registries that the file has. Throws a Failure. */
export function eraseAllFromFile(context: Context, path: string): void {
  change(context, path, (file) => {
    const helpers = stringMapIn(file, "credHelpers", "");
    for (const [key, helper] of Object.entries(helpers)) eraseWithHelper(context, helper, serverOf(keyOf(key)));
    const store = stringIn(file, "credsStore", "");
    for (const key of Object.keys(authsIn(file))) {
      if (store !== "") eraseWithHelper(context, store, serverOf(keyOf(key)));
    }
    return { ...file, auths: {} };
  });
}

/** Docker Hub's key in docker's own file is an address. */
function keyIn(path: string, key: string): string {
  return key === "docker.io" && basename(path) === "config.json" ? HUB : key;
}

function helperFor(file: JsonObject, key: string): string | undefined {
  const own = Object.entries(stringMapIn(file, "credHelpers", "")).find(([each]) => keyOf(each) === key);
  const store = stringIn(file, "credsStore", "");
  return own?.[1] ?? (store === "" || key.includes("/") ? undefined : store);
}

function authsIn(file: JsonObject): JsonObject {
  return objectIn(file, "auths", "") ?? {};
}

function withoutKey(file: JsonObject, key: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(authsIn(file)).filter(([each]) => keyOf(each) !== key));
}

/** A file would take the place of /dev/null, and reading a pipe would wait for somebody to write. */
function checkRegular({ sys }: Context, path: string): void {
  const found = attempt(`look for ${path}`, () => sys.statxIfAny(null, path, 0));
  if (found !== undefined && (found.mode & S_IFMT) !== S_IFREG)
    throw new Failure(`cannot write ${path}: it is there already, and no regular file`);
}

/** What `edit` makes of the file takes its place, all at once and for its owner alone; undefined leaves it as it is. */
function change(context: Context, named: string, edit: (file: JsonObject) => object | undefined): void {
  const { sys } = context;
  const path = followed(context, named);
  const folderPath = dirname(path);
  attempt(`make ${folderPath}`, () => makeDirectories(sys, folderPath, 0o700));
  using folder = attempt(`open ${folderPath}`, () => openDirectory(sys, null, folderPath));
  attempt(`lock ${folderPath}`, () => sys.flock(folder, LOCK_EX));
  checkRegular(context, path);
  const text = attempt(`read ${path}`, () => readFileIfAny(sys, null, path, LIMIT)) ?? "";
  const edited = edit(parse(path, text));
  if (edited === undefined) return;
  // A name that nobody could have taken before, so that nobody else has it open.
  const temporary = `.${basename(path)}.${sys.randomHex(8)}`;
  attempt(`write ${path}`, () => {
    try {
      makeFile(sys, folder, temporary, `${JSON.stringify(edited, undefined, "\t")}\n`, 0o600);
      sys.renameat2(folder, temporary, folder, basename(path), 0);
    } catch (error) {
      sys.unlinkIfAny(folder, temporary, 0);
      throw error;
    }
    sys.fsync(folder);
  });
}

function parse(path: string, text: string): JsonObject {
  if (text.trim() === "") return {};
  try {
    // What is not known here is kept too.
    return readDocument(text, (file) => {
      for (const [key, entry] of Object.entries(authsIn(file))) asObject(entry, `auths.${key}`);
      return file;
    });
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "SpecError") throw error;
    throw new Failure(`${path}: ${error.message}`);
  }
}

/** Where a link leads that stands in the file's place: what it leads to is replaced, and not the link. */
function followed({ sys }: Context, path: string): string {
  let at = path;
  for (let links = 0; links < MOST_LINKS; links++) {
    const mode = sys.statxIfAny(null, at, AT_SYMLINK_NOFOLLOW)?.mode ?? 0;
    if ((mode & S_IFMT) !== S_IFLNK) return at;
    at = resolve(dirname(at), sys.readlinkat(null, at));
  }
  throw new Failure(`cannot write ${path}: it leads through more than ${MOST_LINKS} links`);
}
