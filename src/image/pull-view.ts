/** What a person or a program sees of a pull or a load. */
import { countOf } from "../spec/text.ts";
import type { Sys } from "../sys/sys.ts";
import type { Context } from "../commands/context.ts";
import { Bars, shortened, sightOf, wordsOf, write, type Part } from "./bars.ts";
import { JsonStream } from "./json-stream.ts";
import type { LayerEvent } from "./worker.ts";
import { sizeText } from "./words.ts";

/** What is told, in this order; once more for each further image of an archive. */
export interface PullView {
  found(image: PulledImage): void;
  heard(event: LayerEvent): void;
  done(): void;
  /** After the last one. Throws a Failure where a program could not be told all. */
  close(): void;
}

interface PulledImage {
  readonly name: string;
  readonly digest: string;
  /** The store has it under this name. */
  readonly isUpToDate: boolean;
  readonly layers: readonly PulledLayer[];
}

/** One is there if another image has brought it. */
type PulledLayer = Part & { readonly isThere: boolean };

/** The word for what is done. */
export type Doing = "pull" | "load";

export const SILENT: PullView = {
  found: () => undefined,
  heard: () => undefined,
  done: () => undefined,
  close: () => undefined,
};

/** What --progress names; undefined for a word that is none of its. A load says nothing where nobody looks, as docker's. */
export function viewOf(context: Pick<Context, "sys" | "env">, kind: string, doing: Doing): PullView | undefined {
  const { sys } = context;
  if (kind === "json") return jsonView(sys);
  if (kind === "plain") return plainView(sys, doing);
  if (kind !== "auto") return undefined;
  const sight = sightOf(context);
  if (sight === "bars") return barsView(sys);
  return sight === "lines" || doing === "pull" ? plainView(sys, doing) : SILENT;
}

/** One object a line on standard output: README.md, "Pulling and loading images". */
function jsonView(sys: Sys): PullView {
  const stream = new JsonStream(sys);
  let layers: readonly PulledLayer[] = [];
  let isUpToDate = false;
  return {
    found: (image) => {
      ({ layers, isUpToDate } = image);
      const { name, digest } = image;
      const described = layers.map((layer) => ({ digest: layer.digest, size: layer.size, exists: layer.isThere }));
      stream.tell({ event: "found", name, digest, layers: described });
    },
    heard: (event) => {
      const { digest } = layers[event.layer] ?? {};
      if (event.event === "note") stream.tell({ event: event.what, layer: digest, reason: event.reason });
      else stream.tell({ event: "progress", layer: digest, bytes: event.bytes, total: event.total });
    },
    done: () => stream.tell({ event: "done", ...(isUpToDate ? { upToDate: true } : {}) }),
    close: () => stream.close(),
  };
}

/** A line for each thing that happened, on standard error. */
function plainView(sys: Sys, doing: Doing): PullView {
  let layers: readonly PulledLayer[] = [];
  const tell = (text: string): void => write(sys, `${text}\n`);
  let finished = new Set<number>();
  return {
    found: (image) => {
      ({ layers } = image);
      finished = new Set();
      if (image.isUpToDate) {
        tell(`${image.name} is ${image.digest}: up to date`);
        return;
      }
      const missing = layers.filter(({ isThere }) => !isThere);
      const bytes = missing.reduce((sum, { size = 0 }) => sum + size, 0);
      const shared = layers.length - missing.length;
      const note = shared === 0 ? "" : `; ${shared} ${shared === 1 ? "is" : "are"} here already`;
      tell(
        `${image.name} is ${image.digest}: ${countOf(missing.length, "layer")} to ${doing}, ${sizeText(bytes)}${note}`,
      );
    },
    heard: (event) => {
      const layer = layers[event.layer];
      if (event.event === "note") tell(`${shortened(layer?.digest)}: ${wordsOf(event)}`);
      else if (event.bytes === event.total && !finished.has(event.layer)) {
        finished.add(event.layer);
        tell(`${shortened(layer?.digest)}: ${sizeText(event.total)} ${doing}ed`);
      }
    },
    done: () => undefined,
    close: () => undefined,
  };
}

function barsView(sys: Sys): PullView {
  const bars = new Bars(sys, { there: "layers were here already", learns: false });
  return {
    found: ({ name, digest, layers, isUpToDate }) => {
      if (isUpToDate) write(sys, `${name} is ${digest}: up to date\n`);
      else bars.begin(name, layers);
    },
    heard: (event) => bars.heard(event),
    done: () => bars.draw(),
    close: () => undefined,
  };
}
