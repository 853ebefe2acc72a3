/** What the parent of a new process does for it from outside. */
import { O_WRONLY } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { raiseLimits } from "../mechanisms/rlimits.ts";
import type { Process } from "../spec/spec.ts";
import { accept, goOn, receive, type Request } from "./protocol.ts";

/** The parent's end of the conversation, which knows what is still to come. */
export class Parent {
  readonly #sys: Sys;
  readonly #channel: Fd;
  #expected: readonly Request[];

  constructor(sys: Sys, channel: Fd, expected: readonly Request[]) {
    this.#sys = sys;
    this.#channel = channel;
    this.#expected = expected;
  }

  /** Waits for `request`; gives the descriptor that came with it. Throws what init says it failed at. */
  expect(request: Request): Fd | undefined {
    const received = receive(this.#sys, this.#channel);
    if (received === undefined)
      throw new Failure("the container's init ended before it was ready (killed, perhaps by its memory limit)");
    if (received.request === "failed") throw new Failure(received.text);
    this.#expected = accept(this.#expected, received.request);
    if (received.request !== request) throw new Failure(`init says "${received.request}" instead of "${request}"`);
    return received.fd;
  }

  goOn(): void {
    goOn(this.#sys, this.#channel);
  }
}

/** The OOM score, and limits that are to be raised: in a user namespace root may do neither. Throws a Failure. */
export function adopt(sys: Sys, pid: number, process: Process): void {
  if (process.oomScoreAdj !== undefined) setOomScore(sys, pid, process.oomScoreAdj);
  raiseLimits(sys, pid, process.rlimits);
}

function setOomScore(sys: Sys, pid: number, score: number): void {
  try {
    using file = sys.openat(null, `/proc/${pid}/oom_score_adj`, O_WRONLY, 0);
    sys.writeOnce(file, String(score));
  } catch (cause) {
    const hint = isErrno(cause, "EACCES") ? "lowering it needs CAP_SYS_RESOURCE" : undefined;
    throw new Failure(`cannot set oom_score_adj to ${score}`, cause, hint);
  }
}
