/** A JSON document whose text comes from outside → whatever `build` makes of it. */

import { SpecError } from "./error.ts";
import { parseAcceptedJson, parseExactJson, parseJson } from "./json.ts";
import { asObject, entryOf, InexactNumber, quote } from "./reader.ts";
import type { JsonObject } from "./reader.ts";

/**
 * What `build` makes of the object in `text`. None of its strings contains NUL, so that none is cut short on its
 * way to the kernel: readers need not look. `build` runs twice where it meets an integer that JSON.parse has rounded.
 */
export function readDocument<T>(text: string, build: (object: JsonObject) => T): T {
  if (mayHaveNul(text)) {
    const value = parseExactJson(text);
    refuseNul(value, "");
    return build(asObject(value, ""));
  }
  const value = parseJson(text);
  try {
    return build(asObject(value, ""));
  } catch (error) {
    if (!(error instanceof InexactNumber)) throw error;
    // Rare (RLIM_INFINITY, say), so the common case pays nothing for it.
    return build(asObject(parseAcceptedJson(text), ""));
  }
}

/**
 * One search in the text instead of one in every string: JSON cannot have NUL but by this escape. Most texts have
 * no backslash at all, and a split at one character is what the engine does fastest.
 */
function mayHaveNul(text: string): boolean {
  return text.split("\\").length > 1 && text.includes("\\u0000");
}

function refuseNul(value: unknown, at: string): void {
  if (typeof value === "string") {
    if (!value.includes("\0")) return;
    throw new SpecError(shorten(at), `must not contain NUL: current value is ${quote(value)}`);
  } else if (Array.isArray(value)) {
    for (const [index, entry] of value.entries()) refuseNul(entry, `${at}[${index}]`);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, entry] of Object.entries(value)) {
      refuseNul(key, at);
      refuseNul(entry, placeOf(at, key));
    }
  }
}

/** Keys of maps are free text, names of properties are words. */
function placeOf(at: string, key: string): string {
  if (key.length > 40) return entryOf(at, key);
  for (const character of key) if (!isLetter(character)) return entryOf(at, key);
  return at === "" ? key : `${at}.${key}`;
}

/** Nobody knows how deep what nobody reads is nested. */
function shorten(at: string): string {
  return at.length > 1000 ? `${at.slice(0, 1000)}…` : at;
}

function isLetter(character: string): boolean {
  return (character >= "a" && character <= "z") || (character >= "A" && character <= "Z");
}
