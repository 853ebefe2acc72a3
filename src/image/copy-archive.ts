/** Archives as where an image is copied to: a file that appears when it is whole. */
import { absolutePath, type Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import { layoutMembers, savedMembers, textMember } from "./archive-members.ts";
import type { Destination } from "./copy-destination.ts";
import { blobName, type Digest } from "./digest.ts";
import { listed } from "./layout-write.ts";
import { tagged } from "./load.ts";
import { isIndex } from "./manifest.ts";
import type { Parcel } from "./parcel.ts";
import { combineImage } from "./source.ts";
import type { Place } from "./transport.ts";
import type { Worker } from "./worker.ts";
import type { Member } from "./write.ts";

/** An archive with a layout. */
export function toLayoutArchive({ sys }: Context, worker: Worker, { path, name }: Place): Destination {
  return {
    compression: "gzip",
    take: ({ contents, documents, top, blobs }, view) => {
      const members = layoutMembers(
        [
          ...blobs.map((blob, part): Member => {
            const { digest, size } = blob;
            return {
              name: blobName(digest),
              from: { kind: "blob", origin: contents.origin(blob), digest, size },
              part,
            };
          }),
          ...documents.map(({ digest, text }) => textMember(blobName(digest), text)),
        ],
        [listed(top, name)],
      );
      const dest = { kind: "archive", path: absolutePath(sys, path) } as const;
      worker.ask("write", { dest, members }, (event) => view.heard(event));
      return top.digest;
    },
  };
}

/** docker's archive: an image without a manifest, of layers without compression. Throws a Failure where the name has no tag. */
export function toSavedArchive({ sys }: Context, worker: Worker, { path, name }: Place): Destination {
  const names = name === undefined ? [] : [tagged(name)];
  return {
    compression: "none",
    take: (parcel, view) => {
      const { id, members } = membersOf(parcel, names);
      const dest = { kind: "archive", path: absolutePath(sys, path) } as const;
      worker.ask("write", { dest, members }, (event) => view.heard(event));
      return id;
    },
  };
}

function membersOf({ contents, top, blobs }: Parcel, names: readonly string[]): { id: Digest; members: Member[] } {
  if (isIndex(top))
    throw new Failure("a docker-archive has images and no indexes: --platform says which image, without --all");
  const { id, configText, config, layers } = combineImage(top, (blob) => contents.text(blob), []);
  const partOf = (wanted: string | undefined): number => blobs.findIndex(({ digest }) => digest === wanted);
  const files = config.diffIds.flatMap((diffId, at) => {
    const part = partOf(layers[at]?.digest);
    const blob = blobs[part];
    if (blob === undefined || config.diffIds.indexOf(diffId) < at) return [];
    const { digest, size } = blob;
    return [{ diffId, part, from: { kind: "blob", origin: contents.origin(blob), digest, size, diffId } as const }];
  });
  const text = { from: { kind: "text", text: configText } as const, part: partOf(id) };
  const image = { id, names, layers: config.diffIds, config: text };
  return { id, members: savedMembers([image], files) };
}
