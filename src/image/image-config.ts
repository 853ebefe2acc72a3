/** The configuration of an image: the image specification, config.md. */
import { readDocument } from "../spec/document.ts";
import { SpecError } from "../spec/error.ts";
import { objectIn, pathOf, requiredStringIn, stringIn, stringMapIn, stringsIn } from "../spec/reader.ts";
import type { JsonObject } from "../spec/reader.ts";
import { isDigest, type Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

/** As for manifests. */
export const CONFIG_LIMIT = 4 << 20;

const MOST_VOLUMES = 100;

/** What the image says of its process. */
export interface ImageProcess {
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly stopSignal: string;
  readonly volumes: readonly string[];
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageConfig {
  readonly platform: Platform;
  /** RFC 3339, "" where there is none. */
  readonly created: string;
  readonly author: string;
  /** The digests of the layers' archives, lowest first. */
  readonly diffIds: readonly Digest[];
  readonly process: ImageProcess;
}

/** The configuration in `text`. Throws a SpecError. */
export function parseImageConfig(text: string): ImageConfig {
  return readDocument(text, (config) => ({
    platform: {
      os: requiredStringIn(config, "os", ""),
      architecture: requiredStringIn(config, "architecture", ""),
      variant: stringIn(config, "variant", ""),
    },
    created: stringIn(config, "created", ""),
    author: stringIn(config, "author", ""),
    diffIds: parseDiffIds(config),
    process: parseProcess(objectIn(config, "config", "") ?? {}),
  }));
}

function parseDiffIds(config: JsonObject): Digest[] {
  const rootfs = objectIn(config, "rootfs", "");
  if (rootfs === undefined) throw new SpecError("rootfs", "is required");
  const type = requiredStringIn(rootfs, "type", "rootfs");
  if (type !== "layers") throw new SpecError("rootfs.type", "must be layers");
  return stringsIn(rootfs, "diff_ids", "rootfs").map((text, index) => {
    if (isDigest(text)) return text;
    throw new SpecError(
      `rootfs.diff_ids[${index}]`,
      "must be a digest such as sha256:… with 64 lower-case hexadecimal digits",
    );
  });
}

function parseProcess(raw: JsonObject): ImageProcess {
  const at = "config";
  return {
    user: stringIn(raw, "User", at),
    entrypoint: stringsIn(raw, "Entrypoint", at),
    cmd: stringsIn(raw, "Cmd", at),
    env: stringsIn(raw, "Env", at),
    workingDir: stringIn(raw, "WorkingDir", at),
    stopSignal: stringIn(raw, "StopSignal", at),
    volumes: keysIn(raw, "Volumes", MOST_VOLUMES),
    exposedPorts: keysIn(raw, "ExposedPorts", Infinity),
    labels: stringMapIn(raw, "Labels", at),
  };
}

/** The keys of a map whose values are empty objects: a set in Go. Some builders write a list of names instead. */
function keysIn(raw: JsonObject, key: string, most: number): string[] {
  const value = raw[key];
  const names = Array.isArray(value) ? stringsIn(raw, key, "config") : Object.keys(objectIn(raw, key, "config") ?? {});
  if (names.length > most)
    throw new SpecError(pathOf("config", key), `must not have more than ${most} entries: it has ${names.length}`);
  return [...names];
}
