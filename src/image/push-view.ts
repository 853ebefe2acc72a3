/** What a person or a program sees of a push or a copy. */
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import type { LayerEvent } from "./worker.ts";
import { sizeText } from "./words.ts";

/** What is told of blobs on their way, in this order. */
export interface PushView {
  /** To this place go so many blobs. */
  begins(name: string, blobs: number): void;
  heard(event: LayerEvent): void;
  ends(digest: string): void;
}

export const SILENT_PUSH: PushView = { begins: () => undefined, heard: () => undefined, ends: () => undefined };

/** What --progress and --quiet ask for. Throws a Failure. */
export function pushView(
  sys: Sys,
  { progress, quiet }: { readonly progress: string; readonly quiet: boolean },
): PushView {
  if (!["auto", "plain", "json"].includes(progress))
    throw new Failure(`--progress must be auto, plain or json: current value is ${JSON.stringify(progress)}`);
  if (quiet) return SILENT_PUSH;
  return progress === "json" ? jsonView(sys) : plainView(sys);
}

/** One object a line on standard output: README.md, "Pushing and copying images". */
function jsonView(sys: Sys): PushView {
  const tell = (event: object): void => write(sys, 1, `${JSON.stringify(event)}\n`);
  const digests = new Map<number, string>();
  return {
    begins: (name, blobs) => tell({ event: "begin", name, blobs }),
    heard: (event) => {
      if (event.event === "note" && event.what !== "retry") digests.set(event.layer, event.reason);
      const blob = digests.get(event.layer);
      if (event.event === "progress") tell({ event: "progress", blob, bytes: event.bytes, total: event.total });
      else if (event.what === "retry") tell({ event: "retry", blob, reason: event.reason });
      else tell({ event: event.what, blob });
    },
    ends: (digest) => tell({ event: "done", digest }),
  };
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ["exists", "is there already"],
  ["mounted", "is taken over from another repository"],
]);

/** A line for each thing that happened, on standard error. */
function plainView(sys: Sys): PushView {
  const tell = (text: string): void => write(sys, 2, `${text}\n`);
  const digests = new Map<number, string>();
  const finished = new Set<number>();
  return {
    begins: (name, blobs) => tell(`${name}: ${blobs} blobs`),
    heard: (event) => {
      if (event.event === "note" && event.what !== "retry") digests.set(event.layer, event.reason);
      const blob = shortened(digests.get(event.layer) ?? "");
      if (event.event === "note") {
        const words = event.what === "retry" ? `trying again: ${event.reason}` : WORDS.get(event.what);
        if (words !== undefined) tell(`${blob}: ${words}`);
      } else if (event.bytes === event.total && !finished.has(event.layer)) {
        finished.add(event.layer);
        tell(`${blob}: ${sizeText(event.total)} sent`);
      }
    },
    ends: () => undefined,
  };
}

function shortened(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

function write(sys: Sys, number: number, text: string): void {
  const output = sys.inherited(number);
  try {
    sys.writeText(output, text);
  } catch {
    // Nobody looks; the push goes on.
  } finally {
    output.take(); // It stays open.
  }
}
