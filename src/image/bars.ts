/** What a person sees of layers and other blobs on their way: a bar for each, on the terminal that standard error is. */
import { variable, type Context } from "../commands/context.ts";
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
const SHORTEST_BAR = 5;
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
    write(this.#sys, `${title}\n`);
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
    const lines = this.#bars.map((bar) => lineOf(bar, columns - 1));
    // What does not fit on the screen could not be drawn over.
    const shown = [...(lines.length + 2 > rows ? [] : lines), this.#summary()];
    const up = this.#drawn === 0 ? "" : `\u001b[${this.#drawn}A`;
    // \e[K: what is left of a longer line goes.
    write(this.#sys, `${up}${shown.map((line) => `\r${line.slice(0, columns - 1)}\u001b[K\n`).join("")}`);
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
    using terminal = standardError(this.#sys);
    const [columns = 0, rows = 0] = this.#sys.windowSize(terminal.fd);
    return { columns: columns === 0 ? 80 : columns, rows: rows === 0 ? 24 : rows };
  }
}

/** The bar gives way to what is said in figures. */
function lineOf({ digest, size, bytes, note, isPacking }: Bar, columns: number): string {
  const name = shortened(digest);
  if (note !== "") return `${name} ${note}`;
  if (size === undefined) return `${name} ${sizeText(bytes)}`;
  const figures = `${sizeText(bytes)}/${sizeText(size)}${isPacking ? " compressed" : ""}`;
  const width = Math.min(BAR_WIDTH, columns - `${name} [] ${figures}`.length);
  if (width < SHORTEST_BAR) return `${name} ${figures}`;
  const full = size === 0 ? width : Math.floor((bytes / size) * width);
  return `${name} [${"=".repeat(full)}${" ".repeat(width - full)}] ${figures}`;
}

/** How much can be shown on standard error: bars, lines where the terminal does not say that it can do more, or nothing. */
export function sightOf({ sys, env }: Pick<Context, "sys" | "env">): "bars" | "lines" | "none" {
  using errors = standardError(sys);
  if (!sys.isTerminal(errors.fd)) return "none";
  // terminfo(7): "dumb" moves no cursor. Who names no terminal has said as little.
  return ["", "dumb"].includes(variable(env, "TERM")) ? "lines" : "bars";
}

/** Writes to standard error. */
export function write(sys: Sys, text: string): void {
  try {
    using errors = standardError(sys);
    sys.writeText(errors.fd, text);
  } catch {
    // Nobody looks; what is done goes on.
  }
}

/** It stays open. */
function standardError(sys: Sys): Disposable & { readonly fd: Fd } {
  const fd = sys.inherited(2);
  return { fd, [Symbol.dispose]: () => void fd.take() };
}
