/** What a unit test may use. The shipped engine has no node:test: there this file is replaced by one of its own. */

import assert from "node:assert/strict";
import nodeTest from "node:test";

export function test(name: string, fn: () => void): void {
  void nodeTest(name, fn); // Its end is waited for by the runner.
}

export function ok(condition: boolean, message?: string): void {
  assert.ok(condition, message);
}

export function equal<T>(actual: T, expected: T, message?: string): void {
  assert.equal(actual, expected, message);
}

export function deepEqual<T>(actual: T, expected: T, message?: string): void {
  assert.deepEqual(actual, expected, message);
}

/** Fails unless `fn` throws an Error whose message has `substring` in it. */
export function throws(fn: () => void, substring: string): void {
  assert.throws(fn, (error) => error instanceof Error && error.message.includes(substring));
}
