/**
 * Lets Node run this folder's TypeScript: `node --import ./scripts/typescript.mjs FILE`. Types are taken off once for each content
 * of a file, which is then in build/typescript: a test run starts some 150 processes, and a general loader costs each of them
 * as much as Node itself.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const CACHE = fileURLToPath(new URL("../build/typescript/", import.meta.url));

if (isMainThread) {
  register(import.meta.url);
  process.setSourceMapsEnabled(true);
}

/** A hook of Node's, which calls it in a thread of its own: https://nodejs.org/docs/latest-v20.x/api/module.html#loadurl-context-nextload */
export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
  const path = fileURLToPath(url);
  const text = readFileSync(path, "utf8");
  const cached = CACHE + createHash("sha256").update(`${path}\0${text}`).digest("hex");
  return { format: "module", source: readIfAny(cached) ?? (await strip(path, text, cached)), shortCircuit: true };
}

function readIfAny(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

async function strip(path, text, cached) {
  const { transform } = await import("esbuild");
  const options = { loader: "ts", format: "esm", target: "node20", sourcefile: path };
  const { code } = await transform(text, { ...options, sourcemap: "inline", sourcesContent: false });
  mkdirSync(CACHE, { recursive: true });
  // Several processes may be at it.
  const temporary = `${cached}.${process.pid}`;
  writeFileSync(temporary, code);
  renameSync(temporary, cached);
  return code;
}
