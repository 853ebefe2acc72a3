/** Logging in to a registry, and out of it. */
import type { Context } from "../commands/context.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { findCredentials } from "./auth-file.ts";
import { storeCredentials, type Login } from "./auth-write.ts";
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
  const found = findCredentials(context, account, authFile);
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
  storeCredentials(context, path, keyOfAccount(account), login);
}
