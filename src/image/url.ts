/** Addresses of registries and token services. What could be read in two ways is none: nothing is mended. */
import { everyCharacter, isDigits } from "./text.ts";

export interface Url {
  readonly scheme: "https" | "http";
  /** In lower case; an IPv6 address with its brackets. */
  readonly host: string;
  readonly port: number;
  /** From the first slash on, with the query: "/" at least. */
  readonly path: string;
}

/** The address in `text`; undefined where it is none, or holds a user (https://registry@evil/ is meant to be misread). */
export function parseUrl(text: string): Url | undefined {
  const scheme = ["https", "http"].find((known) => text.toLowerCase().startsWith(`${known}://`));
  if (scheme === undefined || !everyCharacter(text, isPrintable)) return undefined;
  const rest = text.slice(scheme.length + 3);
  const end = rest.split("").findIndex((character) => "/?#".includes(character));
  const authority = end < 0 ? rest : rest.slice(0, end);
  const place = parseAuthority(authority, scheme === "https" ? 443 : 80);
  if (place === undefined || rest.includes("#")) return undefined;
  const path = end < 0 ? "" : rest.slice(end);
  return { scheme: scheme as Url["scheme"], ...place, path: path.startsWith("/") ? path : `/${path}` };
}

/** "host", with the `standard` port, or "host:port", as registries are named. */
export function parseAuthority(text: string, standard: number): Pick<Url, "host" | "port"> | undefined {
  const bracket = text.startsWith("[") ? text.indexOf("]") : 0;
  const colon = text.indexOf(":", Math.max(bracket, 0));
  const host = (colon < 0 ? text : text.slice(0, colon)).toLowerCase();
  const port = colon < 0 ? standard : portOf(text.slice(colon + 1));
  return bracket < 0 || !isHost(host) || port === undefined ? undefined : { host, port };
}

function portOf(text: string): number | undefined {
  const port = isDigits(text) && text.length <= 5 ? Number(text) : 0;
  return port < 1 || port > 65_535 ? undefined : port;
}

/** Whether the host can only be this machine: RFC 6761, 6.3, and RFC 1122, 3.2.1.3. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "[::1]") return true;
  const parts = host.split(".");
  return parts.length === 4 && parts[0] === "127" && parts.every((part) => isDigits(part) && Number(part) < 256);
}

/** `text` as a value in a query or a form: RFC 3986, 2.3. */
export function encodeQuery(text: string): string {
  return encodeURIComponent(text);
}

function isHost(host: string): boolean {
  if (host.startsWith("[") && host.endsWith("]"))
    return everyCharacter(host.slice(1, -1), (each) => "0123456789abcdef:.".includes(each));
  const labels = host.split(".");
  return labels.every((label) => label !== "" && everyCharacter(label, isLabelCharacter));
}

function isLabelCharacter(character: string): boolean {
  return (character >= "a" && character <= "z") || (character >= "0" && character <= "9") || "-_".includes(character);
}

/** ASCII that shows, but for a backslash, which some read as a slash. */
function isPrintable(character: string): boolean {
  return character > " " && character < "\u007f" && character !== "\\";
}
