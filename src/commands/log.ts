/** Where failures are told: standard error, and the file that --log names, in the format that callers of runc read. */
import { O_APPEND, O_CREAT, O_SYNC, O_WRONLY } from "../sys/constants.ts";
import { attempt, Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { timestamp } from "../sys/time.ts";

export type Level = "warning" | "error";

export interface LogOptions {
  /** "" for standard error only. */
  readonly path: string;
  readonly format: string;
  readonly debug: boolean;
}

/** How it is told before the options are known. */
export const PLAIN: LogOptions = { path: "", format: "text", debug: false };

/** More of a message says no more: it may quote what came from outside. */
const LONGEST = 3840;

export class Log {
  readonly #sys: Sys;
  readonly #options: LogOptions;
  #file: Fd | undefined;

  /** Opens nothing yet: a caller's descriptors from 3 on, which may be for the container, must first be told apart from it. */
  constructor(sys: Sys, options: LogOptions) {
    const { format } = options;
    if (format !== "text" && format !== "json") throw new Failure(`invalid log-format: ${format}`);
    this.#sys = sys;
    this.#options = options;
  }

  /** Opens the file, so that one that cannot be opened is heard of before anything is done. Throws a Failure. */
  open(): void {
    const { path } = this.#options;
    if (path === "" || this.#file !== undefined) return;
    const flags = O_WRONLY | O_CREAT | O_APPEND | O_SYNC;
    this.#file = attempt(`open the log ${path}`, () => this.#sys.openat(null, path, flags, 0o644));
  }

  /** A command's failure: one line in the log, if there is one, and the plain text on standard error. */
  fatal(message: string, error?: unknown): void {
    const text = oneLine(message);
    const line = this.#format("error", text, this.#options.debug ? placeOf(error) : undefined);
    if (this.#append(line)) this.#stderr(`${text}\n`);
    else this.#stderr(line, `tsrun: ${text}\n`);
  }

  /** What only someone who looks for a defect wants to see: on standard error, with --debug. */
  details(text: string): void {
    if (this.#options.debug) this.#stderr(text.endsWith("\n") ? text : `${text}\n`);
  }

  /** Something that is not a failure. Only as text: podman reads a JSON log of one line, an error. */
  warn(message: string): void {
    if (!this.#isJson()) this.#stderr(this.#format("warning", message, undefined), `tsrun: warning: ${message}\n`);
  }

  #isJson(): boolean {
    return this.#options.format === "json";
  }

  /** The keys in logrus's order, and so everybody's. */
  #format(level: Level, message: string, place: Place | undefined): string {
    const time = timestamp(this.#sys, false);
    if (this.#isJson()) return `${JSON.stringify({ ...place, level, msg: message, time })}\n`;
    const where = place === undefined ? "" : ` func=${JSON.stringify(place.func)} file=${JSON.stringify(place.file)}`;
    return `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}${where}\n`;
  }

  /** Whether there is a file, which has the line now. */
  #append(line: string): boolean {
    try {
      this.open();
      if (this.#file === undefined) return false;
      this.#sys.writeText(this.#file, line);
      return true;
    } catch {
      return false; // A full disk, or no such directory: standard error gets it all the same.
    }
  }

  /** `spoken` is for a person: what a terminal gets in place of the line for programs. */
  #stderr(line: string, spoken = line): void {
    try {
      const stderr = this.#sys.inherited(2);
      this.#sys.writeText(stderr, !this.#isJson() && this.#sys.isTerminal(stderr) ? spoken : line);
      stderr.take();
    } catch {
      // Nobody listens.
    }
  }
}

/** A message on one line, of a length that a reader takes in and that is written at once: 4 KiB with what stands around it. */
function oneLine(message: string): string {
  const lines = message.split("\n").map((line) => line.trim());
  const text = lines.filter((line) => line !== "").join(" ");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

interface Place {
  readonly file: string;
  readonly func: string;
}

/** They make errors, and say nothing about where from. */
const MAKERS = ["Failure", "SpecError", "Usage", "UnknownCommand", "attempt", "<anonymous>"];

/** Where an error was made: the first of its stack's lines with a function that says something, "    at open (main:12:3)". */
function placeOf(error: unknown): Place | undefined {
  const lines = error instanceof Error ? (error.stack ?? "").split("\n") : [];
  const places = lines.map((line) => line.trim().slice("at ".length).split(" ("));
  const [func, file = ""] =
    places.find(([name = "", at = "native)"]) => at !== "native)" && !MAKERS.includes(name)) ?? [];
  return func === undefined ? undefined : { file: file.slice(0, file.lastIndexOf(":")), func };
}
