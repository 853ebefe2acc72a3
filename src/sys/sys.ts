/** The only door to effects: a parameter of whoever has them. `main.ts` holds the real one. */
import type { Modules } from "./modules.ts";
import type { Fd, Native } from "./native.d.ts";

export type { Fd };

export interface Sys extends Native {
  /** The exports of a module that only some commands need; see modules.ts. */
  load<Name extends keyof Modules>(name: Name): Modules[Name];
  /** Adds regular expressions to the engine, for a library that wants them. */
  enableRegExp(): void;
}
