/** config.json → Spec. One pass over the fields, then the rules between them. */

import { readDocument } from "./document.ts";
import { SpecError } from "./error.ts";
import { parseHooks } from "./parse-hooks.ts";
import {
  parseCgroupsPath,
  parseDevices,
  parseNamespaces,
  parsePaths,
  parseRootfsPropagation,
  parseSysctl,
  parseUserNamespace,
} from "./parse-linux.ts";
import { parseMounts } from "./parse-mounts.ts";
import { parseProcess } from "./parse-process.ts";
import { parseDeviceRules, parseResources } from "./parse-resources.ts";
import { parseSeccomp } from "./parse-seccomp.ts";
import { resolve } from "./paths.ts";
import { booleanIn, mustBe, objectIn, requiredStringIn, stringIn, stringMapIn } from "./reader.ts";
import type { JsonObject } from "./reader.ts";
import { checkRules } from "./rules.ts";
import type { Root, Spec } from "./spec.ts";
import { refuse, UNSUPPORTED } from "./unsupported.ts";

/**
 * The validated form of the text of a config.json whose bundle is the directory `bundle`, an absolute path.
 * Throws a `SpecError` with the JSON path of what is wrong.
 */
export function parseSpec(text: string, bundle: string): Spec {
  return readDocument(text, (config) => parseConfig(config, bundle));
}

function parseConfig(config: JsonObject, bundle: string): Spec {
  const ociVersion = parseVersion(config);
  refuse(config, "", UNSUPPORTED.config);
  const warnings: string[] = [];
  const process = objectIn(config, "process", "");
  if (process === undefined) throw new SpecError("process", "is required");
  const linux = parseLinux(objectIn(config, "linux", "") ?? {}, warnings);
  const spec = {
    ociVersion,
    bundle,
    process: parseProcess(process, "process", warnings),
    root: parseRoot(config, bundle),
    hostname: stringIn(config, "hostname", "") || undefined,
    domainname: stringIn(config, "domainname", "") || undefined,
    mounts: parseMounts(config, bundle, warnings),
    annotations: stringMapIn(config, "annotations", ""),
    hooks: parseHooks(config),
    ...linux,
  };
  if (process["capabilities"] === undefined || process["capabilities"] === null) {
    warnings.push("process.capabilities is absent: the process gets none");
  }
  checkRules(spec);
  return warnings.length === 0 ? spec : { ...spec, warnings };
}

/** config#configSpecificationVersion: SemVer, whose major number says what can be read. */
function parseVersion(config: JsonObject): string {
  const version = requiredStringIn(config, "ociVersion", "");
  if (version.startsWith("1.") || version.startsWith("0.")) return version;
  throw mustBe("ociVersion", "1.x, a version of the specification", version);
}

function parseRoot(config: JsonObject, bundle: string): Root {
  const root = objectIn(config, "root", "");
  if (root === undefined) throw new SpecError("root", "is required");
  return {
    path: resolve(bundle, requiredStringIn(root, "path", "root")),
    readonly: booleanIn(root, "readonly", "root"),
    // Not from config.json: the image side adds its layers to the Spec.
    overlay: undefined,
  };
}

type LinuxPart = Pick<
  Spec,
  | "namespaces"
  | "userNamespace"
  | "devices"
  | "sysctl"
  | "maskedPaths"
  | "readonlyPaths"
  | "rootfsPropagation"
  | "cgroup"
  | "seccomp"
>;

function parseLinux(linux: JsonObject, warnings: string[]): LinuxPart {
  refuse(linux, "linux", UNSUPPORTED.linux);
  const namespaces = parseNamespaces(linux);
  const resources = objectIn(linux, "resources", "linux") ?? {};
  return {
    namespaces,
    userNamespace: parseUserNamespace(linux, namespaces, warnings),
    devices: parseDevices(linux),
    sysctl: parseSysctl(linux),
    maskedPaths: parsePaths(linux, "maskedPaths"),
    readonlyPaths: parsePaths(linux, "readonlyPaths"),
    rootfsPropagation: parseRootfsPropagation(linux),
    cgroup: {
      path: parseCgroupsPath(linux),
      settings: parseResources(resources, "linux.resources", warnings),
      devices: parseDeviceRules(resources, "linux.resources"),
    },
    seccomp: parseSeccomp(linux, warnings),
  };
}
