/** A full disk: how much is missing. It is found out when it has happened, and nothing of the layers is there any more. */
import { Failure } from "../sys/failure.ts";
import type { Store } from "./store.ts";
import { sizeText } from "./words.ts";
import type { Requests, Worker } from "./worker.ts";

const HINT = '"tsrun image prune" removes what is not in use';

/** For layers that can be read once more. */
export function noRoom(store: Store, worker: Worker, from: Omit<Requests["measure"]["in"], "path">): Failure {
  return failure(store, worker.ask("measure", { ...from, path: store.path }));
}

/** For layers that a registry has: they are read to their ends, for how large they are unpacked nobody has said. */
export function noRoomForPull(store: Store, worker: Worker, order: Requests["weigh"]["in"]): Failure {
  const source = { kind: "dir", path: store.path } as const;
  const { bytes, files, spooled } = worker.ask("weigh", order);
  const { free, freeFiles } = worker.ask("measure", {
    source,
    scratch: store.path,
    snapshotter: order.ask.snapshotter,
    members: [],
    path: store.path,
  });
  // What has come of their blobs goes when the pull has failed.
  return failure(store, { bytes, files, free: free + spooled, freeFiles });
}

function failure({ path }: Store, { bytes, files, free, freeFiles }: Requests["measure"]["out"]): Failure {
  const missing = sizeText(Math.max(bytes - free, 0));
  const why =
    freeFiles !== null && freeFiles < files
      ? `it has ${files} files, and there may be ${freeFiles} more`
      : `its layers take ${sizeText(bytes)}, and ${sizeText(free)} are free; at least ${missing} are missing`;
  return new Failure(`there is no room for the image in ${path}: ${why} (${HINT})`);
}
