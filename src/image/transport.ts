/** Where an image outside of the store is, in the words of containers-transports(5). */
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { isRepositoryPath, isTag } from "./reference.ts";

/** "any" is a path without a transport: what is there says what it is. */
export type Form = "oci" | "oci-archive" | "docker-archive" | "any";

export interface Place {
  readonly form: Form;
  /** As it was given. */
  readonly path: string;
  /** Which of several images. */
  readonly name: string | undefined;
}

/** An archive that comes on standard input. */
export const STANDARD_INPUT: Place = { form: "any", path: "-", name: undefined };

const FORMS: readonly Form[] = ["oci", "oci-archive", "docker-archive"];

/** Transports that others know; one that is asked for by mistake should not become the name of an image on Docker Hub. */
const FOREIGN = ["docker-daemon", "containers-storage", "dir", "ostree", "sif"];

/** "docker://" is skopeo's and podman's word for a registry. */
export function withoutScheme(text: string): string {
  return text.startsWith("docker://") ? text.slice("docker://".length) : text;
}

/** There must be one that is meant. */
export function severalImages({ form, path }: Place, names: readonly string[]): Failure {
  const transport = form === "any" ? "oci-archive" : form;
  return new Failure(
    `there are ${names.length} images in ${path}: say which one, as in ${transport}:${path}:NAME (${names.join(", ")})`,
  );
}

/** The place that `text` names with a transport, or undefined where it has none. Throws a Failure. */
export function parseTransport(text: string): Place | undefined {
  const colon = text.indexOf(":");
  const prefix = text.slice(0, Math.max(colon, 0));
  if (FOREIGN.includes(prefix) || text.startsWith("docker://")) throw unknown(text);
  const form = FORMS.find((known) => known === prefix);
  if (form === undefined) return undefined;
  const rest = text.slice(colon + 1);
  const second = rest.indexOf(":");
  const path = second < 0 ? rest : rest.slice(0, second);
  if (path === "") throw new Failure(`cannot load ${quote(text)}: it must be ${form}:PATH or ${form}:PATH:NAME`);
  return { form, path, name: second < 0 ? undefined : rest.slice(second + 1) };
}

/** The place for `image load`: with a transport, or any path. */
export function parsePlace(text: string): Place {
  return parseTransport(text) ?? { form: "any", path: text, name: undefined };
}

/** What `--image` names outside of the store: a transport, or a path that cannot be a name. Throws a Failure. */
export function parseOutside(text: string): Place | undefined {
  const isPath = text.startsWith("/") || text.startsWith("./") || text.startsWith("../");
  return isPath ? parsePlace(text) : parseTransport(text);
}

/**
 * The name of an image whose source gives it a mere tag, or none: that of the file or directory, "demo" for "demo.oci.tar.gz".
 * Undefined where that is no name.
 */
export function nameFromPath(path: string, tag: string): string | undefined {
  let base = path.split("/").findLast((part) => part !== "" && part !== ".") ?? "";
  for (const ending of [".gz", ".zst", ".tgz", ".tar", ".oci", ".docker"]) {
    if (base.endsWith(ending)) base = base.slice(0, -ending.length);
  }
  const lower = base.toLowerCase();
  return isRepositoryPath(lower) && isTag(tag) ? `${lower}:${tag}` : undefined;
}

function unknown(text: string): Failure {
  return new Failure(
    `cannot read or write ${quote(text)}: known are ${FORMS.map((form) => `${form}:PATH`).join(", ")}, and a path alone`,
  );
}
