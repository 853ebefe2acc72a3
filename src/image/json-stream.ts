/** What `--progress json` writes: an object a line on standard output, for a program to follow. */
import { ignoreBrokenPipes } from "./worker.ts";
import { print } from "../commands/context.ts";
import type { Sys } from "../sys/sys.ts";

/** What is done goes on when nobody can be told of it any more; at the end that is an error, since who reads would take a part for all. */
export class JsonStream {
  readonly #sys: Sys;
  #failure: unknown;

  constructor(sys: Sys) {
    this.#sys = sys;
  }

  /** After a line that could not be written there is none: a gap would not be seen. */
  tell(event: object): void {
    if (this.#failure !== undefined) return;
    ignoreBrokenPipes(this.#sys);
    try {
      print(this.#sys, `${JSON.stringify(event)}\n`);
    } catch (error) {
      this.#failure = error;
    }
  }

  /** Throws a Failure where not all could be written. */
  close(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
