/** The annotations of a container: those of its image, by the image specification's conversion.md, then the command line's. Pure. */
import { quote } from "../spec/reader.ts";
import { STOP_SIGNAL } from "../container/state.ts";
import type { ImageConfig } from "./image-config.ts";
import type { Options } from "./flags/options.ts";

/** Annotations that the runtime or those around it act on: not for an image to give (CVE-2024-3154, CVE-2026-53488). */
const NOT_FROM_IMAGES = ["org.systemd.property.", "org.criu.", "run.oci."];

const PREFIX = "org.opencontainers.image.";

/** "Annotation Fields" of conversion.md: implied ones first, so that a label of the same name has the last word. */
export function annotationsOf(
  { platform, author, created, process }: ImageConfig,
  { labels, annotations, stopSignal }: Options,
  warn: (message: string) => void,
): Record<string, string> {
  const implied = {
    os: platform.os,
    architecture: platform.architecture,
    variant: platform.variant,
    author,
    created,
    stopSignal: process.stopSignal,
    exposedPorts: process.exposedPorts.join(","),
  };
  const all: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(implied)) if (value !== "") all[PREFIX + key] = value;
  for (const [key, value] of Object.entries(process.labels)) {
    const refused = key === "bundle" || key === "" || NOT_FROM_IMAGES.some((start) => key.startsWith(start));
    if (refused) warn(`the image's label ${quote(key)} is left out: it would be an instruction to the runtime`);
    else all[key] = value;
  }
  for (const [key, value] of [...Object.entries(labels), ...Object.entries(annotations)]) all[key] = value;
  if (stopSignal !== undefined) all[STOP_SIGNAL] = stopSignal;
  return all;
}
