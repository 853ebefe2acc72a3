/** What a person sees of layers and other blobs on their way: a bar for each, on the terminal that standard error is. */
import type { Fd, Sys } from "../sys/sys.ts";
import type { LayerEvent } from "./worker.ts";
import { sizeText } from "./words.ts";

/** A layer or another blob that is to come or to go. */
export interface Part {
  readonly digest?: string | undefined;
  readonly size?: number | undefined;
  /** It need not be moved. */
  readonly isThere?: boolean;
}

/** The words of `notes` that a view may want in its own way: in the place of a reason they have the blob's digest. */
export const WHATS_OF_BLOBS: readonly string[] = ["exists", "mounted", "sending"];

const WORDS: ReadonlyMap<string, string> = new Map([
  ["retry", "trying again: "],
  ["waiting", "waiting for "],
  ["exists", "is there already"],
  ["mounted", "is taken over from another repository"],
]);

/** A note of the worker's in words; "" for one that says only what comes next. */
export function wordsOf({ what, reason }: Extract<LayerEvent, { event: "note" }>): string {
  if (what === "sending" || what === "packing") return "";
  return WHATS_OF_BLOBS.includes(what) ? (WORDS.get(what) ?? "") : `${WORDS.get(what) ?? ""}${reason}`;
}

/** A digest as people are shown it. */
export function shortened(digest = ""): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

interface Bar {
  digest: string | undefined;
  size: number | undefined;
  bytes: number;
  note: string;
  isThere: boolean;
  isPacking: boolean;
}

const BAR_WIDTH = 30;
const MICROSECONDS = 1_000_000;

interface Manner {
  /** What is said of parts that need not be moved. */
  readonly there: string;
  /** What is packed first is another number of bytes then; what comes has the size that was promised, or none. */
  readonly learns: boolean;
}

/** A line for each part, drawn anew when something has happened; the last one is the whole. */
export class Bars {
  readonly #sys: Sys;
  readonly #manner: Manner;
  #bars: Bar[] = [];
  #drawn = 0;
  #began = 0;
  #moved = 0;

  constructor(sys: Sys, manner: Manner) {
    this.#sys = sys;
    this.#manner = manner;
  }

  /** Begins anew, below what is there. */
  begin(title: string, parts: readonly Part[]): void {
    this.#bars = parts.map(({ digest, size, isThere = false }) => {
      return { digest, size, bytes: 0, note: isThere ? "here already" : "", isThere, isPacking: false };
    });
    this.#drawn = 0;
    this.#moved = 0;
    this.#began = this.#sys.clockMonotonic();
    write(this.#sys, 2, `${title}\n`);
    this.draw();
  }

  heard(event: LayerEvent): void {
    const bar = this.#bars[event.layer];
    if (bar === undefined) return;
    if (event.event === "progress") {
      this.#moved += Math.max(0, event.bytes - bar.bytes);
      const size = this.#manner.learns ? event.total : bar.size;
      Object.assign(bar, { bytes: event.bytes, size, note: "" });
    } else {
      const { what, reason } = event;
      if (WHATS_OF_BLOBS.includes(what)) bar.digest = reason;
      if (what === "exists" || what === "mounted") bar.isThere = true;
      if (what === "sending" || what === "packing") Object.assign(bar, { bytes: 0, isPacking: what === "packing" });
      bar.note = wordsOf(event);
    }
    this.draw();
  }

  draw(): void {
    if (this.#bars.length === 0) return;
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
    const missing = this.#bars.filter(({ isThere }) => !isThere);
    // An archive of `docker save` does not say how long its layers are.
    const total = missing.every(({ size }) => size !== undefined)
      ? ` of ${sizeText(missing.reduce((sum, { size = 0 }) => sum + size, 0))}`
      : "";
    const bytes = missing.reduce((sum, bar) => sum + bar.bytes, 0);
    const seconds = Math.max(0.001, (this.#sys.clockMonotonic() - this.#began) / MICROSECONDS);
    const there = this.#bars.length - missing.length;
    const note = there === 0 ? "" : `; ${there} of ${this.#bars.length} ${this.#manner.there}`;
    return `${sizeText(bytes)}${total}, ${sizeText(Math.round(this.#moved / seconds))}/s${note}`;
  }

  /** A terminal that has not been told its size says 0 by 0. */
  #size(): { readonly columns: number; readonly rows: number } {
    using terminal = borrowed(this.#sys, 2);
    const [columns = 0, rows = 0] = this.#sys.windowSize(terminal.fd);
    return { columns: columns === 0 ? 80 : columns, rows: rows === 0 ? 24 : rows };
  }
}

function lineOf({ digest, size, bytes, note, isPacking }: Bar): string {
  const name = shortened(digest);
  if (note !== "") return `${name} ${note}`;
  if (size === undefined) return `${name} ${sizeText(bytes)}`;
  const full = size === 0 ? BAR_WIDTH : Math.floor((bytes / size) * BAR_WIDTH);
  const bar = `[${"=".repeat(full)}${" ".repeat(BAR_WIDTH - full)}]`;
  return `${name} ${bar} ${sizeText(bytes)}/${sizeText(size)}${isPacking ? " compressed" : ""}`;
}

/** Whether somebody looks at standard error. */
export function isWatched(sys: Sys): boolean {
  using errors = borrowed(sys, 2);
  return sys.isTerminal(errors.fd);
}

/** Writes to a standard stream. */
export function write(sys: Sys, number: number, text: string): void {
  try {
    using output = borrowed(sys, number);
    sys.writeText(output.fd, text);
  } catch {
    // Nobody looks; what is done goes on.
  }
}

/** A standard stream, which stays open. */
function borrowed(sys: Sys, number: number): Disposable & { readonly fd: Fd } {
  const fd = sys.inherited(number);
  return { fd, [Symbol.dispose]: () => void fd.take() };
}
