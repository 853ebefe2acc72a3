/** --userns: whose ids the container's are, in podman's words. Pure. */
import { quote } from "../../spec/reader.ts";
import type { IdMapping } from "../../spec/spec.ts";
import { Failure } from "../../sys/failure.ts";
import { isDigits } from "../text.ts";

/** A user namespace whose ids are chosen: enough for the image, and nobody else's. */
export interface AutoWish {
  /** How many; undefined: as many as the image needs. */
  readonly size: number | undefined;
  /** Ids that are to be certain ones of the host. */
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

/** Ids are below this: user_namespaces(7). */
const END = 0xffffffff;

/** What podman has besides, and why it is not here. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  [
    "keep-id",
    "it gives files of the image to other ids than they were unpacked for, which only root can do, and root is 0 in any case",
  ],
  [
    "nomap",
    "it gives files of the image to other ids than they were unpacked for, which only root can do, and root is 0 in any case",
  ],
  ["private", "auto chooses the maps of a namespace of its own"],
  ["ns", "the maps of a namespace that is there cannot be known to be nobody else's"],
  ["container", "the maps of a namespace that is there cannot be known to be nobody else's"],
]);

/** Undefined where the container is in the user namespace of its caller. Throws a Failure. */
export function parseUserns(text = "host"): AutoWish | undefined {
  const colon = text.indexOf(":");
  const word = colon < 0 ? text : text.slice(0, colon);
  if (text === "host") return undefined;
  if (word === "auto") return parseAuto(colon < 0 ? [] : text.slice(colon + 1).split(","), text);
  const why = REFUSED.get(word);
  throw new Failure(
    `--userns must be host or auto: current value is ${quote(text)}${why === undefined ? "" : `, which is not supported: ${why}`}`,
  );
}

function parseAuto(options: readonly string[], text: string): AutoWish {
  const values = (key: string): string[] =>
    options.filter((option) => option.startsWith(`${key}=`)).map((option) => option.slice(key.length + 1));
  const unknown = options.find((option) => !["size", "uidmapping", "gidmapping"].includes(option.split("=")[0] ?? ""));
  if (unknown !== undefined)
    throw new Failure(
      `--userns ${quote(text)}: unknown option ${quote(unknown.split("=")[0] ?? "")} (there are size, uidmapping and gidmapping)`,
    );
  const size = values("size").at(-1);
  return {
    size: size === undefined ? undefined : countOf(size, "size", text),
    uids: values("uidmapping").map((value) => parseMapping(value, text)),
    gids: values("gidmapping").map((value) => parseMapping(value, text)),
  };
}

/** CONTAINER:HOST:SIZE. */
function parseMapping(value: string, text: string): IdMapping {
  const [containerID = "", hostID = "", size = "", ...more] = value.split(":");
  if (more.length > 0 || ![containerID, hostID, size].every(isDigits))
    throw new Failure(
      `--userns ${quote(text)}: a mapping must be CONTAINER:HOST:SIZE: current value is ${quote(value)}`,
    );
  const mapping = { containerID: Number(containerID), hostID: Number(hostID), size: countOf(size, "a size", text) };
  if (Math.max(mapping.containerID, mapping.hostID) + mapping.size > END)
    throw new Failure(`--userns ${quote(text)}: a mapping must not reach beyond the id ${END - 1}: ${quote(value)}`);
  return mapping;
}

function countOf(digits: string, what: string, text: string): number {
  const count = Number(digits);
  if (isDigits(digits) && count >= 1 && count < END) return count;
  throw new Failure(
    `--userns ${quote(text)}: ${what} must be a number from 1 to ${END - 1}: current value is ${quote(digits)}`,
  );
}
