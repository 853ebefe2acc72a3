/**
 * JSON text → value. The engine's own parser does the work; ours takes over where the engine's is not good
 * enough: to say where a text is broken, to refuse deep nesting, and to read integers beyond 2^53 exactly.
 */

import { SpecError } from "./error.ts";
import { quote } from "./reader.ts";

/** Deep and large input must be an error, never a stack overflow or a hang: security-rules §3, 5. */
const MAX_DEPTH = 128;
const MAX_LENGTH = 64 * 1024 * 1024;

/** More digits than any field can hold: what is longer stays a (rounded) number and is refused for its size. */
const MAX_DIGITS = 40;

/** Parses `text` fast. Integers beyond 2^53 are rounded: a reader that meets one asks for `parseExactJson`. */
export function parseJson(text: string): unknown {
  if (text.length > MAX_LENGTH || mayBeDeep(text)) return parseExactJson(text);
  try {
    return JSON.parse(text);
  } catch {
    // The engine's message has no line, and deep nesting gives a stack overflow: ours says what is wrong.
    return parseExactJson(text);
  }
}

/** The JSON of a value that may have bigints in it: every digit of them is written. */
export function writeJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    // The engine's own writer, ten times as fast, refuses bigints.
    return writeExactJson(value);
  }
}

function writeExactJson(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(writeExactJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${writeExactJson(member)}`).join(",")}}`;
}

/** Parses `text` so that integers beyond 2^53 become bigint, however they are written: 2^64-1, 1e19, 1.5e20. */
export function parseExactJson(text: string): unknown {
  if (text.length > MAX_LENGTH) {
    throw new SpecError("", `JSON text must not be longer than ${MAX_LENGTH} characters: it has ${text.length}`);
  }
  return parseWhole({ text, at: 0, accepted: false });
}

/** The same, faster, for a text that JSON.parse has accepted. */
export function parseAcceptedJson(text: string): unknown {
  return parseWhole({ text, at: 0, accepted: true });
}

interface Cursor {
  readonly text: string;
  at: number;
  /** Whether strings are known to be well-formed. */
  readonly accepted: boolean;
}

function parseWhole(cursor: Cursor): unknown {
  skipSpace(cursor);
  const value = parseValue(cursor, 1);
  if (cursor.at < cursor.text.length) throw malformed(cursor, "the end of the text");
  return value;
}

/** No more of a text is split at once: each bracket makes a string. */
const PIECE = 2048;

/**
 * Whether nesting might exceed the limit, estimated piece by piece with native searches: a loop over every
 * character costs the engine more than all of JSON.parse. Brackets in strings make it err; where it errs upwards
 * our own parser counts exactly, where downwards the engine's stack check still stands.
 */
function mayBeDeep(text: string): boolean {
  let opened = 0;
  for (let at = 0; at < text.length && opened <= MAX_DEPTH; at += PIECE) opened += opening(text.slice(at, at + PIECE));
  if (opened <= MAX_DEPTH) return false;
  let open = 0;
  for (let at = 0; at < text.length; at += PIECE) {
    const part = text.slice(at, at + PIECE);
    const more = opening(part);
    if (open + more > MAX_DEPTH) return true;
    open = Math.max(0, open + more - count(part, "}") - count(part, "]"));
  }
  return false;
}

function opening(part: string): number {
  return count(part, "{") + count(part, "[");
}

/** A split at one character is what the engine does fastest: a third of the time of as many searches. */
function count(part: string, character: string): number {
  return part.split(character).length - 1;
}

/** One value and the space after it. */
function parseValue(cursor: Cursor, depth: number): unknown {
  const value = parseBareValue(cursor, depth);
  skipSpace(cursor);
  return value;
}

function parseBareValue(cursor: Cursor, depth: number): unknown {
  const first = cursor.text.charAt(cursor.at);
  switch (first) {
    case "{":
    case "[":
      if (depth > MAX_DEPTH) throw brokenAt(cursor, cursor.at, `nesting must not be deeper than ${MAX_DEPTH} levels`);
      return first === "{" ? parseObject(cursor, depth) : parseArray(cursor, depth);
    case '"':
      return parseString(cursor);
    case "t":
      return parseWord(cursor, "true", true);
    case "f":
      return parseWord(cursor, "false", false);
    case "n":
      return parseWord(cursor, "null", null);
    default:
      if (first !== "-" && !isDigit(first)) throw malformed(cursor, "a value");
      return parseNumber(cursor);
  }
}

function parseObject(cursor: Cursor, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  cursor.at++;
  skipSpace(cursor);
  if (take(cursor, "}")) return object;
  for (;;) {
    if (cursor.text.charAt(cursor.at) !== '"') throw malformed(cursor, "a property name in quotes");
    const key = parseString(cursor);
    skipSpace(cursor);
    if (!take(cursor, ":")) throw malformed(cursor, '":"');
    skipSpace(cursor);
    put(object, key, parseValue(cursor, depth + 1));
    if (take(cursor, "}")) return object;
    if (!take(cursor, ",")) throw malformed(cursor, '"," or "}"');
    skipSpace(cursor);
  }
}

/** The last of a repeated name counts, as in JSON.parse and in runc's decoder. */
function put(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") object[key] = value;
  // An assignment would change the object's prototype instead.
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function parseArray(cursor: Cursor, depth: number): unknown[] {
  const array: unknown[] = [];
  cursor.at++;
  skipSpace(cursor);
  if (take(cursor, "]")) return array;
  for (;;) {
    array.push(parseValue(cursor, depth + 1));
    if (take(cursor, "]")) return array;
    if (!take(cursor, ",")) throw malformed(cursor, '"," or "]"');
    skipSpace(cursor);
  }
}

function parseString(cursor: Cursor): string {
  const start = cursor.at;
  if (cursor.accepted) {
    const end = cursor.text.indexOf('"', start + 1);
    const plain = cursor.text.slice(start + 1, end);
    if (!plain.includes("\\")) {
      cursor.at = end + 1;
      return plain;
    }
  }
  return parseAnyString(cursor, start);
}

function parseAnyString(cursor: Cursor, start: number): string {
  const { text } = cursor;
  let escaped = false;
  let at = start + 1;
  for (; ; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) break;
    if (code === 0x5c) {
      escaped = true;
      at++; // Whatever it is, it does not end the string.
    } else if (at >= text.length) {
      throw brokenAt(cursor, start, "expected a closing quote for the string");
    } else if (code < 0x20) {
      throw brokenAt(cursor, at, "control characters in strings must be escaped");
    }
  }
  cursor.at = at + 1;
  return escaped ? unescape(cursor, start) : text.slice(start + 1, at);
}

/** The engine knows the escapes; it only lacks the line of a wrong one. */
function unescape(cursor: Cursor, start: number): string {
  try {
    return String(JSON.parse(cursor.text.slice(start, cursor.at)));
  } catch {
    throw brokenAt(cursor, start, "the string has a wrong escape");
  }
}

function parseWord<T>(cursor: Cursor, word: string, value: T): T {
  if (!cursor.text.startsWith(word, cursor.at)) throw malformed(cursor, "a value");
  cursor.at += word.length;
  return value;
}

function parseNumber(cursor: Cursor): number | bigint {
  const start = cursor.at;
  take(cursor, "-");
  if (!take(cursor, "0")) skipDigits(cursor);
  const whole = cursor.text.slice(start, cursor.at);
  let fraction = "";
  if (take(cursor, ".")) fraction = skipDigits(cursor);
  let exponent = "0";
  if (take(cursor, "e") || take(cursor, "E")) {
    const sign = take(cursor, "-") ? "-" : "";
    if (sign === "") take(cursor, "+");
    exponent = sign + skipDigits(cursor);
  }
  const rounded = Number(cursor.text.slice(start, cursor.at));
  if (Math.abs(rounded) <= Number.MAX_SAFE_INTEGER) return rounded;
  return exactInteger(whole + fraction, Number(exponent) - fraction.length) ?? rounded;
}

/** digits × 10^exponent, where that is an integer of a size that somebody might want. */
function exactInteger(digits: string, exponent: number): bigint | undefined {
  if (digits.length + Math.abs(exponent) > MAX_DIGITS) return undefined;
  if (exponent >= 0) return BigInt(digits) * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  const dividend = BigInt(digits);
  return dividend % divisor === 0n ? dividend / divisor : undefined;
}

function skipDigits(cursor: Cursor): string {
  const start = cursor.at;
  while (isDigit(cursor.text.charAt(cursor.at))) cursor.at++;
  if (cursor.at === start) throw malformed(cursor, "a digit");
  return cursor.text.slice(start, cursor.at);
}

function isDigit(character: string): boolean {
  return character >= "0" && character <= "9" && character.length === 1;
}

function take(cursor: Cursor, character: string): boolean {
  if (cursor.text.charAt(cursor.at) !== character) return false;
  cursor.at++;
  return true;
}

function skipSpace(cursor: Cursor): void {
  const { text } = cursor;
  let { at } = cursor;
  for (;;) {
    const code = text.charCodeAt(at);
    // The first comparison is enough for nearly all that is no space; NaN, the end of the text, fails the others.
    if (code > 0x20 || (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09)) break;
    at++;
  }
  cursor.at = at;
}

function malformed(cursor: Cursor, expected: string): SpecError {
  const found = cursor.at < cursor.text.length ? quote(cursor.text.charAt(cursor.at)) : "the end of the text";
  return brokenAt(cursor, cursor.at, `expected ${expected} but found ${found}`);
}

function brokenAt(cursor: Cursor, at: number, says: string): SpecError {
  const before = cursor.text.slice(0, at).split("\n");
  const column = (before.at(-1) ?? "").length + 1;
  return new SpecError("", `JSON is malformed at line ${before.length}, column ${column}: ${says}`);
}
