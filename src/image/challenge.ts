/**
 * What a registry answers to whom it does not know: `WWW-Authenticate` (RFC 9110, 11.6.1; the distribution project's token
 * specification), and which token services may be told a password.
 */
import { isLoopback, type Url } from "./url.ts";

export interface Challenge {
  /** In lower case: "bearer", "basic". */
  readonly scheme: string;
  /** Their names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** The challenges in a header's value. */
export function parseChallenges(text: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const reader = new Reader(text);
  for (;;) {
    reader.skip(" \t,");
    const word = reader.token();
    if (word === "") return challenges;
    reader.skip(" \t");
    const parameters = challenges.at(-1)?.parameters;
    if (!reader.take("=")) challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
    else {
      reader.skip(" \t");
      const value = reader.value();
      // The first one counts: a second realm is not looked at.
      if (parameters?.has(word.toLowerCase()) === false) parameters.set(word.toLowerCase(), value);
    }
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  skip(characters: string): void {
    while (this.#at < this.#text.length && characters.includes(this.#text.charAt(this.#at))) this.#at++;
  }

  take(character: string): boolean {
    if (this.#text.charAt(this.#at) !== character) return false;
    this.#at++;
    return true;
  }

  token(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !' \t,="'.includes(this.#text.charAt(this.#at))) this.#at++;
    // What is neither a word nor passed over would hold the reader up.
    if (this.#at === start && this.#at < this.#text.length) this.#at = this.#text.length;
    return this.#text.slice(start, this.#at);
  }

  value(): string {
    if (!this.take('"')) return this.token();
    let value = "";
    while (this.#at < this.#text.length && !this.take('"')) {
      if (this.take("\\") && this.#at === this.#text.length) break;
      value += this.#text.charAt(this.#at++);
    }
    return value;
  }
}

/** Registries whose token service has another name, and belongs to the same people. */
const PAIRS: ReadonlyMap<string, string> = new Map([
  ["registry-1.docker.io", "auth.docker.io"],
  ["docker.io", "auth.docker.io"],
  ["registry.redhat.io", "sso.redhat.com"],
]);

/** Second labels under which countries sell names, so that two names with the same end need not be of the same owner. */
const SOLD = ["ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"];

/** Where everybody may have a name. */
const SHARED = [
  "amazonaws.com",
  "azurecr.io",
  "azurewebsites.net",
  "cloudapp.net",
  "cloudfront.net",
  "duckdns.org",
  "fly.dev",
  "github.io",
  "gitlab.io",
  "herokuapp.com",
  "jfrog.io",
  "netlify.app",
  "ngrok.io",
  "on.aws",
  "onrender.com",
  "pages.dev",
  "pkg.dev",
  "run.app",
  "vercel.app",
  "windows.net",
  "workers.dev",
];

/**
 * Whether the token service `realm` may be asked with the credentials for `registry`: in secret, and if it belongs to the
 * registry (CVE-2026-48978, CVE-2026-33540). In the open only where the registry itself is asked so.
 */
export function mayHaveCredentials(realm: Url, registry: Pick<Url, "scheme" | "host">): boolean {
  if (!mayBeAsked(realm, registry)) return false;
  if (realm.host === registry.host || PAIRS.get(registry.host) === realm.host) return true;
  const owner = ownedDomain(registry.host);
  return owner !== undefined && (realm.host === owner || realm.host.endsWith(`.${owner}`));
}

/** Whether it may be asked at all, without credentials. */
export function mayBeAsked(realm: Url, registry: Pick<Url, "scheme" | "host">): boolean {
  if (realm.scheme === "https") return true;
  return registry.scheme === "http" && (realm.host === registry.host || isLoopback(realm.host));
}

/** The domain that one owner has: "example.com" of "registry.example.com". Undefined where that cannot be told. */
function ownedDomain(host: string): string | undefined {
  const labels = host.split(".");
  const [second = "", first = ""] = labels.slice(-2);
  if (labels.length < 2 || isNumber(first)) return undefined;
  const sold = first.length === 2 && SOLD.includes(second);
  const domain = labels.slice(sold ? -3 : -2).join(".");
  const isShared = SHARED.some((shared) => domain === shared || shared.endsWith(`.${domain}`));
  return isShared || (sold && labels.length < 3) ? undefined : domain;
}

/** The last label of an IPv4 address, which no domain has. */
function isNumber(label: string): boolean {
  return label !== "" && label.charAt(0) >= "0" && label.charAt(0) <= "9";
}
