/** A small config.json that is right, and ways to make it wrong. */

import { parseSpec } from "../../../src/spec/parse.ts";
import type { Spec } from "../../../src/spec/spec.ts";
import { throws } from "../../support/unit.ts";

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export const BUNDLE = "/bundles/box";

/** What every test starts from; a new copy each time. */
function minimal(): JsonObject {
  return {
    ociVersion: "1.3.0",
    process: { args: ["sh"], cwd: "/", capabilities: {} },
    root: { path: "rootfs" },
    linux: { namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })) },
  };
}

/** `minimal()` with `value` put at `path`, such as "linux.resources.pids.limit"; undefined takes it away. */
export function config(path: string, value: Json | undefined): JsonObject {
  const whole = minimal();
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  let at = whole;
  for (const key of keys) at = inner(at, key);
  if (value === undefined) delete at[last];
  else at[last] = value;
  return whole;
}

/** The object at `key` of `outer`, put there where there is none. */
export function inner(outer: JsonObject, key: string): JsonObject {
  const found = outer[key];
  if (isObject(found)) return found;
  const made: JsonObject = {};
  outer[key] = made;
  return made;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `value` as JSON, a copy that may be changed. */
export function copyOf(value: object): JsonObject {
  const copy: JsonObject = JSON.parse(JSON.stringify(value));
  return copy;
}

export function parse(whole: JsonObject): Spec {
  return parseSpec(JSON.stringify(whole), BUNDLE);
}

/** The Spec of `config(path, value)`. */
export function parseWith(path: string, value: Json | undefined): Spec {
  return parse(config(path, value));
}

/** Fails unless `config(path, value)` is refused with `message` in the error. */
export function refuses(path: string, value: Json | undefined, message: string): void {
  throws(() => parseWith(path, value), message);
}
