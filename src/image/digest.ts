/** Digests: `algorithm:hex`, checked to the letter before any use (CVE-2024-3727: a digest that was used as a path). */
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";

/** Proof that a text was checked. */
export type Digest = `sha256:${string}` | `sha384:${string}` | `sha512:${string}`;

/** The algorithms of the image specification, and how many hexadecimal digits each has. */
const DIGITS: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha384", 96],
  ["sha512", 128],
]);

/** Whether `text` is a digest, and nothing that only resembles one. */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(":");
  const hex = text.slice(colon + 1);
  return hex.length === DIGITS.get(text.slice(0, Math.max(colon, 0))) && isHex(hex);
}

/** `text` as a digest; `what` begins the sentence of the Failure that it throws. */
export function asDigest(text: string, what: string): Digest {
  if (isDigest(text)) return text;
  throw new Failure(
    `${what} must be a digest such as sha256:… with 64 lower-case hexadecimal digits: current value is ${quote(text)}`,
  );
}

/** The part after the colon: safe as a name of a file. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** "sha256/0123…": safe as a path. */
export function pathOfDigest(digest: Digest): string {
  return digest.replace(":", "/");
}

/** Where the blob is in an image layout: image-layout.md. */
export function blobName(digest: Digest): string {
  return `blobs/${pathOfDigest(digest)}`;
}

/** Whether `text` has lower-case hexadecimal digits only, and at least one. */
export function isHex(text: string): boolean {
  for (const digit of text) if (!(digit >= "0" && digit <= "9") && !(digit >= "a" && digit <= "f")) return false;
  return text !== "";
}
