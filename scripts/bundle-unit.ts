/**
 * Bundles the unit tests for the engine that ships, with test/support/unit.ts replaced by unit-engine.ts.
 * Usage: `node --import tsx scripts/bundle-unit.ts OUT.js`
 */
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "esbuild";

const out = process.argv[2] ?? "build/unit/main.js";
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const tests = readdirSync("test/unit", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".test.ts") && !path.endsWith(".node.test.ts"))
  .map((path) => `test/unit/${path}`)
  .toSorted();

await build({
  stdin: {
    contents: [
      ...tests.map((path) => `import "./${path}";`),
      'export { main } from "./test/support/unit-engine.ts";',
    ].join("\n"),
    resolveDir: process.cwd(),
    loader: "ts",
  },
  outfile: out,
  bundle: true,
  format: "esm",
  target: "esnext",
  platform: "neutral",
  define: { VERSION: JSON.stringify(version) },
  logLevel: "warning",
  plugins: [
    {
      name: "engine",
      setup(builder) {
        builder.onResolve({ filter: /support\/unit\.ts$/ }, () => ({ path: resolve("test/support/unit-engine.ts") }));
      },
    },
  ],
});
