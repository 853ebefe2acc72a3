/** `containerEdits` of the Container Device Interface: what a device changes of config.json. Pure. */
import { SpecError } from "../spec/error.ts";
import {
  arrayIn,
  asInteger,
  ID,
  integerIn,
  listIn,
  pathOf,
  requiredStringIn,
  stringIn,
  stringsIn,
  UINT32,
} from "../spec/reader.ts";
import type { JsonObject } from "../spec/reader.ts";
import { isBlank } from "../spec/unsupported.ts";
import type { RawDevice } from "./flags/devices.ts";
import type { RawMount } from "./flags/wish.ts";

/** A node that a device needs; what it does not say is as on the host. */
export interface CdiNode {
  readonly path: string;
  readonly hostPath: string;
  readonly given: Partial<Omit<RawDevice, "path">>;
  /** Whether the host need not be asked. */
  readonly isWhole: boolean;
  /** r, w, m. */
  readonly access: string;
}

/** A hook of config.json, and its stage. */
export interface CdiHook {
  readonly stage: string;
  readonly hook: {
    readonly path: string;
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly timeout?: number;
  };
}

export interface Edits {
  readonly env: readonly string[];
  readonly nodes: readonly CdiNode[];
  readonly mounts: readonly RawMount[];
  readonly hooks: readonly CdiHook[];
  readonly gids: readonly number[];
}

export const NO_EDITS: Edits = { env: [], nodes: [], mounts: [], hooks: [], gids: [] };

/** What asks for more than tsrun does. */
const UNSUPPORTED = ["intelRdt", "netDevices"];

const STAGES = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/** Throws a SpecError. */
export function parseEdits(raw: JsonObject, at: string): Edits {
  for (const key of UNSUPPORTED) if (!isBlank(raw[key])) throw new SpecError(pathOf(at, key), "is not supported yet");
  return {
    env: stringsIn(raw, "env", at),
    nodes: listIn(raw, "deviceNodes", at, parseNode),
    mounts: listIn(raw, "mounts", at, parseMount),
    hooks: listIn(raw, "hooks", at, parseHook),
    gids: arrayIn(raw, "additionalGids", at).map((gid, index) =>
      asInteger(gid, `${pathOf(at, "additionalGids")}[${index}]`, ID),
    ),
  };
}

function parseNode(raw: JsonObject, at: string): CdiNode {
  const path = requiredStringIn(raw, "path", at);
  const numbers = ["major", "minor", "fileMode", "uid", "gid"].map((key) => [key, integerIn(raw, key, at, UINT32)]);
  const type = stringIn(raw, "type", at) || undefined;
  const given = Object.fromEntries(
    [...numbers, ["type", type]].filter(([, value]) => value !== undefined),
  ) as CdiNode["given"];
  return {
    path,
    hostPath: stringIn(raw, "hostPath", at) || path,
    given,
    isWhole: type !== undefined && given.major !== undefined && given.minor !== undefined,
    access: stringIn(raw, "permissions", at) || "rwm",
  };
}

function parseMount(raw: JsonObject, at: string): RawMount {
  return {
    source: requiredStringIn(raw, "hostPath", at),
    destination: requiredStringIn(raw, "containerPath", at),
    type: stringIn(raw, "type", at) || "bind",
    options: stringsIn(raw, "options", at),
  };
}

function parseHook(raw: JsonObject, at: string): CdiHook {
  const stage = requiredStringIn(raw, "hookName", at);
  if (!STAGES.includes(stage)) throw new SpecError(pathOf(at, "hookName"), `must be one of ${STAGES.join(", ")}`);
  const timeout = integerIn(raw, "timeout", at, UINT32);
  return {
    stage,
    hook: {
      path: requiredStringIn(raw, "path", at),
      args: stringsIn(raw, "args", at),
      env: stringsIn(raw, "env", at),
      ...(timeout === undefined ? {} : { timeout }),
    },
  };
}

/** `hooks` of config.json. */
export function hooksOf(hooks: readonly CdiHook[]): Record<string, readonly object[]> {
  const stages = [...new Set(hooks.map(({ stage }) => stage))];
  return Object.fromEntries(
    stages.map((stage) => [stage, hooks.filter((each) => each.stage === stage).map(({ hook }) => hook)]),
  );
}
