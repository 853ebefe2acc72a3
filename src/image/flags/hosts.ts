/** --add-host: lines of a container's /etc/hosts. Pure. */
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { everyCharacter, isDigits } from "../text.ts";

/** NAME:ADDRESS or NAME=ADDRESS, an IPv6 address perhaps in brackets. Throws a Failure. */
export function parseHosts(texts: readonly string[]): string[] {
  return texts.map((text) => {
    const [name, rest] = cut(text);
    const address = rest.startsWith("[") && rest.endsWith("]") ? rest.slice(1, -1) : rest;
    if (address === "host-gateway")
      throw new Failure(
        `--add-host ${quote(text)}: there is no gateway, since a container has no network or the host's`,
      );
    const isName = name !== "" && everyCharacter(name, (character) => character > " " && character !== "#");
    if (isName && isAddress(address)) return `${address}\t${name}`;
    throw new Failure(`--add-host must be NAME:ADDRESS: current value is ${quote(text)}`);
  });
}

/** As docker: at the first "=", else at the first ":". */
function cut(text: string): readonly [name: string, address: string] {
  const at = text.includes("=") ? text.indexOf("=") : text.indexOf(":");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

export function isAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => isDigits(part) && part.length <= 3 && Number(part) <= 255);
}

/** RFC 4291, 2.2: up to eight groups, of which "::" stands for those that are left out. */
function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2 || !text.includes(":")) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  return groups.every(isGroup) && (halves.length === 2 ? groups.length < 8 : groups.length === 8);
}

function isGroup(group: string): boolean {
  const isHex = everyCharacter(group.toLowerCase(), (digit) => "0123456789abcdef".includes(digit));
  return group !== "" && group.length <= 4 && isHex;
}
