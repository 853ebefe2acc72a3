/** Where an image is copied from: its documents as they are, and where the worker finds its blobs. */
import type { Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import { accessRegistry, type Access } from "./access.ts";
import type { Descriptor, Entry } from "./manifest.ts";
import { choosePlatform, type Machine } from "./platform.ts";
import { parseReference, type Reference } from "./reference.ts";
import { endpointsOf, readRegistriesConf, type Endpoint } from "./registries-conf.ts";
import type { Document, Registry } from "./registry.ts";
import { openLayout, readLayoutBlob, type Layout } from "./source.ts";
import type { Place } from "./transport.ts";
import type { Origin } from "./orders.ts";
import type { Worker } from "./worker.ts";

export interface CopySource {
  /** What the name leads to. */
  readonly top: Document;
  /** The repository, where it is one: blobs of the same registry need not be sent. */
  readonly endpoint: Endpoint | undefined;
  /** What the descriptor says, and nothing else. Throws a Failure. */
  document(descriptor: Descriptor): Document;
  /** Where the worker finds a blob. */
  origin(blob: Descriptor): Origin;
}

/** Who asks, and where bytes may lie that are on their way. */
export interface Asking {
  readonly access: Access;
  readonly machine: Machine;
  readonly scratch: string;
}

/** A name in a registry. Throws a Failure. */
export function openRegistrySource(context: Context, worker: Worker, text: string, asking: Asking): CopySource {
  const reference = parseReference(text);
  const failures: string[] = [];
  for (const endpoint of endpointsOf(readRegistriesConf(context, worker), reference)) {
    try {
      const registry = accessRegistry(context, worker, endpoint, { access: asking.access });
      return fromRegistry(registry, { endpoint, reference, scratch: asking.scratch });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error.message);
    }
  }
  throw new Failure(failures.join("; "));
}

function fromRegistry(
  registry: Registry,
  {
    endpoint,
    reference,
    scratch,
  }: { readonly endpoint: Endpoint; readonly reference: Reference; readonly scratch: string },
): CopySource {
  const { digest, tag = "" } = reference;
  return {
    top: digest === undefined ? registry.document(tag) : registry.document(digest, { digest }),
    endpoint,
    document: (descriptor) => registry.document(descriptor.digest, descriptor),
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
export function openLayoutSource(
  { sys }: Context,
  worker: Worker,
  place: Place,
  { machine, scratch }: Asking,
): CopySource {
  const layout = openLayout(sys, worker, place, scratch);
  const entry = entryOf(layout, place, machine);
  const document = ({ mediaType, digest, size }: Descriptor): Document => {
    const text = readLayoutBlob(layout, worker, { mediaType, digest, size });
    return { mediaType, digest, size, text };
  };
  return {
    top: document(entry),
    endpoint: undefined,
    document,
    origin: ({ digest }) => ({ kind: "member", ...layout.from, member: layout.memberOf(digest) }),
  };
}

/** The one entry that is meant; of several for different machines under one name, the one for this machine. */
function entryOf({ groups }: Layout, { path }: Place, machine: Machine): Entry {
  const [group, ...others] = groups;
  if (group === undefined || others.length > 0) {
    const names = groups.map(([first]) => first?.names[0] ?? "").join(", ");
    throw new Failure(`there are ${groups.length} images in ${path}: say which one, as in oci:${path}:NAME (${names})`);
  }
  return group.length === 1 && group[0] !== undefined ? group[0] : choosePlatform(group, machine);
}
