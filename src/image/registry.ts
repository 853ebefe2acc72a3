/** Conversations with one registry about one repository: the distribution specification. */
import type { Context } from "../commands/context.ts";
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { authorize, type Authorization } from "./authorize.ts";
import type { Credentials } from "./auth-file.ts";
import { CONFIG_LIMIT } from "./image-config.ts";
import { isDigest, type Digest } from "./digest.ts";
import { DOCUMENT_TYPES, MANIFEST_LIMIT, type Descriptor } from "./manifest.ts";
import { networkFor, type Network } from "./network.ts";
import type { Endpoint } from "./registries-conf.ts";
import { isLoopback, parseAuthority, type Url } from "./url.ts";
import type { FetchOrder } from "./orders.ts";
import { WorkerFailure, type FetchAnswer as Answer, type Worker } from "./worker.ts";

/** A manifest or an index, as it came. */
export interface Document extends Descriptor {
  readonly text: string;
}

/** How often what cannot be reached is tried. */
const ATTEMPTS = 4;

/** Docker Hub's registry has another name than its images. */
const HOSTS: ReadonlyMap<string, string> = new Map([["docker.io", "registry-1.docker.io"]]);

export interface RegistryOptions {
  readonly credentials: Credentials | undefined;
  readonly certDir: string | undefined;
  /** False: what is at the other end need not prove who it is, and may speak plain HTTP. */
  readonly verify: boolean;
  /** What is to be done there, in the words of the token specification; "pull" where it is not given. */
  readonly actions?: "pull" | "pull,push";
  /** Other repositories that blobs may be taken over from. */
  readonly mountable?: readonly string[];
}

type Ask = Pick<FetchOrder, "method" | "headers" | "body" | "limit" | "digest">;

/** An answer that is of no use but for its number. */
const SMALL = 64 << 10;

export class Registry {
  readonly network: Network;
  readonly repository: string;
  readonly #context: Context;
  readonly #worker: Worker;
  readonly #options: RegistryOptions;
  readonly #place: Pick<Url, "host" | "port">;
  /** As people write it: "localhost:5000/team/app", "docker.io/library/busybox". */
  readonly #name: string;
  /** Whether it may be asked in the open (CVE-2014-5277): where the user has said so, or the wire does not leave this machine. */
  readonly #mayBePlain: boolean;
  #scheme: "https" | "http" | undefined;
  #authorization: Authorization | undefined;

  constructor(context: Context, worker: Worker, endpoint: Endpoint, options: RegistryOptions) {
    const name = HOSTS.get(endpoint.registry) ?? endpoint.registry;
    const place = parseAuthority(name, 0);
    if (place === undefined) throw new Failure(`${quote(name)} cannot be a registry`);
    this.#place = place;
    this.#name = endpoint.path === "" ? endpoint.registry : `${endpoint.registry}/${endpoint.path}`;
    this.#context = context;
    this.#worker = worker;
    this.#options = options;
    const verify = options.verify && !endpoint.insecure;
    this.#mayBePlain = !verify || isLoopback(place.host);
    this.network = networkFor(context, endpoint.registry, { verify, certDir: options.certDir });
    this.repository = endpoint.path;
  }

  get authorization(): Authorization | undefined {
    return this.#authorization;
  }

  /** The address of something of the repository. */
  address(path: string): string {
    return this.#url(`${this.repository}/${path}`);
  }

  #url(path: string): string {
    const { host, port } = this.#place;
    return `${this.#scheme ?? "https"}://${host}${port === 0 ? "" : `:${port}`}/v2/${path}`;
  }

  /** Finds out how the registry is asked, and shows it who asks. Throws a Failure where it lets nobody in, or not us. */
  connect(): void {
    const { status } = this.#answer(this.#url.bind(this, ""), { limit: SMALL });
    // What is at /v2/ is said in any case where it is a registry: distribution-spec, "Determining Support".
    if (status === 401 || status === 403) throw this.#refused("access", status, "");
    if (status !== 200 && status !== 404) throw this.#refused("the first request", status, "");
  }

  /** Puts a manifest or an index there, under a tag or its digest; all that it names must be there. Throws a Failure. */
  putDocument(reference: string, { text, mediaType, digest }: Omit<Document, "size">): void {
    const ask = { method: "PUT", headers: { "content-type": mediaType }, body: text, limit: SMALL };
    const answer = this.#ask(`manifests/${reference}`, ask);
    const { status } = answer;
    if (status < 200 || status > 299) throw this.#refused(`manifest ${reference}`, status, answer.text);
    const said = headerOf(answer, "docker-content-digest");
    if (said !== undefined && said !== digest)
      throw new Failure(`${this.#name} has taken manifest ${digest} for ${quote(said)}`);
  }

  /** Whether a manifest or an index is there. Throws a Failure. */
  hasDocument(digest: string): boolean {
    const found = this.optional(`manifests/${digest}`, { limit: MANIFEST_LIMIT, accept: DOCUMENT_TYPES.join(", ") });
    return found.text !== "";
  }

  /** A text that need not be there, "" where it is not; its type, and the header that says how it goes on. Throws a Failure. */
  optional(
    path: string,
    { limit, accept }: { readonly limit: number; readonly accept: string },
  ): { readonly text: string; readonly type: string; readonly next: string } {
    const answer = this.#ask(path, { limit, headers: { accept } });
    if (answer.status === 404) return { text: "", type: "", next: "" };
    if (answer.status !== 200) throw this.#refused(path, answer.status, answer.text);
    const type = (headerOf(answer, "content-type") ?? "").split(";")[0] ?? "";
    return { text: answer.text, type: type.trim().toLowerCase(), next: headerOf(answer, "link") ?? "" };
  }

  /** The manifest or index of a tag, or of what a descriptor says. Throws a Failure. */
  document(reference: string, descriptor?: Pick<Descriptor, "digest"> & Partial<Descriptor>): Document {
    const answer = this.#read(`manifests/${reference}`, {
      headers: { accept: DOCUMENT_TYPES.join(", ") },
      limit: MANIFEST_LIMIT,
      ...(descriptor === undefined ? {} : { digest: descriptor.digest }),
    });
    const mediaType = typeOf(answer);
    if (descriptor?.mediaType !== undefined && descriptor.mediaType !== mediaType)
      throw new Failure(
        `manifest ${reference} is of type ${quote(mediaType)}: its descriptor says ${descriptor.mediaType}`,
      );
    checkSize(reference, answer, descriptor?.size);
    if (descriptor === undefined) checkHeader(reference, answer);
    return { text: answer.text, mediaType, digest: answer.digest as Digest, size: answer.size };
  }

  /** The text of a small blob. Throws a Failure. */
  blob({ digest, size }: Descriptor): string {
    const answer = this.#read(`blobs/${digest}`, { limit: Math.min(size, CONFIG_LIMIT), digest });
    checkSize(digest, answer, size);
    return answer.text;
  }

  #read(path: string, ask: Ask): Answer {
    const answer = this.#ask(path, ask);
    if (answer.status !== 200) throw this.#refused(path, answer.status, answer.text);
    return answer;
  }

  #ask(path: string, ask: Ask): Answer {
    return this.#answer(() => this.address(path), ask);
  }

  /** Asks, and once more when it is told to say who it is. */
  #answer(url: () => string, ask: Ask): Answer {
    const first = this.#fetch(url, ask);
    if (first.status !== 401) return first;
    this.#authorization = this.#authorize(first);
    return this.#fetch(url, ask);
  }

  #authorize(answer: Answer): Authorization {
    const { credentials, certDir, actions = "pull", mountable = [] } = this.#options;
    const own = this.repository === "" ? [] : [`repository:${this.repository}:${actions}`];
    const others = mountable.map((repository) => `repository:${repository}:pull`);
    const url = { scheme: this.#scheme ?? "https", ...this.#place } as const;
    const asked = { url, name: this.#name, network: this.network, credentials, certDir };
    try {
      return authorize(this.#context, this.#worker, answer, { ...asked, scopes: [...own, ...others] });
    } catch (error) {
      // Some give no token at all where one of the scopes is not for us.
      if (others.length === 0 || !(error instanceof Failure)) throw error;
      return authorize(this.#context, this.#worker, answer, { ...asked, scopes: own });
    }
  }

  #fetch(url: () => string, ask: Ask): Answer {
    if (this.#scheme !== undefined) return this.#fetchOnce(url, ask, ATTEMPTS);
    this.#scheme = "https";
    if (!this.#mayBePlain) return this.#fetchOnce(url, ask, ATTEMPTS);
    try {
      return this.#fetchOnce(url, ask, 1);
    } catch (error) {
      // One whose certificate is not trusted does speak TLS: it is not asked in the open then.
      if (!(error instanceof WorkerFailure) || (error.kind !== "plain" && error.kind !== "network")) throw error;
      this.#scheme = "http";
      return this.#fetchOnce(url, ask, ATTEMPTS);
    }
  }

  #fetchOnce(url: () => string, ask: Ask, attempts: number): Answer {
    const authorization = this.#authorization?.header;
    const order = {
      ...ask,
      url: url(),
      attempts,
      ...(authorization === undefined ? {} : { authorization }),
    };
    try {
      return this.#worker.ask("fetch", { network: this.network, ask: order });
    } catch (error) {
      if (error instanceof WorkerFailure && error.kind === "certificate") throw this.#untrusted(error);
      throw error;
    }
  }

  #untrusted(error: WorkerFailure): Failure {
    const hint =
      this.network.roots.length === 0
        ? "there are no CA certificates here: install ca-certificates, or set SSL_CERT_FILE"
        : "--cert-dir names who vouches for it, --tls-verify=false goes without";
    return new Failure(`${error.message} (${hint})`);
  }

  /** What the registry says is quoted, and never more than a line of it. */
  #refused(path: string, status: number, text: string): Failure {
    const { credentials, actions } = this.#options;
    const isPush = actions === "pull,push";
    const where = this.#name;
    const what = path.startsWith("manifests/") ? path.slice("manifests/".length) : path;
    const { code, message } = errorIn(text);
    if (status === 404 && !isPush) {
      return new Failure(
        code === "NAME_UNKNOWN" ? `there is no repository ${where}` : `there is no ${what} in ${where}`,
      );
    }
    if (status === 401 || status === 403) {
      const who =
        credentials === undefined
          ? "without a name and password (tsrun login, --creds, --authfile): they are needed"
          : "with these credentials: they are not enough";
      const or = isPush || this.repository === "" ? "" : ", or there is no such repository";
      return new Failure(`${where} does not ${isPush ? "take" : "give"} ${what} ${who}${or}`);
    }
    const meaning = MEANINGS.get(status);
    const answer = `${status}${meaning === undefined ? "" : ` (${meaning})`}`;
    return new Failure(`${where} answers ${answer} to the request for ${what}${message}`);
  }
}

/** What a status means where its number says little: RFC 9110, 15, and RFC 6585, 4. */
const MEANINGS: ReadonlyMap<number, string> = new Map([
  [429, "too many requests: who has an account there may make more, with --creds or --authfile"],
  [500, "an error of its own"],
  [502, "what is behind it is down"],
  [503, "it is overloaded or down"],
  [504, "what is behind it is silent"],
]);

/** The type in Content-Type, which says as what the text is to be read: CVE-2021-41190. */
function typeOf(answer: Answer): string {
  const header = headerOf(answer, "content-type") ?? "";
  const type = (header.split(";")[0] ?? "").trim().toLowerCase();
  if (DOCUMENT_TYPES.includes(type)) return type;
  if (type === "text/html")
    throw new Failure(
      'what the registry sends as a manifest is of type "text/html": it is a web site, and no registry',
    );
  const said = type === "" ? "has no Content-Type" : `is of type ${quote(type)}`;
  throw new Failure(
    `what the registry sends as a manifest ${said}: it must be one of an image, and of the second schema`,
  );
}

function checkSize(what: string, { size }: Answer, wanted: number | undefined): void {
  if (wanted !== undefined && size !== wanted)
    throw new Failure(`${what} has ${size} bytes: its descriptor says ${wanted}`);
}

/** A registry that does not know what it sends is not believed. */
function checkHeader(what: string, answer: Answer): void {
  const said = headerOf(answer, "docker-content-digest");
  if (said === undefined) return;
  const same = said === answer.digest || (isDigest(said) && !said.startsWith("sha256:"));
  if (!same) throw new Failure(`the digest of ${what} is ${answer.digest}: the registry says ${quote(said)}`);
}

/** The value of a header; the last one where there are several. */
function headerOf({ headers }: Answer, name: string): string | undefined {
  return headers.findLast(([key]) => key === name)?.[1];
}

/** The first of the distribution specification's errors: its code, and its message, ready to stand behind a sentence. */
function errorIn(text: string): { readonly code: string; readonly message: string } {
  const none = { code: "", message: "" };
  try {
    const { errors } = JSON.parse(text) as { errors?: readonly { code?: unknown; message?: unknown }[] };
    const { code, message } = errors?.[0] ?? none;
    return {
      code: typeof code === "string" ? code : "",
      message: typeof message === "string" && message !== "" ? `: ${quote(message)}` : "",
    };
  } catch {
    return none;
  }
}
