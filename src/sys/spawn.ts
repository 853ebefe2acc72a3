/** Running another program of the host, and hearing what it says. */
import { POLLHUP, POLLIN, SIGKILL } from "./constants.ts";
import { Failure } from "./failure.ts";
import { reasonOf } from "./errno.ts";
import type { Fd, Sys } from "./sys.ts";

export interface Program {
  readonly path: string;
  readonly args: readonly string[];
  /** The whole environment: nothing of the caller's is added. */
  readonly env: readonly string[];
  readonly input: string;
  /** Milliseconds; undefined waits for ever. */
  readonly timeout: number | undefined;
}

export interface Outcome {
  readonly code: number;
  readonly signal: number;
  /** What it wrote to its standard output and error, at most 64 KiB of each. */
  readonly output: string;
  readonly errors: string;
}

const LIMIT = 65536;

/** A child with pipes for its standard streams. */
export interface Piped {
  readonly pid: number;
  readonly pidfd: Fd;
  readonly input: Fd;
  readonly output: Fd;
  readonly errors: Fd;
}

/** Starts a program with pipes. A program that cannot be run says why on its standard error, with code 127. */
export function startPiped(sys: Sys, { path, args, env }: Pick<Program, "path" | "args" | "env">): Piped {
  const [inputOf, input] = sys.pipe();
  const [output, outputOf] = sys.pipe();
  const [errors, errorsOf] = sys.pipe();
  const made = sys.clone3(0, []);
  if (made.pid === 0) becomeProgram(sys, path, args, env, [inputOf, outputOf, errorsOf]);
  for (const fd of [inputOf, outputOf, errorsOf]) fd[Symbol.dispose]();
  return { pid: made.pid, pidfd: made.pidfd[0] as Fd, input, output, errors };
}

// oxlint-disable-next-line max-params -- what execve takes, and the streams
function becomeProgram(
  sys: Sys,
  path: string,
  args: readonly string[],
  env: readonly string[],
  streams: readonly Fd[],
): never {
  try {
    // Away from 0, 1 and 2 first: one of them may be a number that is still to be filled.
    const moved = streams.map((stream) => sys.duplicate(stream, 3));
    moved.forEach((stream, number) => sys.duplicateTo(stream, number));
    sys.closeRange(3, 0xffffffff, 0);
    sys.resetSignals();
    sys.execve(path, args, env);
  } catch (error) {
    sys.writeText(sys.inherited(2), `${path}: ${reasonOf(error)}`);
  } finally {
    sys.exit(127);
  }
  throw new Failure("unreachable");
}

/** Runs a program to its end. Throws a Failure when it takes longer than `timeout`; it is killed then. */
export function runProgram(sys: Sys, program: Program): Outcome {
  const { pid, pidfd, input, output, errors } = startPiped(sys, program);
  using process = pidfd;
  using outputEnd = output;
  using errorsEnd = errors;
  {
    using inputEnd = input;
    sys.ignoreSignal(13); // SIGPIPE: a program need not read what it is told.
    try {
      sys.writeText(inputEnd, program.input);
    } catch {
      // It closed its input: its exit code says whether that matters.
    }
  }
  const deadline = program.timeout === undefined ? undefined : sys.clockMonotonic() + program.timeout * 1000;
  const heard = listen(sys, process, [outputEnd, errorsEnd], deadline);
  if (heard === undefined) {
    sys.pidfdSendSignal(process, SIGKILL);
    sys.wait(pid, true);
    throw new Failure(`${program.path} did not end within ${String(program.timeout ?? 0)} ms`);
  }
  const { code, signal } = sys.wait(pid, true);
  return { code, signal, output: heard[0] ?? "", errors: heard[1] ?? "" };
}

/** What comes through the pipes until the process ends; undefined when the deadline passes. */
function listen(sys: Sys, process: Fd, pipes: readonly Fd[], deadline: number | undefined): string[] | undefined {
  const heard = pipes.map(() => "");
  const open = pipes.map(() => true);
  for (;;) {
    const wait = deadline === undefined ? -1 : Math.max(0, Math.ceil((deadline - sys.clockMonotonic()) / 1000));
    const events = open.map((isOpen) => (isOpen ? POLLIN : 0));
    const [ended = 0, ...ready] = sys.poll([process, ...pipes], [POLLIN, ...events], wait);
    const some = ready.map((revents, index) => open[index] === true && (revents & (POLLIN | POLLHUP)) !== 0);
    some.forEach((isReady, index) => {
      if (!isReady) return;
      const text = textOf(sys.readSome(pipes[index] as Fd, 4096));
      open[index] = text !== "";
      heard[index] = `${heard[index] ?? ""}${text}`.slice(0, LIMIT);
    });
    // A grandchild may keep the pipes open: the program itself has ended, and what it wrote was read.
    if (ended !== 0 && !some.includes(true)) return heard;
    if (ended === 0 && wait === 0) return undefined;
  }
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
