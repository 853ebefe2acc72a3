/** An image for this machine and one for another, under one name. */
import { ARCHITECTURE } from "../../scripts/fixtures.ts";
import type { Descriptor, FakeRegistry } from "./fake-registry.ts";
import { BASE, filesLayer } from "./images.ts";

export const OTHER = { os: "linux", architecture: ARCHITECTURE === "arm64" ? "s390x" : "arm64" };
export const OTHER_NAME = `linux/${OTHER.architecture}`;

/** An index of an image for this machine and one for another. */
export async function twoMachines(
  registry: FakeRegistry,
  tag: string,
): Promise<{ index: string; here: Descriptor; there: Descriptor }> {
  const here = registry.add("here", [await BASE, await filesLayer({ for: "this" })]);
  const there = registry.add("there", [await BASE, await filesLayer({ for: "another" })], (manifest) => {
    const { config } = manifest as { config: { digest: string; size: number } };
    const text = JSON.parse(String(registry.blobs.get(config.digest))) as object;
    const blob = Buffer.from(JSON.stringify({ ...text, ...OTHER }));
    const digest = registry.addBlob(blob);
    Object.assign(config, { digest, size: blob.length });
  });
  const { digest } = registry.addIndex(tag, [here, { ...there, platform: OTHER }]);
  return { index: digest, here, there };
}
