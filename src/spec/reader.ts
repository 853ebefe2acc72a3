/**
 * Typed access to a parsed config.json. Every reader takes the object, the name of the property and the JSON path
 * of the object; the path of the property is put together only when something is wrong with it. `null` is the same
 * as absence, as for runc's decoder. Strings are free of NUL: document.ts has seen to it. Loops count, because an
 * iterator costs the engine several times the work that is done here for an entry.
 */

import { SpecError } from "./error.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Both ends belong to it. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export const UINT16: Range = { min: 0, max: 0xffff };
export const UINT32: Range = { min: 0, max: 0xffffffff };
/** Ids of users and groups: the kernel takes 2^32-1 for "leave as it is" (setresuid(2)), CVE-2024-40635. */
export const ID: Range = { min: 0, max: 0xfffffffe };

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const UINT64 = { min: 0n, max: 2n ** 64n - 1n };

const NOTHING: readonly never[] = [];

/** A number that JSON.parse has rounded (or that nobody can mean): the text has to be read by the exact parser. */
export class InexactNumber extends SpecError {}

/** The JSON path of a property. */
export function pathOf(at: string, key: string): string {
  return at === "" ? key : `${at}.${key}`;
}

/** The JSON path of an entry of a map whose keys are free text. */
export function entryOf(at: string, key: string): string {
  return `${at}[${quote(key)}]`;
}

/** `text` in quotes, on one line, safe for a terminal, and not too long for a message. */
export function quote(text: string): string {
  const shown = text.length > 120 ? `${text.slice(0, 117)}…` : text;
  let quoted = "";
  for (const character of JSON.stringify(shown)) {
    const code = character.charCodeAt(0);
    // JSON leaves DEL and the C1 controls as they are, and a terminal obeys some of them.
    const control = (code >= 0x7f && code <= 0x9f) || code === 0x2028 || code === 0x2029;
    quoted += control ? `\\u${code.toString(16).padStart(4, "0")}` : character;
  }
  return quoted;
}

/** The error for a value that is not what it should be. */
export function mustBe(at: string, what: string, value: unknown): SpecError {
  return new SpecError(at, `must be ${what}: current value is ${describe(value)}`);
}

function describe(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** `value` as an object. */
export function asObject(value: unknown, at: string): JsonObject {
  if (!isObject(value)) throw mustBe(at, "an object", value);
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object, or undefined where there is none. */
export function objectIn(object: JsonObject, key: string, at: string): JsonObject | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  return asObject(value, pathOf(at, key));
}

/** An array, empty where there is none. */
export function arrayIn(object: JsonObject, key: string, at: string): readonly unknown[] {
  const value = object[key];
  if (value === undefined || value === null) return NOTHING;
  if (!Array.isArray(value)) throw mustBe(pathOf(at, key), "an array", value);
  return value;
}

/** What `parse` makes of each object of an array, given its JSON path; empty where there is none. */
export function listIn<T>(
  object: JsonObject,
  key: string,
  at: string,
  parse: (entry: JsonObject, entryAt: string) => T,
): T[] {
  const entries = arrayIn(object, key, at);
  const { length } = entries;
  if (length === 0) return [];
  const list: T[] = [];
  const prefix = `${pathOf(at, key)}[`;
  for (let index = 0; index < length; index++) {
    const entryAt = `${prefix}${index}]`;
    list.push(parse(asObject(entries[index], entryAt), entryAt));
  }
  return list;
}

/** A boolean, false where there is none. */
export function booleanIn(object: JsonObject, key: string, at: string): boolean {
  const value = object[key];
  if (value === undefined || value === null) return false;
  if (typeof value !== "boolean") throw mustBe(pathOf(at, key), "true or false", value);
  return value;
}

/** A string, "" where there is none. */
export function stringIn(object: JsonObject, key: string, at: string): string {
  const value = object[key];
  if (value === undefined || value === null) return "";
  return asString(value, pathOf(at, key));
}

/** A string that must be there and not be empty. */
export function requiredStringIn(object: JsonObject, key: string, at: string): string {
  const value = stringIn(object, key, at);
  if (value === "") throw missing(object, key, at);
  return value;
}

function missing(object: JsonObject, key: string, at: string): SpecError {
  return new SpecError(pathOf(at, key), object[key] === "" ? "must not be empty" : "is required");
}

/** `value` as a string. */
function asString(value: unknown, at: string): string {
  if (typeof value !== "string") throw mustBe(at, "a string", value);
  return value;
}

/** An array of strings, empty where there is none. */
export function stringsIn(object: JsonObject, key: string, at: string): readonly string[] {
  const value = arrayIn(object, key, at);
  if (areStrings(value)) return value;
  const index = value.findIndex((entry) => typeof entry !== "string");
  throw mustBe(`${pathOf(at, key)}[${index}]`, "a string", value[index]);
}

function areStrings(values: readonly unknown[]): values is readonly string[] {
  const { length } = values;
  for (let index = 0; index < length; index++) if (typeof values[index] !== "string") return false;
  return true;
}

/** A map of strings, empty where there is none. */
export function stringMapIn(object: JsonObject, key: string, at: string): Readonly<Record<string, string>> {
  const map = objectIn(object, key, at);
  if (map === undefined) return {};
  if (!isStringMap(map)) {
    const name = Object.keys(map).find((entry) => typeof map[entry] !== "string") ?? "";
    throw mustBe(entryOf(pathOf(at, key), name), "a string", map[name]);
  }
  return map;
}

function isStringMap(map: JsonObject): map is Readonly<Record<string, string>> {
  for (const name of Object.keys(map)) if (typeof map[name] !== "string") return false;
  return true;
}

/** An integer within `range`, or undefined where there is none. */
export function integerIn(object: JsonObject, key: string, at: string, range: Range): number | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  return asInteger(value, pathOf(at, key), range);
}

/** `value` as an integer within `range`, whose ends are below 2^53. */
export function asInteger(value: unknown, at: string, range: Range): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= range.min && value <= range.max) {
    return value + 0; // -0 becomes 0.
  }
  if (isInexact(value)) throw inexact(at, value);
  throw mustBe(at, `an integer from ${range.min} to ${range.max}`, value);
}

/** An exact integer of a signed 64-bit field, or undefined where there is none. */
export function int64In(object: JsonObject, key: string, at: string): bigint | undefined {
  return wideIn(object, key, at, INT64);
}

/** An exact integer of an unsigned 64-bit field, or undefined where there is none. */
export function uint64In(object: JsonObject, key: string, at: string): bigint | undefined {
  return wideIn(object, key, at, UINT64);
}

function wideIn(object: JsonObject, key: string, at: string, range: { min: bigint; max: bigint }): bigint | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (isInexact(value)) throw inexact(pathOf(at, key), value);
  const wide = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof wide === "bigint" && wide >= range.min && wide <= range.max) return wide;
  throw mustBe(pathOf(at, key), `an integer from ${range.min} to ${range.max}`, value);
}

function isInexact(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER;
}

function inexact(at: string, value: number): InexactNumber {
  return new InexactNumber(at, `must be an integer that fits its field: current value is about ${value}`);
}

/** An absolute path, or undefined where there is none. It is not cleaned here. */
export function absolutePathIn(object: JsonObject, key: string, at: string): string | undefined {
  const path = stringIn(object, key, at);
  if (path === "") return undefined;
  if (!path.startsWith("/")) throw mustBe(pathOf(at, key), "an absolute path", path);
  return path;
}
