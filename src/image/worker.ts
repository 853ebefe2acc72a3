/** The client of `tsrun-image`, which moves the bytes: requests and events in lines of JSON, on pipes. See native/image. */
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import { startPiped, type Piped } from "../sys/spawn.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { originalPath } from "../container/protect.ts";
import { dirname } from "../spec/paths.ts";
import type { JsonObject } from "../spec/reader.ts";
import type { Network } from "./network.ts";
import type {
  ConvertedLayer,
  ConvertOrder,
  FetchOrder,
  FromSource,
  GatherOrder,
  LayerOrder,
  PackOrder,
  PullOrder,
  PushedBlob,
  PushOrder,
  Snapshotter,
  TransferOrder,
} from "./orders.ts";
import { becomeRootInside } from "./rootless.ts";
import { decodeUtf8, rawText } from "./utf8.ts";
import type { Member, WriteDest } from "./write.ts";

/** What the worker can be asked, and what it answers. */
export interface Requests {
  read: {
    in: FromSource & { member: string; limit: number; digest?: string };
    out: { text: string; digest: string; size: number };
  };
  list: { in: FromSource; out: { members: readonly string[] } };
  unpack: {
    in: FromSource & {
      staging: string;
      snapshotter: Snapshotter;
      threads: number;
      layers: readonly LayerOrder[];
    };
    out: { layers: readonly UnpackedLayer[] };
  };
  measure: {
    in: FromSource & { snapshotter: Snapshotter; members: readonly string[]; path: string };
    out: { bytes: number; files: number; free: number; freeFiles: number | null };
  };
  stack: { in: { layers: readonly string[]; dest: string; staging: string }; out: { needed: boolean } };
  check: {
    in: { layers: readonly string[]; threads: number; repair: boolean };
    out: { layers: readonly Verdict[] };
  };
  usage: { in: { paths: readonly string[] }; out: { bytes: readonly number[] } };
  merge: { in: { layers: readonly string[]; dest: string }; out: object };
  copy: { in: { from: string; to: string }; out: object };
  diff: { in: { upper: string; lower: string }; out: { changes: readonly Change[] } };
  transfer: { in: { ask: TransferOrder }; out: object };
  remove: { in: { path: string }; out: object };
  fetch: {
    in: { network: Network; ask: FetchOrder };
    out: {
      readonly status: number;
      readonly headers: readonly (readonly [name: string, value: string])[];
      readonly text: string;
      readonly digest: string;
      readonly size: number;
    };
  };
  pull: {
    in: { network: Network; ask: PullOrder };
    out: { readonly layers: readonly { readonly existed: boolean; readonly resumed: number }[] };
  };
  digest: { in: { text: string }; out: { readonly digest: string; readonly size: number } };
  gather: { in: { ask: GatherOrder }; out: object };
  push: { in: { network: Network; ask: PushOrder }; out: { readonly blobs: readonly PushedBlob[] } };
  weigh: {
    in: { network: Network; ask: PullOrder };
    out: { readonly bytes: number; readonly files: number; readonly spooled: number };
  };
  pack: {
    in: { layers: readonly PackOrder[]; threads: number };
    out: { readonly layers: readonly { readonly digest: string; readonly size: number }[] };
  };
  convert: { in: { ask: ConvertOrder }; out: { readonly layers: readonly ConvertedLayer[] } };
  write: { in: { dest: WriteDest; members: readonly Member[] }; out: object };
  toml: { in: { text: string }; out: { readonly value: JsonObject } };
}

/** The answer of a registry or a token service. */
export type FetchAnswer = Requests["fetch"]["out"];

/** What a container has made of one path: added, changed, deleted. */
export interface Change {
  readonly kind: "A" | "C" | "D";
  readonly path: string;
  /** A directory whose owner and mode are as they were. */
  readonly same: boolean;
}

/** What is also in `layer.json` beside an unpacked layer. */
export interface UnpackedLayer {
  readonly diffId: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: number;
  readonly opaqueRoot: boolean;
  readonly snapshotter: Snapshotter;
}

/** What was found of a layer: the first of it in words. */
interface Verdict {
  readonly findings: readonly string[];
  readonly count: number;
  /** Whether it is whole now. */
  readonly whole: boolean;
}

/** So much of a layer has been read, or something else about it is worth a word: "retry", "waiting". */
export type LayerEvent =
  | { readonly event: "progress"; readonly layer: number; readonly bytes: number; readonly total: number }
  | { readonly event: "note"; readonly layer: number; readonly what: string; readonly reason: string };

/** What is said of a request: progress, its result, or why it failed. */
interface Event {
  readonly id: number;
  readonly event: string;
  readonly message?: string;
  readonly kind?: string;
}

/** A refusal of the worker's; `kind` is what may be decided on. */
export class WorkerFailure extends Failure {
  readonly kind: string;

  constructor(message: string, kind: string) {
    super(message);
    this.kind = kind;
  }
}

const PROGRAM = "tsrun-image";

const SIGPIPE = 13;

/** Whoever writes to somebody who has gone gets EPIPE, until a worker is disposed of. */
export function ignoreBrokenPipes(sys: Sys): void {
  sys.ignoreSignal(SIGPIPE);
}

/** The number of the first descriptor that a worker is passed. */
export const PASSED = 3;

/** The path by which a worker opens what it was passed as the first, second … descriptor. */
export function passedPath(index: number): string {
  return `/proc/self/fd/${PASSED + index}`;
}

/** A line is as long as the longest text that is read, in JSON; a worker that says more has lost its mind. */
const LONGEST_LINE = 64 << 20;

/** A running worker: it ends when it is disposed of, or with this process. */
export class Worker implements Disposable {
  readonly #sys: Sys;
  readonly #piped: Piped;
  #number = 0;
  /** Bytes that were read and belong to lines that were not asked for yet. */
  #pending: string[] = [];

  /**
   * Starts the worker that lies beside the program; for what is `passed` see passedPath. It makes files as the uid and gid of
   * `maker`, if there is one. Throws a Failure where there is no worker.
   */
  constructor(sys: Sys, env: readonly string[], passed: readonly Fd[] = [], maker?: readonly [number, number]) {
    const path = `${dirname(originalPath(sys, env))}/${PROGRAM}`;
    becomeRootInside(sys);
    try {
      sys.faccessat(null, path, 1);
    } catch (cause) {
      throw new Failure(`cannot run ${path}, which lies beside tsrun`, cause);
    }
    this.#sys = sys;
    this.#piped = startPiped(sys, {
      path,
      args: maker === undefined ? [PROGRAM] : [PROGRAM, "--as", ...maker.map(String)],
      env: [],
      passed,
    });
  }

  /** Asks for one thing and waits for it. Throws a WorkerFailure with the worker's own words. */
  ask<Name extends keyof Requests>(
    name: Name,
    request: Requests[Name]["in"],
    listen?: (event: LayerEvent) => void,
  ): Requests[Name]["out"] {
    const id = ++this.#number;
    this.#write(`${JSON.stringify({ id, do: name, ...request })}\n`);
    for (;;) {
      const event = JSON.parse(decodeUtf8(this.#line())) as Event & Requests[Name]["out"];
      if (event.id !== id) throw new Failure(`${PROGRAM} answers request ${event.id} and not ${id}`);
      if (event.event === "progress" || event.event === "note") listen?.(event as unknown as LayerEvent);
      else if (event.event === "result") return event;
      else throw new WorkerFailure(lowerFirst(event.message ?? "the worker failed"), event.kind ?? "io");
    }
  }

  [Symbol.dispose](): void {
    const { input, output, errors, pid, pidfd } = this.#piped;
    input[Symbol.dispose]();
    output[Symbol.dispose]();
    errors[Symbol.dispose]();
    this.#sys.wait(pid, true);
    pidfd[Symbol.dispose]();
    this.#sys.heedSignal(SIGPIPE); // A container must not ignore it.
  }

  #write(line: string): void {
    ignoreBrokenPipes(this.#sys); // A worker that is gone shows when it is listened to.
    try {
      this.#sys.writeText(this.#piped.input, line);
    } catch (error) {
      if (!isErrno(error, "EPIPE")) throw error;
    }
  }

  /** The next line. */
  #line(): string {
    let line = "";
    for (;;) {
      const piece = this.#pending.shift() ?? this.#read();
      const end = piece.indexOf("\n");
      if (end < 0) {
        line += piece;
        if (line.length > LONGEST_LINE)
          throw new Failure(`${PROGRAM} says more than ${LONGEST_LINE} characters at once`);
        continue;
      }
      if (end + 1 < piece.length) this.#pending.unshift(piece.slice(end + 1));
      return line + piece.slice(0, end);
    }
  }

  #read(): string {
    const { output, errors } = this.#piped;
    const bytes = this.#sys.readSome(output, 65536);
    if (bytes.length > 0) return rawText(bytes);
    const said = rawText(this.#sys.readSome(errors, 4096)).trim();
    throw new Failure(`${PROGRAM} ended early${said === "" ? " (killed?)" : `: ${said.split("\n")[0] ?? ""}`}`);
  }
}

/** The worker's sentences stand behind ours. */
function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
