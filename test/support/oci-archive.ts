/** An OCI image of one layer, made by hand from a root file system, so that no client needs a network. */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { World } from "./world.ts";

/** Packs the layer into an OCI archive, and gives its path. */
export function ociArchive(world: World, layerTar: string, name: string): string {
  const layout = join(world.dir, "layout");
  const blobs = join(layout, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const add = (content: Buffer, mediaType: string) => {
    const hex = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };

  const layer = add(readFileSync(layerTar), "application/vnd.oci.image.layer.v1.tar");
  const image = {
    architecture: "amd64",
    os: "linux",
    config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  };
  const config = add(json(image), "application/vnd.oci.image.config.v1+json");
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = add(json({ schemaVersion: 2, mediaType, config, layers: [layer] }), mediaType);
  const annotations = { "org.opencontainers.image.ref.name": name, "io.containerd.image.name": name };
  writeFileSync(join(layout, "index.json"), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  writeFileSync(join(layout, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  world.prints("tar", "-C", layout, "-cf", join(world.dir, "image.tar"), ".");
  return join(world.dir, "image.tar");
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
