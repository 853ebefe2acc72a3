/**
 * Devices by their names in the Container Device Interface (github.com/cncf-tags/container-device-interface, SPEC.md): a vendor's
 * specification says what a container needs to have one, besides the node. JSON only.
 */
import { readDocument } from "../spec/document.ts";
import { listIn, objectIn, pathOf, quote, requiredStringIn, type JsonObject } from "../spec/reader.ts";
import { attempt, Failure } from "../sys/failure.ts";
import { isErrno } from "../sys/errno.ts";
import { openDirectory, readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { absolutePath } from "../commands/context.ts";
import type { DeviceWishes } from "./flags/devices.ts";
import { NO_EDITS, parseEdits, type Edits } from "./cdi-edits.ts";

/** Of two specifications that have a device, that of the later directory counts: what was generated for this boot. */
const DIRECTORIES = ["/etc/cdi", "/var/run/cdi"];

interface Specification {
  readonly path: string;
  readonly kind: string;
  /** What every device of it needs, once. */
  readonly common: Edits;
  readonly devices: ReadonlyMap<string, Edits>;
}

/** What the devices of these names need together. Throws a Failure where there is no such device. */
export function findCdiDevices(sys: Sys, { names, directories: given }: DeviceWishes): Edits {
  if (names.length === 0) return NO_EDITS;
  const directories = given.length > 0 ? given.map((path) => absolutePath(sys, path)) : DIRECTORIES;
  const all = directories.map((directory) => readSpecifications(sys, directory)).toReversed();
  const used = new Set<Specification>();
  const found = names.map((name) => {
    const [kind = "", device = ""] = splitName(name);
    const specification = specificationOf(all, kind, device);
    if (specification === undefined)
      throw new Failure(`--device ${quote(name)}: no specification in ${directories.join(" or ")} has it (of *.json)`);
    used.add(specification);
    return specification.devices.get(device) ?? NO_EDITS;
  });
  return together([...[...used].map(({ common }) => common), ...found]);
}

/** Before and behind the last "=". */
function splitName(name: string): string[] {
  const equals = name.lastIndexOf("=");
  return [name.slice(0, equals), name.slice(equals + 1)];
}

function specificationOf(
  all: readonly (readonly Specification[])[],
  kind: string,
  device: string,
): Specification | undefined {
  for (const specifications of all) {
    const [first, second] = specifications.filter((each) => each.kind === kind && each.devices.has(device));
    if (first !== undefined && second !== undefined)
      throw new Failure(`--device ${quote(`${kind}=${device}`)}: both ${first.path} and ${second.path} have it`);
    if (first !== undefined) return first;
  }
  return undefined;
}

function readSpecifications(sys: Sys, directory: string): Specification[] {
  return namesIn(sys, directory)
    .filter((name) => name.endsWith(".json"))
    .toSorted()
    .map((name) => readSpecification(sys, `${directory}/${name}`));
}

function namesIn(sys: Sys, directory: string): string[] {
  try {
    using opened = openDirectory(sys, null, directory);
    return sys.readDirectory(opened);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw new Failure(`cannot list ${directory}`, error);
  }
}

function readSpecification(sys: Sys, path: string): Specification {
  const text = attempt(`read ${path}`, () => readFile(sys, null, path));
  try {
    return readDocument(text, (document) => parseSpecification(document, path));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "SpecError") throw error;
    throw new Failure(`${path}: ${error.message}`);
  }
}

/** Throws a SpecError. */
function parseSpecification(document: JsonObject, path: string): Specification {
  requiredStringIn(document, "cdiVersion", "");
  const devices = listIn(document, "devices", "", (device, at) => {
    const name = requiredStringIn(device, "name", at);
    return [name, parseEdits(objectIn(device, "containerEdits", at) ?? {}, pathOf(at, "containerEdits"))] as const;
  });
  return {
    path,
    kind: requiredStringIn(document, "kind", ""),
    common: parseEdits(objectIn(document, "containerEdits", "") ?? {}, "containerEdits"),
    devices: new Map(devices),
  };
}

function together(all: readonly Edits[]): Edits {
  return {
    env: all.flatMap(({ env }) => env),
    nodes: all.flatMap(({ nodes }) => nodes),
    mounts: all.flatMap(({ mounts }) => mounts),
    hooks: all.flatMap(({ hooks }) => hooks),
    gids: all.flatMap(({ gids }) => gids),
  };
}
