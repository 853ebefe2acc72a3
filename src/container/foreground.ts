/** Waiting for a process in the foreground: its signals, its terminal, its end. */
import { POLLHUP, POLLIN, POLLOUT, SIGCHLD, SIGURG, SIGWINCH } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import type { Fd, Sys } from "../sys/sys.ts";

export interface Watched {
  readonly pid: number;
  readonly pidfd: Fd;
  readonly signals: Fd;
  /** The terminal's master, where it has one. */
  readonly terminal: Fd | undefined;
  /** Whether the caller's standard input goes to the terminal. */
  readonly input: boolean;
}

/** Waits until the process ends, passing signals on; gives its exit code, 128+n for signal n. */
export function waitForProcess(sys: Sys, watched: Watched): number {
  if (watched.terminal === undefined) return waitWithSignals(sys, watched);
  using input = sys.inherited(0);
  const restore = watched.input ? makeRaw(sys, input) : () => undefined;
  try {
    return new Relay(sys, watched, watched.terminal, input).run();
  } finally {
    restore();
    input.take(); // 0 stays open.
  }
}

function waitWithSignals(sys: Sys, watched: Watched): number {
  for (;;) {
    sys.poll([watched.signals], [POLLIN], -1);
    const code = handleSignals(sys, watched);
    if (code !== undefined) return code;
  }
}

/** Deals with the signals that came; gives the exit code once the process has ended. */
function handleSignals(sys: Sys, { signals, pid, pidfd, terminal }: Watched): number | undefined {
  let code: number | undefined;
  for (let signal = sys.readSignal(signals); signal !== 0; signal = sys.readSignal(signals)) {
    if (signal === SIGCHLD) code = reap(sys, pid) ?? code;
    else if (signal === SIGWINCH && terminal !== undefined) copySize(sys, terminal);
    else if (signal !== SIGURG) forward(sys, pidfd, signal);
  }
  return code;
}

/** Collects every child that ended: orphans of the container too, since the caller is a subreaper. */
function reap(sys: Sys, pid: number): number | undefined {
  let code: number | undefined;
  try {
    for (let ended = sys.wait(-1, false); ended.pid !== 0; ended = sys.wait(-1, false)) {
      if (ended.pid === pid) code = ended.signal === 0 ? ended.code : 128 + ended.signal;
    }
  } catch (error) {
    if (!isErrno(error, "ECHILD")) throw error;
  }
  return code;
}

function forward(sys: Sys, pidfd: Fd, signal: number): void {
  try {
    sys.pidfdSendSignal(pidfd, signal);
  } catch (error) {
    if (!isErrno(error, "ESRCH", "EINVAL")) throw error; // It has ended: SIGCHLD follows.
  }
}

/** Raw mode for the caller's terminal, if it is one; gives the way back. */
function makeRaw(sys: Sys, input: Fd): () => void {
  if (!sys.isTerminal(input)) return () => undefined;
  const before = sys.rawTerminal(input);
  return () => sys.restoreTerminal(input, before);
}

/** Gives the terminal the size of the caller's, if that is one. To be called before the process begins, too: it may ask at once. */
export function copySize(sys: Sys, terminal: Fd): void {
  try {
    using own = sys.inherited(0);
    const [columns = 0, rows = 0] = sys.windowSize(own.take());
    sys.setWindowSize(terminal, columns, rows);
  } catch {
    // No terminal of our own has no size to copy.
  }
}

/** Carries bytes between the caller's streams and the terminal. */
class Relay {
  readonly #sys: Sys;
  readonly #watched: Watched;
  readonly #terminal: Fd;
  readonly #input: Fd;
  readonly #output: Fd;
  /** Read from the caller and not yet taken by the terminal. */
  #pending: Uint8Array = new Uint8Array();
  #inputOpen: boolean;
  #terminalOpen = true;

  constructor(sys: Sys, watched: Watched, terminal: Fd, input: Fd) {
    this.#sys = sys;
    this.#watched = watched;
    this.#terminal = terminal;
    this.#input = input;
    this.#inputOpen = watched.input;
    this.#output = sys.inherited(1);
    // A process that reads nothing must not keep the relay from carrying what it writes.
    sys.setNonblocking(terminal);
  }

  run(): number {
    let code: number | undefined;
    while (code === undefined || this.#terminalOpen) {
      const [signals, terminal = 0, input = 0] = this.#poll(code === undefined ? -1 : 100);
      if (signals !== 0) code = handleSignals(this.#sys, this.#watched) ?? code;
      if (terminal & POLLOUT) this.#feed();
      if (terminal & (POLLIN | POLLHUP)) this.#show();
      else if (code !== undefined) break;
      if (input & (POLLIN | POLLHUP)) this.#listen();
    }
    return code;
  }

  #poll(timeout: number): number[] {
    const { signals } = this.#watched;
    const wantsInput = this.#inputOpen && this.#pending.length === 0;
    const terminalEvents = this.#terminalOpen ? POLLIN | (this.#pending.length > 0 ? POLLOUT : 0) : 0;
    const fds = [signals, ...(this.#terminalOpen ? [this.#terminal] : [signals])];
    if (wantsInput) fds.push(this.#input);
    return this.#sys.poll(fds, [POLLIN, terminalEvents, POLLIN], timeout);
  }

  #listen(): void {
    this.#pending = this.#sys.readSome(this.#input, 4096);
    this.#inputOpen = this.#pending.length > 0;
    if (!this.#inputOpen) this.#pending = Uint8Array.of(4); // End of file, as a terminal says it: ^D.
  }

  #feed(): void {
    try {
      this.#pending = this.#pending.slice(this.#sys.writeSome(this.#terminal, this.#pending));
    } catch (error) {
      if (!isErrno(error, "EAGAIN", "EIO")) throw error;
    }
  }

  #show(): void {
    try {
      const bytes = this.#sys.readSome(this.#terminal, 65536);
      if (bytes.length > 0) return this.#sys.writeBytes(this.#output, bytes);
      this.#terminalOpen = false;
    } catch (error) {
      if (isErrno(error, "EAGAIN")) return;
      // EIO: the last process that had the terminal open has gone. EPIPE: the caller no longer listens.
      if (!isErrno(error, "EIO", "EPIPE")) throw error;
      this.#terminalOpen = false;
    }
  }
}
