/** Mounts that the command line asks for. */
import { quote } from "../../spec/reader.ts";
import { cleanPath, isAbsolute } from "../../spec/paths.ts";
import { Failure } from "../../sys/failure.ts";

/** A mount of config.json. */
export interface RawMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** What is wanted of a volume, whose place on the host is known only when it is there. */
export interface VolumeWish {
  /** "" stands for one of the container's own. */
  readonly name: string;
  /** Whether it begins with what the image has there. */
  readonly copy: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** A mount that is asked for: whole, but for the source where it is a volume. */
export interface Wish extends RawMount {
  readonly volume?: VolumeWish;
}

/** A place for a mount. Throws a Failure that begins with `flag`. */
export function inContainer(path: string, flag: string): string {
  if (!isAbsolute(path)) throw new Failure(`${flag}: the destination must be an absolute path: ${quote(path)}`);
  const clean = cleanPath(path);
  if (clean === "/") throw new Failure(`${flag}: the destination must not be "/": that is where the image is`);
  return clean;
}

/** As docker: "./x" is the caller's, "x" a volume. */
export function isHostPath(source: string): boolean {
  return isAbsolute(source) || source === "." || source === ".." || source.startsWith("./") || source.startsWith("../");
}
