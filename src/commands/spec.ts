/** `spec`: a config.json to begin with. */
import { CONFIG_FILE } from "../container/paths.ts";
import { exampleConfig, toRootless } from "../spec/defaults.ts";
import { O_CREAT, O_EXCL, O_WRONLY } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { Failure } from "../sys/failure.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import { absolutePath, isSet, option, type Context, type Parsed } from "./context.ts";

export function run({ sys }: Context, parsed: Parsed): number {
  const example = exampleConfig();
  const config = isSet(parsed, "rootless") ? toRootless(example, sys.geteuid(), sys.getegid()) : example;
  using file = createFile(sys, `${absolutePath(sys, option(parsed, "bundle") || ".")}/${CONFIG_FILE}`);
  sys.writeText(file, JSON.stringify(config, undefined, "\t"));
  return 0;
}

function createFile(sys: Sys, path: string): Fd {
  try {
    return sys.openat(null, path, O_WRONLY | O_CREAT | O_EXCL, 0o666);
  } catch (error) {
    if (isErrno(error, "EEXIST")) throw new Failure(`File ${CONFIG_FILE} exists. Remove it first`);
    throw new Failure(`cannot make ${path}`, error);
  }
}
