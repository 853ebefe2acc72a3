/** A registry of the tests' own: it tells the truth, but for what a test makes it lie about. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { addImage, ARCHITECTURE, configOf, sha256, type Blobs, type Layer } from "../../scripts/fixtures.ts";
import type { Result, RunOptions } from "../support/runtime.ts";
import { EMPTY, filesLayer, type Store } from "./images.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Answers a request in the registry's place; false leaves it to the registry. */
export type Lie = (request: IncomingMessage, response: ServerResponse) => boolean;

export const OCI = "application/vnd.oci.image";
const MANIFEST = `${OCI}.manifest.v1+json`;

export class FakeRegistry implements AsyncDisposable {
  readonly blobs: Blobs = new Map();
  /** By tag and by digest. */
  readonly manifests = new Map<string, { type: string; body: Buffer }>();
  /** Every request: "GET /v2/…", and its headers. */
  readonly asked: { readonly line: string; readonly headers: IncomingMessage["headers"] }[] = [];
  /** Bytes of blobs that went out. */
  sent = 0;
  /** Bytes of blobs that came in. */
  received = 0;
  /** What has come in of uploads. */
  readonly uploads = new Map<string, Buffer>();
  lie: Lie = () => false;
  readonly #server;
  readonly #sockets = new Set<Socket>();

  private constructor(tls?: ServerOptions) {
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.#answer(request, response);
    this.#server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** With TLS where there are a certificate and its key. */
  static async start(tls?: ServerOptions, address = "127.0.0.1"): Promise<FakeRegistry> {
    const registry = new FakeRegistry(tls);
    registry.#server.listen(0, address);
    await once(registry.#server, "listening");
    return registry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** "localhost:PORT". */
  get host(): string {
    return `localhost:${this.port}`;
  }

  /** Takes in an image, under the tag; gives its manifest's descriptor. */
  add(tag: string, layers: readonly Layer[], change?: (manifest: Record<string, unknown>) => void): Descriptor {
    const { digest } = addImage(this.blobs, layers, configOf(layers, { Cmd: ["sh"] }));
    const manifest = JSON.parse(String(this.blobs.get(digest))) as Record<string, unknown>;
    change?.(manifest);
    return this.addManifest(tag, MANIFEST, manifest);
  }

  /** Takes in any blob; gives its digest. */
  addBlob(blob: Buffer): string {
    const digest = sha256(blob);
    this.blobs.set(digest, blob);
    return digest;
  }

  addManifest(tag: string, type: string, manifest: object): Descriptor {
    const body = Buffer.from(JSON.stringify(manifest));
    const digest = sha256(body);
    this.manifests.set(tag, { type, body });
    this.manifests.set(digest, { type, body });
    return { mediaType: type, digest, size: body.length };
  }

  /** An index of images that are there. */
  addIndex(tag: string, manifests: readonly (Descriptor & { platform?: object })[]): Descriptor {
    const platform = { os: "linux", architecture: ARCHITECTURE };
    const mediaType = `${OCI}.index.v1+json`;
    const entries = manifests.map((entry) => ({ platform, ...entry }));
    return this.addManifest(tag, mediaType, { schemaVersion: 2, mediaType, manifests: entries });
  }

  /** How often something was asked for. */
  count(part: string): number {
    return this.asked.filter(({ line }) => line.includes(part)).length;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.asked.push({ line: `${request.method ?? ""} ${request.url ?? ""}`, headers: request.headers });
    if (this.lie(request, response)) return;
    const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
    const [kind = "", name = ""] = pathname.split("/").slice(-2);
    if (pathname.includes("/blobs/uploads/")) void this.#takeBlob(name, searchParams, request, response);
    else if (kind === "manifests") void this.#answerManifest(name, request, response);
    else if (kind === "blobs") this.#sendBlob(name, request, response);
    else response.writeHead(request.url === "/v2/" ? 200 : 404).end();
  }

  /** POST begins an upload, PUT adds what is left, GET says how much there is. */
  async #takeBlob(
    id: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (request.method === "POST") {
      const made = String(this.asked.length);
      this.uploads.set(made, Buffer.alloc(0));
      response.writeHead(202, { location: `/v2/x/blobs/uploads/${made}` }).end();
      return;
    }
    const before = this.uploads.get(id);
    if (before === undefined || request.method === "GET") {
      const range = { range: `0-${Math.max(0, (before?.length ?? 0) - 1)}` };
      response.writeHead(before === undefined ? 404 : 204, range).end();
      return;
    }
    const body = await this.take(request, id);
    const digest = query.get("digest") ?? "";
    const isRight = sha256(body) === digest;
    if (isRight) this.blobs.set(digest, body);
    response.writeHead(isRight ? 201 : 400).end();
  }

  /** Adds what comes to an upload, also where it ends early; gives all of it. */
  async take(request: IncomingMessage, id: string, limit = Infinity): Promise<Buffer> {
    try {
      for await (const piece of request) {
        this.received += (piece as Buffer).length;
        this.uploads.set(id, Buffer.concat([this.uploads.get(id) ?? Buffer.alloc(0), piece as Buffer]));
        if ((this.uploads.get(id)?.length ?? 0) >= limit) break;
      }
    } catch {
      // The other side has gone.
    }
    return this.uploads.get(id) ?? Buffer.alloc(0);
  }

  async #answerManifest(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "PUT") {
      this.#sendManifest(name, response);
      return;
    }
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const entry = { type: request.headers["content-type"] ?? "", body };
    this.manifests.set(name, entry);
    this.manifests.set(sha256(body), entry);
    response.writeHead(201, { "docker-content-digest": sha256(body) }).end();
  }

  #sendManifest(name: string, response: ServerResponse): void {
    const found = this.manifests.get(name);
    if (found === undefined) response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
    else response.writeHead(200, { "content-type": found.type, "content-length": found.body.length }).end(found.body);
  }

  #sendBlob(name: string, { headers }: IncomingMessage, response: ServerResponse): void {
    const body = this.blobs.get(name);
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const piece = body.subarray(from);
    const range = { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` };
    response.writeHead(from > 0 ? 206 : 200, { "content-length": piece.length, ...(from > 0 ? range : {}) });
    this.sent += piece.length;
    response.end(piece);
  }
}

/** `image pull`, while this process answers. */
export function pull(store: Store, args: readonly string[], options?: RunOptions): Promise<Result> {
  return store.begin(["image", "pull", ...args], options).ended;
}

/** Does not compress, so that it arrives in more than one piece. */
const NOISE = randomBytes(400_000).toString("base64");

export function noisyLayer(): Promise<Layer> {
  return filesLayer({ noise: NOISE, a: "1" });
}

/** What a pull that must fail says, in one line. */
export function refusal({ status, stderr, stdout }: Result): string {
  assert.equal(status, 1, stdout + stderr);
  const lines = stderr.trim().split("\n");
  assert.equal(lines.length, 1, stderr);
  assert.ok(stderr.length < 4096);
  return JSON.parse(/msg=(".*")/.exec(stderr)?.[1] ?? '""') as string;
}

/** There must be nothing of an image in the store, nor on its way. */
export function assertNothing(store: Store): void {
  assert.deepEqual(store.contents(), EMPTY);
  assert.deepEqual([store.names("downloads"), store.names("pulls")], [[], []]);
}

/** Answers requests for what has `part` in its address. */
export function on(part: string, answer: (response: ServerResponse, request: IncomingMessage) => void): Lie {
  return (request, response) => {
    if (request.url?.includes(part) !== true) return false;
    answer(response, request);
    return true;
  };
}

/** Says 401. */
export function wants(challenge: string): Lie {
  return (_, response) => {
    response.writeHead(401, { "www-authenticate": challenge }).end();
    return true;
  };
}

/** Sends blobs in pieces of so many bytes, with pauses between them. */
export function slowly(registry: FakeRegistry, bytes: number): Lie {
  return (request, response) => {
    const blob = registry.blobs.get(request.url?.split("/blobs/")[1] ?? "");
    if (blob === undefined) return false;
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${from}-${blob.length - 1}/${blob.length}` };
    response.writeHead(from > 0 ? 206 : 200, { "content-length": blob.length - from, ...(from > 0 ? range : {}) });
    let at = from;
    const timer = setInterval(() => {
      if (response.destroyed || at >= blob.length) {
        clearInterval(timer);
        response.end();
        return;
      }
      const piece = blob.subarray(at, at + bytes);
      at += piece.length;
      registry.sent += piece.length;
      response.write(piece);
    }, 5);
    return true;
  };
}
