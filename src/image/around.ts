/** What flags name and do not say: files of variables and labels, and the directory that paths begin at. */
import { attempt } from "../sys/failure.ts";
import { readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { CAPABILITIES } from "../spec/parse-process.ts";
import type { CapName } from "../spec/spec.ts";
import { absolutePath } from "../commands/context.ts";
import type { Options } from "./flags/options.ts";
import { parsePairFile, parsePairs } from "./flags/pairs.ts";

/** Options with all that they name: what the command line itself says has the last word. Throws a Failure. */
export function readAround(sys: Sys, options: Options): Options {
  const { env, envFiles, labels, labelFiles, mounts, capabilities, allCapabilities } = options;
  return {
    ...options,
    env: [...envFiles.flatMap((path) => readPairs(sys, path)), ...env],
    labels: {
      ...parsePairs(
        labelFiles.flatMap((path) => readPairs(sys, path)),
        "label-file",
      ),
      ...labels,
    },
    capabilities: allCapabilities ? capabilities.filter(isAvailable(sys)) : capabilities,
    mounts: mounts.map((mount) =>
      mount.type === "bind" && mount.volume === undefined
        ? { ...mount, source: absolutePath(sys, mount.source) }
        : mount,
    ),
  };
}

/** Who says "all" means as many as the caller itself may have: capabilities(7), bounding set. */
function isAvailable(sys: Sys): (name: string) => boolean {
  const status = readFile(sys, null, "/proc/self/status").split("\n");
  const set = BigInt(
    `0x${
      status
        .find((line) => line.startsWith("CapBnd:"))
        ?.slice(7)
        .trim() ?? "0"
    }`,
  );
  return (name) => (set & (1n << BigInt(CAPABILITIES.indexOf(name as CapName)))) !== 0n;
}

function readPairs(sys: Sys, path: string): string[] {
  const text = attempt(`read ${path}`, () => readFile(sys, null, absolutePath(sys, path)));
  return parsePairFile(text, path);
}
