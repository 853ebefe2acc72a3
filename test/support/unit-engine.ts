/** unit.ts for the engine that ships: the same few assertions, and a main that the host calls. */
import type { Native } from "../../src/sys/native.d.ts";

interface Case {
  readonly name: string;
  readonly fn: () => void;
}

const cases: Case[] = [];

export function test(name: string, fn: () => void): void {
  cases.push({ name, fn });
}

export function ok(condition: boolean, message = "is not true"): void {
  if (!condition) throw new Error(message);
}

export function equal<T>(actual: T, expected: T, message?: string): void {
  if (!Object.is(actual, expected)) throw new Error(message ?? `${show(actual)} is not ${show(expected)}`);
}

export function deepEqual<T>(actual: T, expected: T, message?: string): void {
  if (!same(actual, expected)) throw new Error(message ?? `${show(actual)} is not ${show(expected)}`);
}

export function throws(fn: () => void, substring: string): void {
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof Error)) throw new Error("nothing was thrown");
  if (!thrown.message.includes(substring)) throw new Error(`${show(thrown.message)} does not say ${show(substring)}`);
}

/** Runs what was registered; prints failures and the counts. */
export function main(native: Native, args: readonly string[]): number {
  const out = native.inherited(1);
  let failed = 0;
  for (const { name, fn } of cases) {
    try {
      fn();
    } catch (error) {
      failed++;
      const why = error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error);
      native.writeText(out, `not ok ${name}\n  ${why.split("\n").join("\n  ")}\n`);
    }
  }
  native.writeText(out, `${args[0] ?? "unit"}: ${cases.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

function same(actual: unknown, expected: unknown): boolean {
  if (Object.is(actual, expected)) return true;
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) return false;
  if (actual instanceof Map && expected instanceof Map) return same([...actual], [...expected]);
  if (actual instanceof Set && expected instanceof Set) return same([...actual], [...expected]);
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return false;
  const keys = Object.keys(actual);
  if (keys.length !== Object.keys(expected).length) return false;
  return keys.every((key) => key in expected && same(field(actual, key), field(expected, key)));
}

function field(object: object, key: string): unknown {
  return (object as Record<string, unknown>)[key];
}

function show(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner)) ??
      String(value)
    );
  } catch {
    return String(value);
  }
}
