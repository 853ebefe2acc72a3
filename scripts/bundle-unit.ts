/**
 * Bundles unit tests for the engine that ships, a file for each, with test/support/unit.ts replaced by unit-engine.ts: the
 * engine has the memory of one command, not of all tests together.
 * Usage: `node --import ./scripts/typescript.mjs scripts/bundle-unit.ts OUT`
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "esbuild";

const out = process.argv[2] ?? "build/unit";
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const tests = readdirSync("test/unit", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".test.ts") && !path.endsWith(".node.test.ts"))
  .map((path) => `test/unit/${path}`)
  .toSorted();

rmSync(out, { recursive: true, force: true });
for (const path of tests) {
  const name = path.slice("test/unit/".length, -".test.ts".length).replaceAll("/", "-");
  await bundle(path, `${out}/${name}.js`);
}

async function bundle(path: string, outfile: string): Promise<void> {
  await build({
    stdin: {
      contents: `import "./${path}"; export { main } from "./test/support/unit-engine.ts";`,
      resolveDir: process.cwd(),
      loader: "ts",
    },
    outfile,
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
}
