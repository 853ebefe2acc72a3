/** Where an image is copied from: its documents as they are, and where the worker finds its blobs. */
import type { Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import { accessRegistry, type Access } from "./access.ts";
import type { Descriptor, Entry } from "./manifest.ts";
import { choosePlatform, type Machine } from "./platform.ts";
import { parseReference, type Reference } from "./reference.ts";
import { endpointsOf, readRegistriesConf } from "./registries-conf.ts";
import type { Document, Registry } from "./registry.ts";
import { openLayout, readLayoutBlob, type Layout } from "./source.ts";
import { collect, type Contents, type Parcel, type Sender, type Wanted } from "./parcel.ts";
import { severalImages, type Place } from "./transport.ts";
import type { Worker } from "./worker.ts";

/** Who asks, and where bytes may lie that are on their way. */
export interface Asking {
  readonly access: Access;
  readonly machine: Machine;
  readonly scratch: string;
}

/** A name in a registry. Throws a Failure. */
export function openRegistry(context: Context, worker: Worker, text: string, asking: Asking): Sender {
  const reference = parseReference(text);
  const failures: string[] = [];
  const conf = readRegistriesConf(context, worker);
  for (const endpoint of endpointsOf(conf, reference)) {
    try {
      const registry = accessRegistry(context, worker, endpoint, { access: asking.access, kept: conf });
      const contents = inRegistry(registry, reference, asking.scratch);
      return { endpoint, parcel: (wanted) => begun(contents, wanted) };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error.message);
    }
  }
  throw new Failure(failures.join("; "));
}

function begun(contents: Contents, { choice, begins }: Wanted): Parcel {
  const parcel = collect(contents, choice);
  begins(parcel.blobs);
  return parcel;
}

function inRegistry(registry: Registry, { digest, tag = "" }: Reference, scratch: string): Contents {
  return {
    top: digest === undefined ? registry.document(tag) : registry.document(digest, { digest }),
    document: (descriptor) => registry.document(descriptor.digest, descriptor),
    text: (blob) => registry.blob(blob),
    origin: (blob) => {
      const { header, renewal } = registry.authorization ?? {};
      return {
        kind: "registry",
        network: registry.network,
        url: registry.address(`blobs/${blob.digest}`),
        ...(header === undefined ? {} : { authorization: header }),
        ...(renewal === undefined ? {} : { renewal }),
        scratch,
      };
    },
  };
}

/** A layout, as a directory or an archive. Throws a Failure. */
export function openLayoutAt({ sys }: Context, worker: Worker, place: Place, { machine, scratch }: Asking): Sender {
  const layout = openLayout(sys, worker, place, scratch);
  const text = (blob: Descriptor): string => readLayoutBlob(layout, worker, blob);
  const document = ({ mediaType, digest, size }: Descriptor): Document => {
    return { mediaType, digest, size, text: text({ mediaType, digest, size }) };
  };
  const contents: Contents = {
    top: document(entryOf(layout, place, machine)),
    document,
    text,
    origin: ({ digest }) => ({ kind: "member", ...layout.from, member: layout.memberOf(digest) }),
  };
  return { endpoint: undefined, parcel: (wanted) => begun(contents, wanted) };
}

/** The one entry that is meant; of several for different machines under one name, the one for this machine. */
function entryOf({ groups }: Layout, place: Place, machine: Machine): Entry {
  const [group, ...others] = groups;
  if (group === undefined || others.length > 0)
    throw severalImages(
      place,
      groups.map(([first]) => first?.names[0] ?? "without a name"),
    );
  return group.length === 1 && group[0] !== undefined ? group[0] : choosePlatform(group, machine);
}
