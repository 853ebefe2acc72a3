/** Mutants of a config.json, the same ones for the same seed. */

import { copyOf } from "./example.ts";
import type { Json, JsonObject } from "./example.ts";

export type Random = (below: number) => number;

/** xorshift32: enough to be spread out, and the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const LONG = "x".repeat(5000);

/** Values that are likely to be wrong somewhere. */
const STRANGE: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  -0.5,
  255,
  65536,
  2147483648,
  4294967295,
  4294967296,
  2 ** 53 + 2,
  1e19,
  1e300,
  "",
  "0",
  "a",
  "/",
  "..",
  "../..",
  "/proc",
  "/proc/self/attr",
  "a\nb",
  "a\u0000b",
  "\u001b[2J\u009b",
  "é".repeat(40),
  LONG,
  "__proto__",
  "constructor",
  "toString",
  "rro",
  "rbind",
  "size=1,mode=2",
  "CAP_NOBODY",
  "SCMP_ACT_NOTIFY",
  "A=B",
  "=",
  [],
  {},
  [[]],
  [null],
  [1],
  ["a"],
  { a: 1 },
  { __proto__: null },
  [{}],
  { length: -1 },
];

const KEYS: readonly string[] = [
  "path",
  "type",
  "options",
  "unified",
  "rdma",
  "memory",
  "timeOffsets",
  "personality",
  "selinuxLabel",
  "umask",
  "idle",
  "uidMappings",
  "flags",
  "listenerPath",
  "hugepageLimits",
  "blockIO",
  "domainname",
  "vm",
  "a\nb",
  "\u0000",
  LONG,
];

/** The text of a mutant of `base`. */
export function mutant(base: JsonObject, random: Random): string {
  const whole = copyOf(base);
  for (let changes = 1 + random(3); changes > 0; changes--) change(whole, random);
  const text = JSON.stringify(whole);
  return random(4) === 0 ? garble(text, random) : text;
}

function change(whole: JsonObject, random: Random): void {
  const places = containersOf(whole);
  const place = places[random(places.length)] ?? whole;
  const keys = Object.keys(place);
  const key = keys[random(Math.max(1, keys.length))];
  const value = copyOf([STRANGE[random(STRANGE.length)] ?? null])[0] ?? null;
  switch (random(6)) {
    case 0:
      if (key !== undefined) Reflect.deleteProperty(place, key);
      break;
    case 1:
      if (Array.isArray(place)) place.push(value, ...place.slice(0, 3));
      else place[KEYS[random(KEYS.length)] ?? ""] = value;
      break;
    case 2:
      if (key !== undefined) Reflect.set(place, key, nested(Reflect.get(place, key), 1 + random(300), random));
      break;
    default:
      if (key !== undefined) Reflect.set(place, key, value);
  }
}

function nested(value: Json, depth: number, random: Random): Json {
  let outer = value;
  for (; depth > 0; depth--) outer = random(2) === 0 ? [outer] : { a: outer };
  return outer;
}

function containersOf(value: Json): (JsonObject | Json[])[] {
  if (typeof value !== "object" || value === null) return [];
  const containers: (JsonObject | Json[])[] = [value];
  for (const inner of Object.values(value)) containers.push(...containersOf(inner));
  return containers;
}

const PIECES: readonly string[] = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "\\u0000",
  "\u0000",
  "\n",
  " ",
  "-",
  "1e999",
  "18446744073709551616",
  "0",
  "nul",
  "\ud800",
  "/*",
  "9".repeat(1000),
  "[".repeat(2000),
  '{"a":'.repeat(500),
];

/** Cuts, doubles or flips something in the text itself. */
function garble(text: string, random: Random): string {
  const at = random(text.length);
  const piece = PIECES[random(PIECES.length)] ?? "";
  switch (random(4)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + piece + text.slice(at);
    case 2:
      return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << random(7))) + text.slice(at + 1);
    default:
      return text.slice(0, at) + text.slice(at + 1 + random(20));
  }
}
