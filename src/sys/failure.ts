/** One failure, said once: action, object, reason, and a hint where the reason misleads. */
import { reasonOf } from "./errno.ts";

export class Failure extends Error {
  /** `action` reads on from "cannot": "open /x". The reason comes from `cause`. */
  constructor(action: string, cause?: unknown, hint?: string) {
    const reason = cause === undefined ? "" : `: ${reasonOf(cause)}`;
    super(`${action}${reason}${hint === undefined ? "" : ` (${hint})`}`, cause === undefined ? undefined : { cause });
    this.name = "Failure";
  }
}

/** Does `act`; what it throws becomes a Failure of `action`. */
export function attempt<T>(action: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure(`cannot ${action}`, cause);
  }
}
