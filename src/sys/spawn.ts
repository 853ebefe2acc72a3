/** Running another program of the host, and hearing what it says. */
import { POLLHUP, POLLIN, POLLOUT, SIGKILL } from "./constants.ts";
import { Failure } from "./failure.ts";
import { isErrno, reasonOf } from "./errno.ts";
import type { Fd, Sys } from "./sys.ts";

export interface Program {
  readonly path: string;
  readonly args: readonly string[];
  /** The whole environment: nothing of the caller's is added. */
  readonly env: readonly string[];
  /** Its working directory, where there is such a one. */
  readonly directory?: string | undefined;
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

type Startable = Pick<Program, "path" | "args" | "env" | "directory"> & {
  /** What it gets besides the standard streams, as 3, 4 and so on. */
  readonly passed?: readonly Fd[];
};

/** Starts a program with pipes. A program that cannot be run says why on its standard error, with code 127. */
export function startPiped(sys: Sys, program: Startable): Piped {
  const [inputOf, input] = sys.pipe();
  const [output, outputOf] = sys.pipe();
  const [errors, errorsOf] = sys.pipe();
  const made = start(sys, program, [inputOf, outputOf, errorsOf, ...(program.passed ?? [])]);
  for (const fd of [inputOf, outputOf, errorsOf]) fd[Symbol.dispose]();
  return { ...made, input, output, errors };
}

function start(sys: Sys, program: Startable, streams: readonly Fd[]): Pick<Piped, "pid" | "pidfd"> {
  const made = sys.clone3(0, []);
  if (made.pid === 0) becomeProgram(sys, program, streams);
  return { pid: made.pid, pidfd: made.pidfd[0] as Fd };
}

function becomeProgram(sys: Sys, { path, args, env, directory }: Startable, streams: readonly Fd[]): never {
  try {
    // Out of the way first: one of them may be a number that is still to be filled.
    const moved = streams.map((stream) => sys.duplicate(stream, streams.length));
    moved.forEach((stream, number) => sys.duplicateTo(stream, number));
    sys.closeRange(streams.length, 0xffffffff, 0);
    sys.resetSignals();
    if (directory !== undefined) enter(sys, directory);
    sys.execve(path, args, env);
  } catch (error) {
    sys.writeText(sys.inherited(2), `${path}: ${reasonOf(error)}`);
  } finally {
    sys.exit(127);
  }
  throw new Failure("unreachable");
}

/** A directory that is gone keeps no program from running: a bundle may be removed before its container. */
function enter(sys: Sys, directory: string): void {
  try {
    sys.chdir(directory);
  } catch {
    // It stays where its maker is.
  }
}

/** Runs a program to its end. Throws a Failure when it takes longer than `timeout`; it is killed then. */
export function runProgram(sys: Sys, program: Program): Outcome {
  // Both ends of its input stay open here as long as it runs: writing to a program that reads nothing gives no SIGPIPE.
  const [inputOf, input] = sys.pipe();
  using _reader = inputOf;
  const [output, outputOf] = sys.pipe();
  const [errors, errorsOf] = sys.pipe();
  const { pid, pidfd } = start(sys, program, [inputOf, outputOf, errorsOf]);
  using process = pidfd;
  using _output = output;
  using _errors = errors;
  using _input = input;
  for (const fd of [outputOf, errorsOf]) fd[Symbol.dispose]();
  const deadline = program.timeout === undefined ? undefined : sys.clockMonotonic() + program.timeout * 1000;
  const told: Told = { fd: input, rest: sys.bytesOf(program.input) };
  const heard: Heard[] = [output, errors].map((fd) => ({ fd, text: "", open: true }));
  if (!converse(sys, process, { told, heard }, deadline)) {
    sys.pidfdSendSignal(process, SIGKILL);
    sys.wait(pid, true);
    throw new Failure(`${program.path} did not end within ${String(program.timeout ?? 0)} ms`);
  }
  const { code, signal } = sys.wait(pid, true);
  return { code, signal, output: heard[0]?.text ?? "", errors: heard[1]?.text ?? "" };
}

/** What a program is told through its standard input. */
interface Told {
  readonly fd: Fd;
  rest: Uint8Array;
}

/** What is heard of it through a pipe. */
interface Heard {
  readonly fd: Fd;
  text: string;
  open: boolean;
}

/** Talks with a program until it has ended; false when the deadline passes before. */
function converse(
  sys: Sys,
  process: Fd,
  { told, heard }: { told: Told; heard: readonly Heard[] },
  deadline: number | undefined,
): boolean {
  for (const { fd } of [told, ...heard]) sys.setNonblocking(fd);
  for (;;) {
    tell(sys, told);
    const open = heard.filter((each) => each.open);
    const fds = [process, ...open.map(({ fd }) => fd)];
    if (told.rest.length > 0) fds.push(told.fd);
    const events = fds.map((fd) => (fd === told.fd ? POLLOUT : POLLIN));
    const wait = deadline === undefined ? -1 : Math.max(0, Math.ceil((deadline - sys.clockMonotonic()) / 1000));
    const [ended = 0, ...ready] = sys.poll(fds, events, wait);
    // What it wrote is in the pipes by now. A grandchild may keep them open, and write for ever.
    open.forEach((each, index) => {
      if (ended !== 0 || ((ready[index] ?? 0) & (POLLIN | POLLHUP)) !== 0) hear(sys, each);
    });
    if (ended !== 0) return true;
    if (deadline !== undefined && sys.clockMonotonic() >= deadline) return false;
  }
}

/** Writes what the pipe has room for; after the last byte the program reads the end. */
function tell(sys: Sys, told: Told): void {
  try {
    while (told.rest.length > 0) told.rest = told.rest.subarray(sys.writeSome(told.fd, told.rest));
    told.fd[Symbol.dispose]();
  } catch (error) {
    if (!isErrno(error, "EAGAIN")) throw error;
  }
}

function hear(sys: Sys, heard: Heard): void {
  try {
    const text = textOf(sys.readSome(heard.fd, LIMIT));
    heard.open = text !== "";
    heard.text = `${heard.text}${text}`.slice(0, LIMIT);
  } catch (error) {
    if (!isErrno(error, "EAGAIN")) throw error;
  }
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
