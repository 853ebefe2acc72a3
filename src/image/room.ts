/** A full disk: how much is missing. It is found out when it has happened, and nothing of the layers is there any more. */
import { Failure } from "../sys/failure.ts";
import type { Store } from "./store.ts";
import { sizeText } from "./words.ts";
import type { Requests, Worker } from "./worker.ts";

const HINT = '"tsrun image prune" removes what is not in use';

/** For layers that can be read once more. */
export function noRoom(store: Store, worker: Worker, from: Omit<Requests["measure"]["in"], "path">): Failure {
  const { bytes, files, free, freeFiles } = worker.ask("measure", { ...from, path: store.path });
  if (freeFiles !== null && freeFiles < files)
    return failure(store, `it has ${files} files, and there may be ${freeFiles} more`);
  const missing = sizeText(Math.max(bytes - free, 0));
  const sizes = `its layers take ${sizeText(bytes)}, and ${sizeText(free)} are free`;
  return failure(store, `${sizes}; at least ${missing} are missing`);
}

/** For layers that a registry has: how large they are unpacked nobody has said. */
export function noRoomForPull(store: Store, worker: Worker, compressed: number): Failure {
  const source = { kind: "dir", path: store.path } as const;
  const { free } = worker.ask("measure", {
    source,
    scratch: store.path,
    snapshotter: "overlayfs",
    members: [],
    path: store.path,
  });
  const sizes = `its layers have ${sizeText(compressed)} before they are unpacked, and ${sizeText(free)} are free`;
  return failure(store, `${sizes}; commonly three times their size is needed`);
}

function failure({ path }: Store, why: string): Failure {
  return new Failure(`there is no room for the image in ${path}: ${why} (${HINT})`);
}
