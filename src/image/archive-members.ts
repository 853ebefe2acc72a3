/** What archives of images consist of, in the order in which it is written: docker's, and those with a layout. */
import { hexOf, type Digest } from "./digest.ts";
import { indexText, LAYOUT } from "./layout-write.ts";
import { familiar, parseReference } from "./reference.ts";
import type { Member } from "./write.ts";

/** An image of docker's archive. */
interface SavedImage {
  readonly id: Digest;
  readonly config: Pick<Member, "from" | "part">;
  /** Whole names, with tags. */
  readonly names: readonly string[];
  /** Diff ids, lowest first. */
  readonly layers: readonly Digest[];
}

interface SavedLayer extends Pick<Member, "from" | "part"> {
  readonly diffId: Digest;
}

/** docker's image archive: what skopeo and podman write for it too. Each layer comes once. */
export function savedMembers(images: readonly SavedImage[], layers: readonly SavedLayer[]): Member[] {
  const manifest = images.map(({ id, names, layers: own }) => ({
    Config: `${hexOf(id)}.json`,
    RepoTags: names.map((name) => familiar(parseReference(name))),
    Layers: own.map((diffId) => `${hexOf(diffId)}.tar`),
  }));
  return [
    ...layers.map(({ diffId, ...rest }) => ({ name: `${hexOf(diffId)}.tar`, ...rest })),
    ...images.map(({ id, config }) => ({ name: `${hexOf(id)}.json`, ...config })),
    textMember("manifest.json", JSON.stringify(manifest)),
  ];
}

/** A layout: image-layout.md. What names something comes after it. */
export function layoutMembers(blobs: readonly Member[], manifests: readonly object[]): Member[] {
  return [textMember("oci-layout", LAYOUT), ...blobs, textMember("index.json", indexText(manifests))];
}

/** A file with this text. */
export function textMember(name: string, text: string): Member {
  return { name, from: { kind: "text", text } };
}
