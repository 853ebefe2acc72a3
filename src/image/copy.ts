/**
 * An image goes from one place to another, past the store. Every blob and document keeps its bytes where both places have such; an
 * archive of docker's has layers without compression, and no manifest.
 */
import type { Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import type { Access } from "./access.ts";
import { openDestination } from "./copy-destination.ts";
import { openSaved } from "./copy-saved.ts";
import { openLayoutAt, openRegistry, type Asking } from "./copy-source.ts";
import type { Digest } from "./digest.ts";
import type { Entry } from "./manifest.ts";
import type { Sender } from "./parcel.ts";
import { asMachine, choosePlatform, chooseNamed, type Platform } from "./platform.ts";
import { parseDestination } from "./push.ts";
import { SILENT_PUSH, type PushView } from "./push-view.ts";
import { parseTransport, withoutScheme } from "./transport.ts";
import type { Worker } from "./worker.ts";

export interface CopyOptions {
  readonly source: Access;
  readonly destination: Access;
  /** "all": an index goes with all that it lists. The machine's where it is not given. */
  readonly platform: Platform | "all" | undefined;
  /** A directory for what is on its way. */
  readonly scratch: string;
  readonly view?: PushView | undefined;
}

interface Ends {
  readonly from: string;
  readonly to: string;
}

/**
 * Copies what `from` names to `to`; gives the digest of what is there now: in an archive of docker's, that of the configuration.
 * Throws a Failure; no name leads to what is not whole.
 */
export function copyImage(context: Context, worker: Worker, ends: Ends, options: CopyOptions): Digest {
  try {
    return copy(context, worker, ends, options);
  } catch (error) {
    throw error instanceof Failure ? new Failure(`cannot copy ${ends.from} to ${ends.to}: ${error.message}`) : error;
  }
}

function copy(context: Context, worker: Worker, { from, to }: Ends, options: CopyOptions): Digest {
  const { platform, scratch, view = SILENT_PUSH } = options;
  // A mistake is told before anything is asked of a registry.
  if (parseTransport(withoutScheme(to)) === undefined) parseDestination(to);
  const machine = asMachine(context.sys.uname().machine);
  const source = openSource(context, worker, from, { access: options.source, machine, scratch });
  const asking = { access: options.destination, from: source.endpoint };
  const destination = openDestination(context, worker, to, asking);
  const choose = (entries: readonly Entry[]): Entry =>
    typeof platform === "object" ? chooseNamed(entries, platform) : choosePlatform(entries, machine);
  const parcel = source.parcel({
    choice: platform === "all" ? "all" : choose,
    compression: destination.compression,
    begins: (parts) => view.begins(to, parts),
    heard: (event) => view.heard(event),
  });
  const digest = destination.take(parcel, view);
  view.ends(digest);
  return digest;
}

function openSource(context: Context, worker: Worker, text: string, asking: Asking): Sender {
  const name = withoutScheme(text);
  const place = parseTransport(name);
  if (place === undefined) return openRegistry(context, worker, name, asking);
  if (place.form === "docker-archive") return openSaved(context, worker, place, asking);
  return openLayoutAt(context, worker, place, asking);
}
