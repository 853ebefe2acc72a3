/** Logging in to a registry, and out of it: credentials are written down, and forgotten, where registries.conf wants them kept. */
import type { Context } from "../commands/context.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { eraseAllFromFile, eraseFromFile, storeInFile, type Login } from "./auth-write.ts";
import { eraseWithHelper, listOfHelper, storeWithHelper } from "./credential-helper.ts";
import { FILES, findCredentials, firstThatCan, keepersIn } from "./credentials.ts";
import { isRepositoryPath, type Reference } from "./reference.ts";
import { homeOf, readRegistriesConf } from "./registries-conf.ts";
import { Registry } from "./registry.ts";
import { cutAtFirst } from "./text.ts";
import { parseAuthority } from "./url.ts";
import { Worker } from "./worker.ts";
import type { Access } from "./access.ts";

/** What credentials are for: a registry, or the repositories of it that begin with a path. */
export type Account = Pick<Reference, "registry" | "path">;

/** The registry that `text` means: docker's callers write addresses. Throws a Failure. */
export function parseAccount(text: string): Account {
  const scheme = ["https://", "http://"].find((known) => text.startsWith(known)) ?? "";
  const [host, rest = ""] = cutAtFirst(text.slice(scheme.length), "/");
  const path = rest.endsWith("/") ? rest.slice(0, -1) : rest;
  const registry = ["index.docker.io", "registry-1.docker.io"].includes(host) ? "docker.io" : host;
  if (host === "" || parseAuthority(host, 0) === undefined) throw new Failure(`${quote(text)} is no registry`);
  // "https://index.docker.io/v1/" is docker's name for its own.
  if (path === "" || ["v1", "v2"].includes(path)) return { registry, path: "" };
  if (!isRepositoryPath(path))
    throw new Failure(`${quote(text)} is neither a registry nor the beginning of a name in one`);
  return { registry, path };
}

/** The key in the file: "example.com", "example.com/team". */
export function keyOfAccount({ registry, path }: Account): string {
  return path === "" ? registry : `${registry}/${path}`;
}

/** What is known of an account already: who it is. */
export function knownLogin(context: Context, account: Account, authFile: string | undefined): Login | undefined {
  const isThere = authFile === undefined || context.sys.statxIfAny(null, authFile, 0) !== undefined;
  const keepers = keepersOf(context);
  // A file that is named and not there yet has nobody in it.
  const helpers = isThere ? keepers : keepers.filter((keeper) => keeper !== FILES);
  const found = helpers.length === 0 ? undefined : findCredentials(context, { helpers }, account, authFile);
  return found !== undefined && "username" in found ? found : undefined;
}

/** Shows the registry the credentials. Throws a Failure where it does not let them in; false where it lets everybody in. */
export function tryLogin(context: Context, account: Account, login: Login, access: Access): boolean {
  using worker = new Worker(context.sys, context.env);
  const { registry } = account;
  const home = homeOf(readRegistriesConf(context, worker), {
    ...account,
    path: account.path || "login",
    tag: undefined,
    digest: undefined,
  });
  const endpoint = { registry, path: "", insecure: home.registry === registry && home.insecure };
  const { certDir, verify } = access;
  const asked = new Registry(context, worker, endpoint, { credentials: login, certDir, verify });
  try {
    asked.connect();
  } catch (error) {
    throw error instanceof Failure ? new Failure(`cannot log in to ${registry}: ${error.message}`) : error;
  }
  return asked.authorization !== undefined;
}

/** Logs in: the registry must know who it is before it is written down. Throws a Failure. */
export function logIn(
  context: Context,
  account: Account,
  login: Login,
  { access, path }: { readonly access: Access; readonly path: string },
): void {
  if (!tryLogin(context, account, login, access))
    context.log.warn(`${account.registry} lets everybody in: whether the password is right was not found out`);
  const key = keyOfAccount(account);
  firstThatCan(context, keepersOf(context), (keeper) => {
    if (keeper === FILES) storeInFile(context, path, key, login);
    else storeWithHelper(context, keeper, { server: serverOf(keeper, account), ...login });
    return true;
  });
}

/** Forgets the credentials for an account, wherever they are kept; whether there were any. Throws a Failure. */
export function logOut(context: Context, account: Account, path: string): boolean {
  const found = everywhere(context, (keeper) => {
    if (keeper === FILES) return eraseFromFile(context, path, keyOfAccount(account));
    // It was never given the part of a registry.
    return account.path === "" && eraseWithHelper(context, keeper, account.registry);
  });
  return found.includes(true);
}

/** Forgets all credentials of the file and of the helpers. Throws a Failure. */
export function logOutOfAll(context: Context, path: string): void {
  everywhere(context, (keeper) => {
    if (keeper === FILES) eraseAllFromFile(context, path);
    else for (const server of listOfHelper(context, keeper)) eraseWithHelper(context, keeper, server);
  });
}

function keepersOf(context: Context): readonly string[] {
  using worker = new Worker(context.sys, context.env);
  return keepersIn(readRegistriesConf(context, worker));
}

/** Helpers know whole registries only: containers/image, SetCredentials. */
function serverOf(keeper: string, account: Account): string {
  if (account.path === "") return account.registry;
  throw new Failure(`docker-credential-${keeper} cannot keep what is for ${keyOfAccount(account)} alone`);
}

/** What each keeper gives; one that fails keeps no other from its turn. Throws a Failure with all that failed. */
function everywhere<T>(context: Context, act: (keeper: string) => T): T[] {
  const failures: string[] = [];
  const given = keepersOf(context).flatMap((keeper) => {
    try {
      return [act(keeper)];
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error.message);
      return [];
    }
  });
  if (failures.length > 0) throw new Failure(failures.join("; "));
  return given;
}
