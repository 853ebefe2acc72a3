/** Waiting for a process in the foreground: its signals, its terminal, its end. */
import { POLLIN, POLLOUT, SIGCHLD, SIGURG, SIGWINCH } from "../sys/constants.ts";
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
  for (let ended = sys.wait(-1, false); ended.pid !== 0; ended = sys.wait(-1, false)) {
    if (ended.pid === pid) code = ended.signal === 0 ? ended.code : 128 + ended.signal;
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

/** Raw mode for the caller's terminal, if it is one; gives the way back. A terminal that hung up (EIO) is left alone. */
function makeRaw(sys: Sys, input: Fd): () => void {
  if (!sys.isTerminal(input)) return () => undefined;
  try {
    const before = sys.rawTerminal(input);
    return () => restoreQuietly(sys, input, before);
  } catch {
    return () => undefined;
  }
}

function restoreQuietly(sys: Sys, input: Fd, before: Uint8Array): void {
  try {
    sys.restoreTerminal(input, before);
  } catch {
    // There is nothing to be restored any more: what the process ended with counts.
  }
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

/** How long the terminal is still read when the process has ended, in microseconds: a child of its may write for ever. */
const DRAIN = 200_000;

/** What a pseudoterminal gives at once; and a pipe that can be written to takes as much without blocking: pipe(7). */
const PIECE = 4096;

/** Carries bytes between the caller's streams and the terminal. */
class Relay {
  readonly #sys: Sys;
  readonly #watched: Watched;
  readonly #terminal: Fd;
  readonly #input: Fd;
  readonly #output: Fd;
  /** Read from the caller and not yet taken by the terminal; read from the terminal and not yet taken by the caller. */
  #typed: Uint8Array = new Uint8Array();
  #shown: Uint8Array = new Uint8Array();
  #inputOpen: boolean;
  #outputOpen = true;
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
    while (code === undefined) code = this.#turn(-1);
    this.#drain();
    return code;
  }

  /** Shows what the process has left in the terminal. A caller that reads slowly has all the time it takes. */
  #drain(): void {
    this.#inputOpen = false;
    this.#typed = new Uint8Array();
    let end = this.#sys.clockMonotonic() + DRAIN;
    for (;;) {
      const now = this.#sys.clockMonotonic();
      const held = this.#shown.length > 0;
      if (!held && (!this.#terminalOpen || now >= end)) return;
      this.#turn(held ? -1 : Math.ceil((end - now) / 1000));
      if (held) end += this.#sys.clockMonotonic() - now;
    }
  }

  /** Waits until one of the ends can go on, and lets it; gives the exit code once the process has ended. */
  #turn(timeout: number): number | undefined {
    const ready = this.#ends();
    const fds = [this.#watched.signals, ...ready.map(({ fd }) => fd)];
    const [signals, ...events] = this.#sys.poll(fds, [POLLIN, ...ready.map(({ event }) => event)], timeout);
    ready.forEach(({ act }, index) => {
      if (events[index] !== 0) act(); // Or it hung up, or is no open file: the attempt tells.
    });
    return signals === 0 ? undefined : handleSignals(this.#sys, this.#watched);
  }

  /** What is waited for. An end that has nothing to do is left out: poll(2) would tell of its hangup again and again. */
  #ends(): End[] {
    const ends: End[] = [];
    if (this.#terminalOpen) {
      if (this.#shown.length === 0) ends.push({ fd: this.#terminal, event: POLLIN, act: () => this.#hear() });
      if (this.#typed.length > 0) ends.push({ fd: this.#terminal, event: POLLOUT, act: () => this.#feed() });
      else if (this.#inputOpen) ends.push({ fd: this.#input, event: POLLIN, act: () => this.#listen() });
    }
    if (this.#shown.length > 0) ends.push({ fd: this.#output, event: POLLOUT, act: () => this.#show() });
    return ends;
  }

  /** An input that cannot be read (closed, write-only, a terminal that hung up) has ended. */
  #listen(): void {
    try {
      this.#typed = this.#sys.readSome(this.#input, PIECE);
    } catch (error) {
      if (isErrno(error, "EAGAIN")) return;
    }
    this.#inputOpen = this.#typed.length > 0;
    if (!this.#inputOpen) this.#typed = Uint8Array.of(4); // End of file, as a terminal says it: ^D.
  }

  #feed(): void {
    try {
      this.#typed = this.#typed.slice(this.#sys.writeSome(this.#terminal, this.#typed));
    } catch (error) {
      if (isErrno(error, "EAGAIN")) return;
      if (!isErrno(error, "EIO")) throw error;
      this.#typed = new Uint8Array(); // Nobody has the terminal open.
    }
  }

  #hear(): void {
    try {
      const bytes = this.#sys.readSome(this.#terminal, PIECE);
      if (bytes.length === 0) this.#terminalOpen = false;
      else if (this.#outputOpen) this.#shown = bytes;
    } catch (error) {
      if (isErrno(error, "EAGAIN")) return;
      if (!isErrno(error, "EIO")) throw error;
      this.#terminalOpen = false; // The last process that had the terminal open has gone.
    }
  }

  /** When the caller no longer listens, the terminal is read all the same: else the process would wait for ever. */
  #show(): void {
    try {
      this.#shown = this.#shown.slice(this.#sys.writeSome(this.#output, this.#shown));
    } catch (error) {
      if (isErrno(error, "EAGAIN")) return;
      this.#outputOpen = false;
      this.#shown = new Uint8Array();
    }
  }
}

/** One that bytes come from or go to. */
interface End {
  readonly fd: Fd;
  readonly event: number;
  readonly act: () => void;
}
