/** Where failures are told: standard error, and the file that --log names, in the format that callers of runc read. */
import { O_APPEND, O_CREAT, O_SYNC, O_WRONLY } from "../sys/constants.ts";
import { attempt } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { timestamp } from "../sys/time.ts";

export type Level = "debug" | "info" | "warning" | "error";

export class Log {
  readonly #sys: Sys;
  readonly #file: Fd | undefined;
  readonly #json: boolean;

  /** `path` undefined: standard error only. Throws a Failure where it cannot be opened. */
  constructor(sys: Sys, path: string | undefined, json: boolean) {
    this.#sys = sys;
    this.#json = json;
    const flags = O_WRONLY | O_CREAT | O_APPEND | O_SYNC;
    this.#file = path === undefined ? undefined : attempt(`open the log ${path}`, () => sys.openat(null, path, flags, 0o644));
  }

  /** A command's failure: one line in the log, if there is one, and the plain text on standard error. */
  fatal(message: string): void {
    const line = message.replaceAll("\n", " ");
    if (this.#file !== undefined) this.#sys.writeText(this.#file, this.#format("error", line));
    this.#stderr(this.#file === undefined ? this.#format("error", line) : `${line}\n`);
  }

  /** Something that is not a failure. Only to the log: podman reads a log of one line, an error. */
  warn(message: string): void {
    if (this.#json) return;
    this.#stderr(this.#format("warning", message));
  }

  #format(level: Level, message: string): string {
    const time = timestamp(this.#sys, false);
    if (this.#json) return `${JSON.stringify({ level, msg: message, time })}\n`;
    return `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}\n`;
  }

  #stderr(text: string): void {
    try {
      const stderr = this.#sys.inherited(2);
      this.#sys.writeText(stderr, text);
      stderr.take();
    } catch {
      // Nobody listens.
    }
  }
}
