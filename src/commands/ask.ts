/** Asking a person, on the terminal that is standard input. */
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { decodeUtf8 } from "../image/utf8.ts";

/** Longer is no name and no password. */
const LONGEST = 64 << 10;

const [INTERRUPT, END, BACKSPACE, DELETE] = ["\u0003", "\u0004", "\b", "\u007f"];

/** What a person answers to `question`; one that is secret is not shown while it is typed. Throws a Failure. */
export function ask(sys: Sys, question: string, secret: boolean): string {
  const [input, errors] = [sys.inherited(0), sys.inherited(2)];
  try {
    if (!sys.isTerminal(input))
      throw new Failure("there is no terminal to ask on: give --username and --password-stdin");
    sys.writeText(errors, question);
    if (!secret) return readLine(sys, input);
    const before = sys.rawTerminal(input);
    try {
      return readSecret(sys, input);
    } finally {
      sys.restoreTerminal(input, before);
      sys.writeText(errors, "\n");
    }
  } finally {
    // They stay open.
    input.take();
    errors.take();
  }
}

/** The first line of standard input, or all of it where it has no end. Throws a Failure. */
export function readPassword(sys: Sys): string {
  const input = sys.inherited(0);
  try {
    return readLine(sys, input);
  } finally {
    input.take();
  }
}

function readLine(sys: Sys, input: Fd): string {
  let raw = "";
  for (;;) {
    const character = readByte(sys, input);
    if (character === "" || character === "\n") return decodeUtf8(raw.endsWith("\r") ? raw.slice(0, -1) : raw);
    raw = lengthened(raw, character);
  }
}

/** The terminal is raw: keys that it would heed by itself come as they are. */
function readSecret(sys: Sys, input: Fd): string {
  let raw = "";
  for (;;) {
    const character = readByte(sys, input);
    if (character === INTERRUPT) throw new Failure("interrupted");
    if (["", "\r", "\n", END].includes(character)) return decodeUtf8(raw);
    raw = character === BACKSPACE || character === DELETE ? raw.slice(0, -1) : lengthened(raw, character);
  }
}

function readByte(sys: Sys, input: Fd): string {
  return String.fromCharCode(...sys.readSome(input, 1));
}

function lengthened(raw: string, character: string): string {
  if (raw.length >= LONGEST) throw new Failure(`what is typed has more than ${LONGEST} characters`);
  return raw + character;
}
