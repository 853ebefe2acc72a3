/** What refers to an image: signatures, bills of materials and so on. Distribution-spec, "Listing Referrers". */
import type { Context } from "../commands/context.ts";
import { readDocument } from "../spec/document.ts";
import { arrayIn, listIn, stringIn, stringMapIn } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { accessRegistry, type Access } from "./access.ts";
import type { Digest } from "./digest.ts";
import { INDEX_TYPE, MANIFEST_LIMIT, parseDescriptor, type Descriptor } from "./manifest.ts";
import { familiar, parseReference } from "./reference.ts";
import { homeOf, readRegistriesConf } from "./registries-conf.ts";
import type { Registry } from "./registry.ts";
import { within } from "./source.ts";
import { encodeQuery } from "./url.ts";
import type { Worker } from "./worker.ts";

export interface Referrer extends Descriptor {
  /** "" where it is not said. */
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Referrers {
  readonly subject: Digest;
  readonly referrers: readonly Referrer[];
}

/** Of a registry that never comes to an end, so much is read. */
const MOST_PAGES = 50;
const MOST = 10_000;

/** What refers to the image or index that `text` names; only what is of `artifactType`, where it is given. Throws a Failure. */
export function listReferrers(
  context: Context,
  worker: Worker,
  text: string,
  { access, artifactType }: { readonly access: Access; readonly artifactType: string | undefined },
): Referrers {
  const reference = parseReference(text);
  const conf = readRegistriesConf(context, worker);
  const registry = accessRegistry(context, worker, homeOf(conf, reference), { access, kept: conf });
  try {
    const subject = reference.digest ?? registry.document(reference.tag ?? "").digest;
    const found = askAll(registry, subject, artifactType) ?? readTag(registry, subject);
    // A registry need not filter, and says so; nothing is lost by doing it here.
    const referrers = found.filter((each) => artifactType === undefined || each.artifactType === artifactType);
    return { subject, referrers };
  } catch (error) {
    throw error instanceof Failure
      ? new Failure(`cannot list what refers to ${familiar(reference)}: ${error.message}`)
      : error;
  }
}

/** Page by page; undefined where the registry has no such list. */
function askAll(registry: Registry, subject: Digest, artifactType: string | undefined): Referrer[] | undefined {
  const query = artifactType === undefined ? "" : `?artifactType=${encodeQuery(artifactType)}`;
  let path = `referrers/${subject}${query}`;
  const found: Referrer[] = [];
  for (let page = 0; page < MOST_PAGES; page++) {
    const { text, type, next } = registry.optional(path, { limit: MANIFEST_LIMIT, accept: INDEX_TYPE });
    if (text === "" && page === 0) return undefined;
    if (type !== INDEX_TYPE)
      throw new Failure(`the list of what refers to ${subject} is of type ${JSON.stringify(type)}`);
    found.push(...within("the list", () => parseReferrers(text)));
    if (found.length > MOST) throw new Failure(`there are more than ${MOST}`);
    const following = pathOfNext(next, registry.repository);
    if (following === undefined) return found;
    path = following;
  }
  throw new Failure(`the list has more than ${MOST_PAGES} pages`);
}

/** distribution-spec, "Referrers Tag Schema": the same list under a tag, kept by those who push. */
function readTag(registry: Registry, subject: Digest): Referrer[] {
  const path = `manifests/${subject.replace(":", "-")}`;
  const { text, type } = registry.optional(path, { limit: MANIFEST_LIMIT, accept: INDEX_TYPE });
  if (text === "") return [];
  if (type !== INDEX_TYPE)
    throw new Failure(`the tag for what refers to ${subject} is of type ${JSON.stringify(type)}`);
  return within("the list", () => parseReferrers(text));
}

/** Throws a SpecError. */
export function parseReferrers(text: string): Referrer[] {
  return readDocument(text, (index) => {
    if (arrayIn(index, "manifests", "").length > MOST) throw new Failure(`there are more than ${MOST}`);
    return listIn(index, "manifests", "", (raw, at) => ({
      ...parseDescriptor(raw, at, undefined),
      artifactType: stringIn(raw, "artifactType", at),
      annotations: stringMapIn(raw, "annotations", at),
    }));
  });
}

/** RFC 8288: `<ADDRESS>; rel="next"`. The next page must be of the same repository; credentials go nowhere else. */
export function pathOfNext(link: string, repository: string): string | undefined {
  const [start, end] = [link.indexOf("<"), link.indexOf(">")];
  if (start < 0 || end < start || !link.slice(end).includes("next")) return undefined;
  const address = link.slice(start + 1, end);
  const prefix = `/v2/${repository}/`;
  if (address.startsWith(`${prefix}referrers/`)) return address.slice(prefix.length);
  throw new Failure(`the list goes on at ${JSON.stringify(address)}, which is not in ${repository}`);
}
