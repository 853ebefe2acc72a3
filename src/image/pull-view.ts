/** What a person or a program sees of a pull or a load. */
import type { Fd, Sys } from "../sys/sys.ts";
import type { LayerEvent } from "./worker.ts";
import { sizeText } from "./words.ts";

/** What is told, in this order; once more for each further image of an archive. */
export interface PullView {
  found(image: PulledImage): void;
  heard(event: LayerEvent): void;
  done(): void;
}

interface PulledImage {
  readonly name: string;
  readonly digest: string;
  /** The store has it under this name. */
  readonly isUpToDate: boolean;
  readonly layers: readonly PulledLayer[];
}

interface PulledLayer {
  readonly digest?: string;
  readonly size?: number;
  /** Another image has brought it. */
  readonly isThere: boolean;
}

/** The word for what is done. */
export type Doing = "pull" | "load";

export const SILENT: PullView = { found: () => undefined, heard: () => undefined, done: () => undefined };

/** What --progress names; undefined for a word that is none of its. A load says nothing where nobody looks, as docker's. */
export function viewOf(sys: Sys, kind: string, doing: Doing): PullView | undefined {
  if (kind === "json") return jsonView(sys);
  if (kind === "plain") return plainView(sys, doing);
  if (kind !== "auto") return undefined;
  const output = sys.inherited(2);
  const isTerminal = sys.isTerminal(output);
  output.take();
  if (isTerminal) return new Bars(sys);
  return doing === "pull" ? plainView(sys, doing) : SILENT;
}

/** One object a line on standard output: README.md, "Pulling and loading images". */
function jsonView(sys: Sys): PullView {
  const tell = (event: object): void => write(sys, 1, `${JSON.stringify(event)}\n`);
  let layers: readonly PulledLayer[] = [];
  let isUpToDate = false;
  return {
    found: (image) => {
      ({ layers, isUpToDate } = image);
      const { name, digest } = image;
      const described = layers.map((layer) => ({ digest: layer.digest, size: layer.size, exists: layer.isThere }));
      tell({ event: "found", name, digest, layers: described });
    },
    heard: (event) => {
      const { digest } = layers[event.layer] ?? {};
      if (event.event === "note") tell({ event: event.what, layer: digest, reason: event.reason });
      else tell({ event: "progress", layer: digest, bytes: event.bytes, total: event.total });
    },
    done: () => tell({ event: "done", ...(isUpToDate ? { upToDate: true } : {}) }),
  };
}

/** A line for each thing that happened, on standard error. */
function plainView(sys: Sys, doing: Doing): PullView {
  let layers: readonly PulledLayer[] = [];
  const tell = (text: string): void => write(sys, 2, `${text}\n`);
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
      const note = shared === 0 ? "" : `; ${shared} are here already`;
      tell(`${image.name} is ${image.digest}: ${missing.length} layers to ${doing}, ${sizeText(bytes)}${note}`);
    },
    heard: (event) => {
      const layer = layers[event.layer];
      if (event.event === "note") tell(`${shortDigest(layer)}: ${wordsOf(event)}`);
      else if (event.bytes === event.total && !finished.has(event.layer)) {
        finished.add(event.layer);
        tell(`${shortDigest(layer)}: ${sizeText(event.total)} ${doing}ed`);
      }
    },
    done: () => undefined,
  };
}

/** What stands before the reason of a note. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["retry", "trying again: "],
  ["waiting", "waiting for "],
]);

function wordsOf({ what, reason }: Extract<LayerEvent, { event: "note" }>): string {
  return `${WORDS.get(what) ?? ""}${reason}`;
}

function shortDigest({ digest = "" }: PulledLayer = { isThere: false }): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

interface Bar {
  readonly layer: PulledLayer;
  bytes: number;
  note: string;
}

const BAR_WIDTH = 30;
const MICROSECONDS = 1_000_000;

/** A line for each layer, drawn anew when something has happened; the last one is the whole. */
class Bars implements PullView {
  readonly #sys: Sys;
  #bars: Bar[] = [];
  #drawn = 0;
  #began = 0;
  #received = 0;

  constructor(sys: Sys) {
    this.#sys = sys;
  }

  found({ name, digest, layers, isUpToDate }: PulledImage): void {
    if (isUpToDate) {
      write(this.#sys, 2, `${name} is ${digest}: up to date\n`);
      return;
    }
    this.#bars = layers.map((layer) => ({ layer, bytes: 0, note: layer.isThere ? "here already" : "" }));
    this.#drawn = 0;
    this.#received = 0;
    this.#began = this.#sys.clockMonotonic();
    write(this.#sys, 2, `${name}\n`);
    this.#draw();
  }

  heard(event: LayerEvent): void {
    const bar = this.#bars[event.layer];
    if (bar === undefined) return;
    if (event.event === "note") {
      bar.note = wordsOf(event);
    } else {
      this.#received += Math.max(0, event.bytes - bar.bytes);
      bar.bytes = event.bytes;
      bar.note = "";
    }
    this.#draw();
  }

  done(): void {
    if (this.#bars.length > 0) this.#draw();
  }

  #draw(): void {
    const { columns, rows } = this.#size();
    const lines = this.#bars.map(lineOf);
    // What does not fit on the screen could not be drawn over.
    const shown = [...(lines.length + 2 > rows ? [] : lines), this.#summary()];
    const up = this.#drawn === 0 ? "" : `\u001b[${this.#drawn}A`;
    // \e[K: what is left of a longer line goes.
    write(this.#sys, 2, `${up}${shown.map((line) => `\r${line.slice(0, columns - 1)}\u001b[K\n`).join("")}`);
    this.#drawn = shown.length;
  }

  #summary(): string {
    const missing = this.#bars.filter(({ layer }) => !layer.isThere);
    // An archive of `docker save` does not say how long its layers are.
    const total = missing.every(({ layer }) => layer.size !== undefined)
      ? ` of ${sizeText(missing.reduce((sum, { layer: { size = 0 } }) => sum + size, 0))}`
      : "";
    const bytes = missing.reduce((sum, bar) => sum + bar.bytes, 0);
    const seconds = Math.max(0.001, (this.#sys.clockMonotonic() - this.#began) / MICROSECONDS);
    const shared = this.#bars.length - missing.length;
    const note = shared === 0 ? "" : `; ${shared} of ${this.#bars.length} layers were here already`;
    return `${sizeText(bytes)}${total}, ${sizeText(Math.round(this.#received / seconds))}/s${note}`;
  }

  /** A terminal that has not been told its size says 0 by 0. */
  #size(): { readonly columns: number; readonly rows: number } {
    using terminal = borrowed(this.#sys, 2);
    const [columns = 0, rows = 0] = this.#sys.windowSize(terminal.fd);
    return { columns: columns === 0 ? 80 : columns, rows: rows === 0 ? 24 : rows };
  }
}

function lineOf({ layer, bytes, note }: Bar): string {
  const name = shortDigest(layer);
  if (note !== "") return `${name} ${note}`;
  const { size } = layer;
  if (size === undefined) return `${name} ${sizeText(bytes)}`;
  const full = size === 0 ? BAR_WIDTH : Math.floor((bytes / size) * BAR_WIDTH);
  return `${name} [${"=".repeat(full)}${" ".repeat(BAR_WIDTH - full)}] ${sizeText(bytes)}/${sizeText(size)}`;
}

function write(sys: Sys, number: number, text: string): void {
  try {
    using output = borrowed(sys, number);
    sys.writeText(output.fd, text);
  } catch {
    // Nobody looks; the pull goes on.
  }
}

/** A standard stream, which stays open. */
function borrowed(sys: Sys, number: number): Disposable & { readonly fd: Fd } {
  const fd = sys.inherited(number);
  return { fd, [Symbol.dispose]: () => void fd.take() };
}
