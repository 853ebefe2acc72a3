/**
 * Bundles the program for the engine: `main` and each module that it loads when needed (`sys.load("…")`), with what they
 * share in chunks. Usage: `node --import ./scripts/typescript.mjs scripts/bundle.ts OUT`; the modules are written to `OUT/js`. What is rehearsed
 * when the program is built (scripts/rehearsal) becomes `OUT/scenarios.js`: nothing of the program's modules is in it.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { build, type BuildOptions } from "esbuild";
import { ALIASES } from "./aliases.ts";

const out = process.argv[2] ?? "build";
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

/** The rows of src/sys/modules.ts: `"name": typeof import("../path.ts")`. */
function lazyModules(): Record<string, string> {
  const entries: Record<string, string> = { main: "src/main.ts" };
  const rows = readFileSync("src/sys/modules.ts", "utf8").matchAll(/"?([\w-]+)"?: typeof import\("\.\.\/([^"]+)"\)/g);
  for (const [, name = "", path = ""] of rows) entries[name] = `src/${path}`;
  return entries;
}

/** Of everything that makes a filter what it is: another compiler must not find the filters of this one. */
function compilerDigest(): string {
  const hash = createHash("sha256");
  const files = readdirSync("src/mechanisms", { recursive: true, encoding: "utf8" }).toSorted();
  for (const path of files.filter((name) => /^(seccomp|bpf|syscalls\/).*\.ts$/.test(name))) {
    hash.update(readFileSync(`src/mechanisms/${path}`));
  }
  return hash.digest("hex").slice(0, 16);
}

const COMMON = {
  bundle: true,
  format: "esm",
  target: "esnext",
  platform: "neutral",
  define: { VERSION: JSON.stringify(version), SECCOMP_COMPILER: JSON.stringify(compilerDigest()) },
  logLevel: "warning",
} as const satisfies BuildOptions;

rmSync(`${out}/js`, { recursive: true, force: true });
await build({
  ...COMMON,
  entryPoints: lazyModules(),
  outdir: `${out}/js`,
  splitting: true,
  alias: ALIASES,
  minifySyntax: true,
  chunkNames: "chunk-[hash]",
});
await build({ ...COMMON, entryPoints: ["scripts/rehearsal/scenarios.ts"], outfile: `${out}/scenarios.js` });
