/** --mount KEY=VALUE,…: docker's keys, of which every type has its own. Pure. */
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { fieldsOf } from "./csv.ts";
import { parsePairs } from "./pairs.ts";
import { parseSize } from "./quantities.ts";
import { cutAtFirst, everyCharacter } from "../text.ts";
import { isVolumeName, VOLUME_NAME } from "./volume-names.ts";
import { inContainer, isHostPath, type Wish } from "./wish.ts";

/** A key's other names. Maps, not objects: "constructor" is a key like any other unknown one. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["src", "source"],
  ["dst", "destination"],
  ["target", "destination"],
  ["ro", "readonly"],
]);

const COMMON = ["type", "source", "destination", "readonly"];

/** The keys of each type, besides those that all have. */
const KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ["bind", ["bind-propagation", "bind-nonrecursive", "bind-recursive", "consistency"]],
  ["volume", ["volume-nocopy", "volume-label"]],
  ["tmpfs", ["tmpfs-size", "tmpfs-mode"]],
]);

const NO_DRIVERS = "volumes are directories of the store, there are no drivers";

/** What else docker knows, and why it is not here. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ["volume-driver", NO_DRIVERS],
  ["volume-opt", NO_DRIVERS],
  // What a container has put into the volume could lead anywhere.
  ["volume-subpath", "not supported yet: mount the whole volume"],
]);

type Keys = ReadonlyMap<string, string>;

/** The mount that `text` asks for. Throws a Failure. */
export function parseMount(text: string): Wish {
  const fields = fieldsOf(text);
  if (fields === undefined || text === "") throw mountError(text, "it must be KEY=VALUE,KEY=VALUE…");
  const pairs = fields.map((field) => parseField(field, text));
  const keys = new Map(pairs);
  const type = keys.get("type") ?? "volume";
  checkKeys(keys, type, text);
  if (type === "bind") return bindOf(keys, text);
  if (type === "tmpfs") return tmpfsOf(keys, text);
  const labels = pairs.filter(([key]) => key === "volume-label").map(([, value]) => value);
  return volumeOf(keys, { ...parsePairs(labels, "mount volume-label") }, text);
}

function parseField(field: string, text: string): readonly [key: string, value: string] {
  const [written, value] = cutAtFirst(field, "=");
  const given = written.toLowerCase();
  const key = ALIASES.get(given) ?? given;
  if (value === undefined && !["readonly", "volume-nocopy", "bind-nonrecursive"].includes(key))
    throw mountError(text, `${quote(field)} must be KEY=VALUE`);
  return [key, (key === "type" ? value?.toLowerCase() : value) ?? "true"];
}

function checkKeys(keys: Keys, type: string, text: string): void {
  const own = KEYS.get(type);
  if (own === undefined) throw mountError(text, `type must be bind, volume or tmpfs: current value is ${quote(type)}`);
  for (const key of keys.keys()) {
    const refusal = REFUSED.get(key);
    if (refusal !== undefined) throw mountError(text, `${key}: ${refusal}`);
    if (![...COMMON, ...own].includes(key)) throw mountError(text, `unknown key ${quote(key)} for the type ${type}`);
  }
  if (!keys.has("destination")) throw mountError(text, "a destination is required");
}

function bindOf(keys: Keys, text: string): Wish {
  const source = keys.get("source") ?? "";
  if (!isHostPath(source))
    throw mountError(text, `the source must be an absolute path, or begin with "./": ${quote(source)}`);
  const propagation = keys.get("bind-propagation") ?? "rprivate";
  if (!["private", "rprivate", "shared", "rshared", "slave", "rslave"].includes(propagation))
    throw mountError(
      text,
      `bind-propagation must be private, shared or slave, or one of these with r: ${quote(propagation)}`,
    );
  const { recursive, readonly } = depthOf(keys, text);
  return {
    destination: destinationOf(keys, text),
    type: "bind",
    source,
    options: [recursive === "disabled" ? "bind" : "rbind", propagation, ...readonly],
  };
}

/** What becomes of the mounts below the source: as docker, what is read-only is so all the way down. */
function depthOf(keys: Keys, text: string): { readonly recursive: string; readonly readonly: readonly string[] } {
  const readonly = flagOf(keys, "readonly", text);
  const recursive = keys.get("bind-recursive") ?? (flagOf(keys, "bind-nonrecursive", text) ? "disabled" : "enabled");
  if (!["enabled", "disabled", "writable", "readonly"].includes(recursive))
    throw mountError(text, `bind-recursive must be enabled, disabled, writable or readonly: ${quote(recursive)}`);
  if (["writable", "readonly"].includes(recursive) && !readonly)
    throw mountError(text, `bind-recursive=${recursive} is for what is read-only`);
  const deep = recursive === "enabled" || recursive === "readonly";
  return { recursive, readonly: readonly ? ["ro", ...(deep ? ["rro"] : [])] : [] };
}

function volumeOf(keys: Keys, labels: Readonly<Record<string, string>>, text: string): Wish {
  const name = keys.get("source") ?? "";
  if (name !== "" && !isVolumeName(name)) throw mountError(text, `${quote(name)} is no name: ${VOLUME_NAME}`);
  const readonly = flagOf(keys, "readonly", text);
  return {
    destination: destinationOf(keys, text),
    type: "bind",
    source: "",
    options: ["rbind", "rprivate", ...(readonly ? ["ro", "rro"] : [])],
    volume: { name, copy: !flagOf(keys, "volume-nocopy", text), labels },
  };
}

function tmpfsOf(keys: Keys, text: string): Wish {
  if (keys.has("source")) throw mountError(text, "a tmpfs has no source");
  const size = keys.get("tmpfs-size");
  const mode = keys.get("tmpfs-mode");
  if (mode !== undefined && !isMode(mode)) throw mountError(text, `tmpfs-mode must be an octal number: ${quote(mode)}`);
  return {
    destination: destinationOf(keys, text),
    type: "tmpfs",
    source: "tmpfs",
    options: [
      "nosuid",
      "nodev",
      "noexec",
      ...(flagOf(keys, "readonly", text) ? ["ro"] : []),
      ...(size === undefined ? [] : [`size=${parseSize(size, "mount tmpfs-size") ?? 0}`]),
      ...(mode === undefined ? [] : [`mode=${mode}`]),
    ],
  };
}

function isMode(text: string): boolean {
  return text !== "" && text.length <= 5 && everyCharacter(text, (digit) => digit >= "0" && digit <= "7");
}

function destinationOf(keys: Keys, text: string): string {
  return inContainer(keys.get("destination") ?? "", `--mount ${quote(text)}`);
}

function flagOf(keys: Keys, key: string, text: string): boolean {
  const value = keys.get(key) ?? "false";
  if (["true", "1"].includes(value)) return true;
  if (["false", "0"].includes(value)) return false;
  throw mountError(text, `${key} must be true or false: ${quote(value)}`);
}

function mountError(text: string, why: string): Failure {
  return new Failure(`--mount ${quote(text)}: ${why}`);
}
