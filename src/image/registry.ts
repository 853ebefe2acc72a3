/** Conversations with one registry about one repository: the distribution specification's pull part. */
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
import { WorkerFailure, type FetchAnswer as Answer, type FetchOrder, type Worker } from "./worker.ts";

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
}

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
    this.#name = `${endpoint.registry}/${endpoint.path}`;
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
    const { host, port } = this.#place;
    return `${this.#scheme ?? "https"}://${host}${port === 0 ? "" : `:${port}`}/v2/${this.repository}/${path}`;
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

  #read(path: string, ask: Pick<FetchOrder, "headers" | "limit" | "digest">): Answer {
    const answer = this.#ask(path, ask);
    if (answer.status !== 200) throw this.#refused(path, answer);
    return answer;
  }

  /** Asks, and once more when it is told to say who it is. */
  #ask(path: string, ask: Pick<FetchOrder, "headers" | "limit" | "digest">): Answer {
    const first = this.#fetch(path, ask);
    if (first.status !== 401) return first;
    this.#authorization = authorize(this.#context, this.#worker, first, {
      url: { scheme: this.#scheme ?? "https", ...this.#place },
      network: this.network,
      repository: this.repository,
      name: this.#name,
      credentials: this.#options.credentials,
      certDir: this.#options.certDir,
    });
    return this.#fetch(path, ask);
  }

  #fetch(path: string, ask: Pick<FetchOrder, "headers" | "limit" | "digest">): Answer {
    if (this.#scheme !== undefined) return this.#fetchOnce(path, ask, ATTEMPTS);
    this.#scheme = "https";
    if (!this.#mayBePlain) return this.#fetchOnce(path, ask, ATTEMPTS);
    try {
      return this.#fetchOnce(path, ask, 1);
    } catch (error) {
      // One whose certificate is not trusted does speak TLS: it is not asked in the open then.
      if (!(error instanceof WorkerFailure) || (error.kind !== "plain" && error.kind !== "network")) throw error;
      this.#scheme = "http";
      return this.#fetchOnce(path, ask, ATTEMPTS);
    }
  }

  #fetchOnce(path: string, ask: Pick<FetchOrder, "headers" | "limit" | "digest">, attempts: number): Answer {
    const authorization = this.#authorization?.header;
    const order = {
      ...ask,
      url: this.address(path),
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
  #refused(path: string, { status, text }: Answer): Failure {
    const where = this.#name;
    const what = path.startsWith("manifests/") ? path.slice("manifests/".length) : path;
    const { code, message } = errorIn(text);
    if (status === 404 && code === "NAME_UNKNOWN") return new Failure(`there is no repository ${where}`);
    if (status === 404) return new Failure(`there is no ${what} in ${where}`);
    if (status === 401 || status === 403) {
      const who =
        this.#options.credentials === undefined
          ? "without a name and password (--creds, --authfile): they are needed, or there is no such repository"
          : "with these credentials: they are not enough, or there is no such repository";
      return new Failure(`${where} does not give ${what} ${who}`);
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
