/** How registries are reached from here: who vouches for them, what we show them, and what stands between. */
import { variable, type Context } from "../commands/context.ts";
import { S_IFMT, S_IFREG } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { isErrno } from "../sys/errno.ts";
import { openDirectory } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";

/** As the worker is told. */
export interface Network {
  readonly verify: boolean;
  /** Files in PEM. */
  readonly roots: readonly string[];
  /** What we may show to prove who we are, in this order. */
  readonly identities: readonly Identity[];
  readonly proxies: { readonly http?: string; readonly https?: string; readonly no: readonly string[] };
  /** Seconds: a name, a connection, the head of an answer, and any piece of its body each take no longer. */
  readonly patience: number;
}

/** Files in PEM. */
interface Identity {
  readonly certificate: string;
  readonly key: string;
}

const PATIENCE = 30;

/** Where distributions keep them: the list of Go's crypto/x509 (root_linux.go). */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** The way to `registry` ("host" or "host:port"); `certDir` takes the place of the directories for it. */
export function networkFor(
  { sys, env }: Context,
  registry: string,
  { verify, certDir }: { verify: boolean; certDir: string | undefined },
): Network {
  if (certDir !== undefined)
    attempt(`read the certificates in ${certDir}`, () => openDirectory(sys, null, certDir)[Symbol.dispose]());
  const folder =
    certDir ?? certificateFolders(env, registry).find((path) => sys.statxIfAny(null, path, 0) !== undefined);
  const names = folder === undefined ? [] : namesIn(sys, folder);
  return {
    verify,
    roots: [
      ...systemRoots(sys, env),
      ...names.filter((name) => name.endsWith(".crt")).map((name) => `${folder ?? ""}/${name}`),
    ],
    identities: identitiesIn(folder ?? "", names),
    proxies: proxiesIn(env),
    patience: PATIENCE,
  };
}

/** Certificates of ours, with their keys beside them. Throws a Failure where one is alone (containers-certs.d(5)). */
function identitiesIn(folder: string, names: readonly string[]): Identity[] {
  const stems = (ending: string): string[] =>
    names.filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length));
  const [certificates, keys] = [stems(".cert"), stems(".key")];
  const alone = certificates.find((stem) => !keys.includes(stem));
  if (alone !== undefined)
    throw new Failure(
      `missing key ${alone}.key for the client certificate ${folder}/${alone}.cert (who may vouch for servers has files *.crt)`,
    );
  const spare = keys.find((stem) => !certificates.includes(stem));
  if (spare !== undefined)
    throw new Failure(`missing client certificate ${spare}.cert for the key ${folder}/${spare}.key`);
  return certificates.map((stem) => ({ certificate: `${folder}/${stem}.cert`, key: `${folder}/${stem}.key` }));
}

/** containers-certs.d(5), and docker's own directory. The first one that is there is taken. */
function certificateFolders(env: readonly string[], registry: string): string[] {
  const home = variable(env, "HOME");
  const own = home === "" ? [] : [`${home}/.config/containers/certs.d`];
  return [...own, "/etc/containers/certs.d", "/etc/docker/certs.d"].map((folder) => `${folder}/${registry}`);
}

function systemRoots(sys: Sys, env: readonly string[]): string[] {
  const [file, folders] = [variable(env, "SSL_CERT_FILE"), variable(env, "SSL_CERT_DIR")];
  const inFolders = folders
    .split(":")
    .filter((folder) => folder !== "")
    .flatMap((folder) => certificatesIn(sys, folder));
  if (file !== "") return [file, ...inFolders];
  const bundle = BUNDLES.find((path) => sys.statxIfAny(null, path, 0) !== undefined);
  return [...(bundle === undefined ? [] : [bundle]), ...inFolders];
}

/** Beside them lie links to the same under the names of their hashes, and other programs' stores. */
function certificatesIn(sys: Sys, folder: string): string[] {
  const names = namesIn(sys, folder).filter((name) => name.endsWith(".pem") || name.endsWith(".crt"));
  return names
    .map((name) => `${folder}/${name}`)
    .filter((path) => !BUNDLES.includes(path) && ((sys.statxIfAny(null, path, 0)?.mode ?? 0) & S_IFMT) === S_IFREG);
}

function namesIn(sys: Sys, folder: string): string[] {
  try {
    using opened = openDirectory(sys, null, folder);
    return sys.readDirectory(opened).toSorted();
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

function proxiesIn(env: readonly string[]): Network["proxies"] {
  const either = (name: string): string => variable(env, name) || variable(env, name.toLowerCase());
  const [http, https] = [either("HTTP_PROXY"), either("HTTPS_PROXY")];
  const no = either("NO_PROXY")
    .split(",")
    .map((entry) => entry.trim());
  return {
    ...(http === "" ? {} : { http }),
    ...(https === "" ? {} : { https }),
    no: no.filter((entry) => entry !== ""),
  };
}
