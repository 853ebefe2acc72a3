/**
 * Names of images, by the grammar of the distribution project (distribution/reference, regexp.go): `[HOST[:PORT]/]PATH[:TAG]
 * [@DIGEST]`. A name without a registry is one of Docker Hub, and without a tag it means `latest`.
 */
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { isDigest, isHex, type Digest } from "./digest.ts";
import { cutAtFirst, everyCharacter, isDigit, isDigits } from "./text.ts";

export interface Reference {
  /** "docker.io", "localhost:5000". */
  readonly registry: string;
  /** "library/busybox". */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const DEFAULT_REGISTRY = "docker.io";
const DEFAULT_NAMESPACE = "library/";
const DEFAULT_TAG = "latest";

/** Of registry and path together, and of a tag: distribution/reference. */
const MAX_NAME = 255;
const MAX_TAG = 128;

/** Takes a name apart. Throws a Failure that says what is wrong with it. */
export function parseReference(text: string): Reference {
  const [named, digestText] = cutAtFirst(text, "@");
  const digest = digestText === undefined ? undefined : digestOf(text, digestText);
  // A colon before the last slash is the registry's port.
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const repository = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !isTag(tag)) {
    throw invalid(text, `the tag must have up to ${MAX_TAG} letters, digits and "_.-", the first no "." or "-"`);
  }
  const [registry, path] = splitRegistry(repository);
  check(text, registry, path);
  return { registry, path, tag: tag ?? (digest === undefined ? DEFAULT_TAG : undefined), digest };
}

/** The whole name: "docker.io/library/busybox:latest". */
export function canonical({ registry, path, tag, digest }: Reference): string {
  return `${registry}/${path}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** The repository as people write it: "busybox", "localhost:5000/app". */
export function familiarRepository({ registry, path }: Pick<Reference, "registry" | "path">): string {
  if (registry !== DEFAULT_REGISTRY) return `${registry}/${path}`;
  const short = path.slice(DEFAULT_NAMESPACE.length);
  return path.startsWith(DEFAULT_NAMESPACE) && !short.includes("/") ? short : path;
}

/** The name as people write it, always with its tag: "busybox:latest". */
export function familiar(reference: Reference): string {
  const { tag, digest } = reference;
  return `${familiarRepository(reference)}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** Whether two texts are the same, or mean the same image: "busybox" and "docker.io/library/busybox:latest". */
export function isSameName(one: string, other: string): boolean {
  return one === other || wholeName(one) === wholeName(other);
}

function wholeName(text: string): string {
  try {
    return canonical(parseReference(text));
  } catch {
    return text; // It is no name, and means only itself.
  }
}

/** Whether `text` can be a tag. */
export function isTag(text: string): boolean {
  if (text.length > MAX_TAG || text === "" || text.startsWith(".") || text.startsWith("-")) return false;
  return everyCharacter(text, (character) => isAlphanumeric(character.toLowerCase()) || "_.-".includes(character));
}

/** Whether `text` can be a path such as "library/busybox". */
export function isRepositoryPath(text: string): boolean {
  return text.split("/").every(isComponent);
}

function check(text: string, registry: string, path: string): void {
  if (path === "") throw invalid(text, "the name is missing");
  if (!isRegistry(registry)) throw invalid(text, `${quote(registry)} cannot be a registry`);
  if (!isRepositoryPath(path)) {
    throw invalid(text, 'a name must be of lower-case letters and digits, with single "." and "_" or "-" between them');
  }
  if (registry.length + 1 + path.length > MAX_NAME)
    throw invalid(text, `a name must not be longer than ${MAX_NAME} characters`);
  if (path.length === DEFAULT_NAMESPACE.length + 64 && isHex(path.slice(DEFAULT_NAMESPACE.length))) {
    throw invalid(text, "64 hexadecimal digits are an id and not a name");
  }
}

function digestOf(text: string, digest: string): Digest {
  if (isDigest(digest)) return digest;
  throw invalid(text, "what follows @ must be a digest such as sha256:… with 64 lower-case hexadecimal digits");
}

/** The first component is a registry if it cannot be anything else: a dot, a port, "localhost" or a capital letter. */
function splitRegistry(repository: string): [registry: string, path: string] {
  const [first, rest] = cutAtFirst(repository, "/");
  const named = first.includes(".") || first.includes(":") || first === "localhost" || first !== first.toLowerCase();
  if (rest === undefined || !named)
    return [DEFAULT_REGISTRY, repository.includes("/") ? repository : `${DEFAULT_NAMESPACE}${repository}`];
  if (first !== DEFAULT_REGISTRY && first !== `index.${DEFAULT_REGISTRY}`) return [first, rest];
  return [DEFAULT_REGISTRY, rest.includes("/") ? rest : `${DEFAULT_NAMESPACE}${rest}`];
}

function isRegistry(text: string): boolean {
  const bracket = text.startsWith("[") ? text.indexOf("]") : -1;
  const [host, port] = bracket < 0 ? cutAtFirst(text, ":") : [text.slice(0, bracket + 1), portAfter(text, bracket)];
  if (port !== undefined && !isPort(port)) return false;
  if (bracket >= 0) return everyCharacter(host.slice(1, -1), (each) => isHex(each.toLowerCase()) || each === ":");
  return host.toLowerCase().split(".").every(isLabel);
}

function isLabel(label: string): boolean {
  if (label === "" || label.startsWith("-") || label.endsWith("-")) return false;
  return everyCharacter(label, (each) => isAlphanumeric(each) || each === "-");
}

/** What follows the bracket of an IPv6 address: nothing, or a colon and the port; all else is a port that is none. */
function portAfter(text: string, bracket: number): string | undefined {
  const after = text.slice(bracket + 1);
  if (after === "") return undefined;
  return after.startsWith(":") ? after.slice(1) : "";
}

function isPort(text: string): boolean {
  return text.length <= 5 && isDigits(text);
}

/** Letters and digits, with separators between them: one dot, one or two underscores, any number of hyphens. */
function isComponent(text: string): boolean {
  let separator = "";
  let previous = "";
  for (const character of text) {
    if (isAlphanumeric(character)) {
      if (separator !== "" && (previous === "" || !isSeparator(separator))) return false;
      separator = "";
      previous = character;
    } else {
      separator += character;
    }
  }
  return previous !== "" && separator === "";
}

function isSeparator(text: string): boolean {
  return text === "." || text === "_" || text === "__" || everyCharacter(text, (character) => character === "-");
}

function isAlphanumeric(character: string): boolean {
  return (character >= "a" && character <= "z") || isDigit(character);
}

function invalid(text: string, why: string): Failure {
  return new Failure(`invalid image name ${quote(text)}: ${why}`);
}
