/** `hooks` of config.json: config#posix-platform-hooks. */

import { absolutePathIn, integerIn, listIn, objectIn, requiredStringIn, stringsIn } from "./reader.ts";
import type { JsonObject, Range } from "./reader.ts";
import type { Hook, HookStage, Spec } from "./spec.ts";

/** Seconds whose milliseconds still fit 32 bits; 24 days are as good as any longer time. */
const MAX_TIMEOUT = 2147483;
const TIMEOUT: Range = { min: 1, max: Number.MAX_SAFE_INTEGER };

/** The hooks of each stage in their order. */
export function parseHooks(config: JsonObject): Spec["hooks"] {
  const raw = objectIn(config, "hooks", "") ?? {};
  return {
    prestart: parseStage(raw, "prestart"),
    createRuntime: parseStage(raw, "createRuntime"),
    createContainer: parseStage(raw, "createContainer"),
    startContainer: parseStage(raw, "startContainer"),
    poststart: parseStage(raw, "poststart"),
    poststop: parseStage(raw, "poststop"),
  };
}

function parseStage(raw: JsonObject, stage: HookStage): Hook[] {
  return listIn(raw, stage, "hooks", parseHook);
}

function parseHook(raw: JsonObject, at: string): Hook {
  requiredStringIn(raw, "path", at);
  // Not cleaned: it is executed on the host as it stands, and symbolic links may make ".." mean something.
  const path = absolutePathIn(raw, "path", at) ?? "";
  const args = stringsIn(raw, "args", at);
  const timeout = integerIn(raw, "timeout", at, TIMEOUT);
  return {
    path,
    // execv(3) semantics, so the first is the hook's own name; without any, the path is it.
    args: args.length === 0 ? [path] : args,
    env: stringsIn(raw, "env", at),
    timeout: timeout === undefined ? undefined : Math.min(timeout, MAX_TIMEOUT),
  };
}
