/**
 * What init and its parent say to each other, over a SOCK_SEQPACKET pair:
 *
 *   init                                   parent
 *   ── sibling + descriptor ────────────▶  of the helper that joins a user namespace; init waits to be known
 *   ◀───────────────────────────── goOn ──
 *   ── idMaps ──────────────────────────▶  writes uid_map, gid_map              (a new user namespace)
 *   ◀───────────────────────────── goOn ──
 *   ◀───────────────────────────── goOn ──  unasked: the device filter is in force, the state names init, limits are raised
 *   ── hooks ───────────────────────────▶  prestart, createRuntime              (where there are any)
 *   ◀───────────────────────────── goOn ──
 *   ── terminal + descriptor ───────────▶  sends it to the console socket, or keeps it (process.terminal)
 *   ◀───────────────────────────── goOn ──
 *   ── ready ───────────────────────────▶  create returns; run says goOn when it starts. Where nothing is to be done between
 *                                          the two, init says it and does not wait: the end of one that was not ready is no start
 *   ── failed + text ───────────────────▶  at any time, instead of what is next; the parent cleans up
 *
 * The parent closing its end means that it died: init ends. Init's end closing means that execve succeeded, or that init
 * died without a word.
 */
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import type { Spec } from "../spec/spec.ts";

/** What init may tell its parent. Phases never go back; only `failed` may skip ahead. */
export const REQUESTS = {
  sibling: { phase: 0, because: "a namespace belongs to the user namespace that its maker is in: user_namespaces(7)" },
  idMaps: { phase: 0, because: "only a process outside may write uid_map: user_namespaces(7)" },
  hooks: { phase: 1, because: "runtime#runtimeLifecycle: after the namespaces, before pivot_root" },
  terminal: { phase: 2, because: "the terminal is made inside, the caller waits outside" },
  ready: { phase: 3, because: "create returns only when start may be called" },
  failed: { phase: 4, because: "what went wrong inside is the user's error message" },
} as const satisfies Record<string, { phase: number; because: string }>;

export type Request = keyof typeof REQUESTS;

/** Whether run has to do something between create and start: to take a terminal, to run hooks, or to tell one of `listeners`. */
export function needsPause(spec: Spec, listeners: readonly (string | undefined)[]): boolean {
  return (
    spec.process.terminal ||
    Object.values(spec.hooks).some((hooks) => hooks.length > 0) ||
    listeners.some((listener) => listener !== undefined)
  );
}

/** Takes `request` off the list of what is still expected, or says why it may not come now. */
export function accept(expected: readonly Request[], request: Request): Request[] {
  if (request === "failed") return [];
  if (!expected.includes(request)) throw new Error(`init says "${request}", which was not expected`);
  const owed = expected.find((other) => REQUESTS[other].phase < REQUESTS[request].phase);
  if (owed !== undefined) throw new Error(`init says "${request}" and still owes "${owed}"`);
  return expected.filter((other) => other !== request);
}

/** Longer texts are cut: an error is one line. */
const LIMIT = 4096;

export interface Received {
  readonly request: Request;
  readonly text: string;
  readonly fd: Fd | undefined;
}

/** The message that tells of a failure; exec.fifo carries it too. */
export function failure(text: string): string {
  return `failed ${text.slice(0, LIMIT - 100)}`;
}

/** The text of a failure that came through exec.fifo, or undefined. */
export function failureIn(message: string): string | undefined {
  return message.startsWith("failed ") ? message.slice(7) : undefined;
}

/** Init's side. */
export function tell(sys: Sys, channel: Fd, request: Request, fds: readonly Fd[] = []): void {
  sys.sendMessage(channel, `${request} `, fds);
}

/** Init's side: waits for the parent's answer. Throws where the parent has gone. */
export function waitForParent(sys: Sys, channel: Fd): void {
  if (sys.receiveMessage(channel, LIMIT).text === "") throw new Error("the parent died");
}

/** The parent's side: lets init go on. Where it has ended, its last words are still to be read. */
export function goOn(sys: Sys, channel: Fd): void {
  try {
    sys.sendMessage(channel, "goOn", []);
  } catch (error) {
    if (!isErrno(error, "EPIPE", "ECONNRESET")) throw error;
  }
}

/** An end that was closed with something unread in it answers ECONNRESET first, and then what it has said: unix(7). */
function receiveLast(sys: Sys, channel: Fd): ReturnType<Sys["receiveMessage"]> {
  try {
    return sys.receiveMessage(channel, LIMIT);
  } catch (error) {
    if (!isErrno(error, "ECONNRESET")) throw error;
    return sys.receiveMessage(channel, LIMIT);
  }
}

/** The parent's side: the next message, or undefined where init has closed its end. */
export function receive(sys: Sys, channel: Fd): Received | undefined {
  const { text: message, fds } = receiveLast(sys, channel);
  if (message === "") return undefined;
  const space = message.indexOf(" ");
  const request = message.slice(0, space);
  if (!(request in REQUESTS)) throw new Failure(`init says ${JSON.stringify(message)}, which means nothing`);
  return { request: request as Request, text: message.slice(space + 1), fd: fds[0] };
}
