/** What is shown to a registry that answers 401: a name and password, or a token that its token service gives for them. */
import type { Context } from "../commands/context.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { nameOfCredentials, type Credentials } from "./auth-file.ts";
import { encodeBase64 } from "./base64.ts";
import { mayBeAsked, mayHaveCredentials, parseChallenges, type Challenge } from "./challenge.ts";
import { networkFor, type Network } from "./network.ts";
import { encodeQuery, parseUrl, type Url } from "./url.ts";
import type { FetchOrder, Renewal } from "./orders.ts";
import type { FetchAnswer as Answer, Worker } from "./worker.ts";

/** The value of a header, and what gets a new one when it has expired. */
export interface Authorization {
  readonly header: string;
  readonly renewal?: Renewal;
}

interface Asked {
  /** The registry that wants it; its path is of no interest. */
  readonly url: Omit<Url, "path">;
  readonly network: Network;
  /** What the token is to be for, as in "repository:library/busybox:pull"; none to see who asks. */
  readonly scopes: readonly string[];
  /** The registry's and the repository's, for people. */
  readonly name: string;
  readonly credentials: Credentials | undefined;
  readonly certDir: string | undefined;
}

const TOKEN_LIMIT = 1 << 20;
const ATTEMPTS = 4;

/** Throws a Failure where there is nothing to show, or nobody to be trusted with it. */
export function authorize(context: Context, worker: Worker, { headers }: Answer, asked: Asked): Authorization {
  const challenges = headers
    .filter(([name]) => name === "www-authenticate")
    .flatMap(([, text]) => parseChallenges(text));
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  if (bearer !== undefined) return askForToken(context, worker, bearer, asked);
  if (challenges.some(({ scheme }) => scheme === "basic")) return { header: basic(context, asked) };
  throw new Failure(
    `${asked.name} wants to know who asks, and not by a password or token: ${quote(challenges.map(({ scheme }) => scheme).join(", "))}`,
  );
}

function basic({ sys }: Context, { name, credentials }: Asked): string {
  if (credentials === undefined || !("username" in credentials)) {
    throw new Failure(`${name} wants a name and a password (tsrun login, --creds USER:PASSWORD, --authfile FILE)`);
  }
  return `Basic ${encodeBase64(sys.bytesOf(`${credentials.username}:${credentials.password}`))}`;
}

function askForToken(context: Context, worker: Worker, { parameters }: Challenge, asked: Asked): Authorization {
  const realm = parseRealm(parameters.get("realm") ?? "", asked);
  const ask = tokenRequest(context, realm, parameters.get("service") ?? "", asked);
  const isSame = realm.host === asked.url.host;
  // Nobody has said of another host that it need not prove who it is (CVE-2019-10214).
  const network = isSame
    ? asked.network
    : networkFor(context, authorityOf(realm), { verify: true, certDir: asked.certDir });
  const { status, text } = worker.ask("fetch", { network, ask });
  if (status === 401 || status === 403 || status === 400) {
    const who = asked.credentials === undefined ? "without credentials" : `to ${nameOfCredentials(asked.credentials)}`;
    throw new Failure(`${realm.host} gives no token for ${asked.name} ${who}: it answers ${status}`);
  }
  if (status !== 200) throw new Failure(`${realm.host} answers ${status} to the request for a token`);
  const header = `Bearer ${tokenIn(text, realm)}`;
  return { header, renewal: { network, ask } };
}

function authorityOf({ host, port, scheme }: Url): string {
  return port === (scheme === "https" ? 443 : 80) ? host : `${host}:${port}`;
}

function parseRealm(text: string, { url, name, credentials }: Asked): Url {
  const realm = parseUrl(text);
  if (realm === undefined) throw new Failure(`${name} sends to the token service ${quote(text)}, which is no address`);
  if (!mayBeAsked(realm, url))
    throw new Failure(`${name} sends to the token service ${quote(text)}, which is not https`);
  if (credentials !== undefined && !mayHaveCredentials(realm, url)) {
    throw new Failure(
      `${name} wants the credentials for it sent to ${realm.host}, which is not known to belong to it: refused`,
    );
  }
  return realm;
}

/** The distribution project's token specification; with an identity token its OAuth 2 form. */
function tokenRequest({ sys }: Context, realm: Url, service: string, { scopes, credentials }: Asked): FetchOrder {
  const url = `${realm.scheme}://${authorityOf(realm)}${realm.path}`;
  const query = [
    ...(service === "" ? [] : [`service=${encodeQuery(service)}`]),
    ...scopes.map((scope) => `scope=${encodeQuery(scope)}`),
  ];
  const common = { limit: TOKEN_LIMIT, attempts: ATTEMPTS };
  if (credentials !== undefined && "identityToken" in credentials) {
    const fields = [
      "grant_type=refresh_token",
      "client_id=tsrun",
      `refresh_token=${encodeQuery(credentials.identityToken)}`,
    ];
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { ...common, method: "POST", url, headers, body: [...fields, ...query].join("&") };
  }
  const separator = realm.path.includes("?") ? "&" : "?";
  const asked = { ...common, url: query.length === 0 ? url : `${url}${separator}${query.join("&")}` };
  if (credentials === undefined) return asked;
  const { username, password } = credentials;
  return { ...asked, authorization: `Basic ${encodeBase64(sys.bytesOf(`${username}:${password}`))}` };
}

function tokenIn(text: string, { host }: Url): string {
  try {
    const { token, access_token: other } = JSON.parse(text) as { token?: unknown; access_token?: unknown };
    const found = token ?? other;
    if (typeof found === "string" && found !== "") return found;
  } catch {
    // Falls through: the answer may hold a secret, and is not quoted.
  }
  throw new Failure(`${host} answers with something that is no token`);
}
