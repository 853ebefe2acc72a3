/** DEBUG=tsrun:sys: every system call on standard error, through the package `debug`. Loaded only then, with regular expressions. */
import "./shims/browser.ts";
import createDebug from "debug";
import { writeDown } from "../sys/traced.ts";
import type { Sys } from "../sys/sys.ts";

/** `sys`, which writes down its calls where `names`, the variable DEBUG, has the name `tsrun:sys` in it. */
export function trace(sys: Sys, names: string): Sys {
  giveClock(sys);
  createDebug.log = (line: string): void => {
    const stderr = sys.inherited(2);
    sys.writeText(stderr, `${line}\n`);
    stderr.take();
  };
  createDebug.enable(names);
  const debug = createDebug("tsrun:sys");
  return debug.enabled ? writeDown(sys, (line) => debug(line.replaceAll("%", "%%"))) : sys;
}

/** `debug` asks a Date for the time since its last line; the engine has none. */
function giveClock(sys: Sys): void {
  class Clock {
    valueOf(): number {
      return Math.round(sys.clockMonotonic() / 1000);
    }
  }
  Object.assign(globalThis, { Date: Clock });
}
