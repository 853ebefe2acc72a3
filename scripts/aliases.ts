/** What stands in, inside the engine, for the modules of Node that commander and debug ask for. For esbuild. */
export const ALIASES: Record<string, string> = {
  "node:events": "./src/commands/shims/events.ts",
  "node:process": "./src/commands/shims/process.ts",
  "node:child_process": "./src/commands/shims/nothing.ts",
  "node:fs": "./src/commands/shims/nothing.ts",
  "node:path": "./src/commands/shims/nothing.ts",
  // Their packages have no entry that esbuild would take on a platform that is neither Node nor a browser.
  debug: "./node_modules/debug/src/browser.js",
  ms: "./node_modules/ms/index.js",
};
