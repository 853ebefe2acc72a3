/** What a person or a program sees of a push, a copy or a save. */
import { Failure } from "../sys/failure.ts";
import type { Sys } from "../sys/sys.ts";
import type { Context } from "../commands/context.ts";
import { Bars, shortened, sightOf, WHATS_OF_BLOBS, wordsOf, write, type Part } from "./bars.ts";
import { JsonStream } from "./json-stream.ts";
import type { LayerEvent } from "./worker.ts";
import { sizeText } from "./words.ts";

/** What is told of blobs on their way, in this order. */
export interface PushView {
  /** To this place go these. */
  begins(name: string, parts: readonly Part[]): void;
  heard(event: LayerEvent): void;
  /** `digest` of what is there now, where it has one. */
  ends(digest?: string): void;
  /** After all else. Throws a Failure where a program could not be told all. */
  close(): void;
}

export const SILENT_PUSH: PushView = {
  begins: () => undefined,
  heard: () => undefined,
  ends: () => undefined,
  close: () => undefined,
};

/** What is done, and how it is called. */
const WORDS = {
  push: { parts: "blobs", done: "sent" },
  copy: { parts: "blobs", done: "copied" },
  save: { parts: "layers", done: "saved" },
} as const;

/** What --progress and --quiet ask for. Throws a Failure. */
export function pushView(
  context: Pick<Context, "sys" | "env">,
  doing: keyof typeof WORDS,
  { progress, quiet }: { readonly progress: string; readonly quiet: boolean },
): PushView {
  if (!["auto", "plain", "json"].includes(progress))
    throw new Failure(`--progress must be auto, plain or json: current value is ${JSON.stringify(progress)}`);
  if (quiet) return SILENT_PUSH;
  const { sys } = context;
  if (progress === "json") return jsonView(sys);
  if (progress === "plain") return plainView(sys, doing);
  const sight = sightOf(context);
  if (sight === "bars") return barsView(sys, doing);
  // As docker's.
  return sight === "none" && doing === "save" ? SILENT_PUSH : plainView(sys, doing);
}

function barsView(sys: Sys, doing: keyof typeof WORDS): PushView {
  const bars = new Bars(sys, { there: `${WORDS[doing].parts} were there already`, learns: true });
  return {
    begins: (name, parts) => bars.begin(name, parts),
    heard: (event) => bars.heard(event),
    ends: () => bars.draw(),
    close: () => undefined,
  };
}

/** One object a line on standard output: README.md, "Pushing, copying and saving images". */
function jsonView(sys: Sys): PushView {
  const stream = new JsonStream(sys);
  let digests: (string | undefined)[] = [];
  return {
    begins: (name, parts) => {
      digests = parts.map(({ digest }) => digest);
      stream.tell({ event: "begin", name, blobs: parts.length });
    },
    heard: (event) => {
      if (event.event === "note" && WHATS_OF_BLOBS.includes(event.what)) digests[event.layer] = event.reason;
      const blob = digests[event.layer];
      if (event.event === "progress") stream.tell({ event: "progress", blob, bytes: event.bytes, total: event.total });
      else if (event.what === "retry") stream.tell({ event: "retry", blob, reason: event.reason });
      else stream.tell({ event: event.what, blob });
    },
    ends: (digest) => stream.tell({ event: "done", digest }),
    close: () => stream.close(),
  };
}

/** A line for each thing that happened, on standard error. */
function plainView(sys: Sys, doing: keyof typeof WORDS): PushView {
  const tell = (text: string): void => write(sys, `${text}\n`);
  const { parts: called, done } = WORDS[doing];
  let digests: (string | undefined)[] = [];
  const finished = new Set<number>();
  const packing = new Set<number>();
  return {
    begins: (name, parts) => {
      digests = parts.map(({ digest }) => digest);
      tell(`${name}: ${parts.length} ${called}`);
    },
    heard: (event) => {
      const { layer } = event;
      if (event.event === "note") {
        if (WHATS_OF_BLOBS.includes(event.what)) digests[layer] = event.reason;
        if (event.what === "packing") packing.add(layer);
        else if (event.what === "sending") packing.delete(layer);
        const words = wordsOf(event);
        if (words !== "") tell(`${shortened(digests[layer])}: ${words}`);
      } else if (event.bytes === event.total && !packing.has(layer) && !finished.has(layer)) {
        finished.add(layer);
        tell(`${shortened(digests[layer])}: ${sizeText(event.total)} ${done}`);
      }
    },
    ends: () => undefined,
    close: () => undefined,
  };
}
