/** The JSON Schema of what `explain --format json` prints: each verb with what it is done with. A verb without one does not compile. */
import type { Verb } from "../plan/step.ts";
import { ACTS, type Act } from "./acts.ts";
import { LESSONS } from "./lessons.ts";

/** As much of JSON Schema (draft 7) as is needed here. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly oneOf?: readonly Schema[];
  readonly [key: `$${string}`]: string;
  readonly description?: string;
}

const TEXT: Schema = { type: "string" };
const INTEGER: Schema = { type: "integer" };
const BOOLEAN: Schema = { type: "boolean" };
const NOTHING: Schema = { type: "null" };
const TEXTS: Schema = { type: "array", items: TEXT };
/** 64 bits. */
const LONG: Schema = { type: "string", description: "a whole number of up to 64 bits, in decimal" };

function listOf(items: Schema): Schema {
  return { type: "array", items };
}

/** An object of which all properties are there, but those whose name ends in "?". */
function objectOf(properties: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(properties).map(
    ([name, schema]) => [name.endsWith("?") ? name.slice(0, -1) : name, schema] as const,
  );
  const required = Object.keys(properties).filter((name) => !name.endsWith("?"));
  return { type: "object", properties: Object.fromEntries(entries), required, additionalProperties: false };
}

const PROPAGATION = objectOf({ type: { enum: ["private", "shared", "slave", "unbindable"] }, recursive: BOOLEAN });
const PLACE = objectOf({ mount: TEXT, path: TEXT });
const ACTION = objectOf({
  kind: { enum: ["allow", "log", "trap", "killThread", "killProcess", "errno", "trace"] },
  "value?": INTEGER,
});
const ARGUMENT = objectOf({ index: INTEGER, op: TEXT, value: LONG, valueTwo: LONG });
const HOOK = objectOf({ path: TEXT, args: TEXTS, env: TEXTS, "timeout?": INTEGER });
const HOOKS = objectOf({ stage: TEXT, hooks: listOf(HOOK) });
const MAPPING = objectOf({ containerID: INTEGER, hostID: INTEGER, size: INTEGER });
const RULE = objectOf({
  allow: BOOLEAN,
  type: { enum: ["a", "b", "c"] },
  "major?": INTEGER,
  "minor?": INTEGER,
  read: BOOLEAN,
  write: BOOLEAN,
  mknod: BOOLEAN,
});

const SETTING = objectOf({
  file: TEXT,
  value: TEXT,
  controller: TEXT,
  at: TEXT,
  "whenMissing?": { oneOf: [{ const: "skip" }, objectOf({ file: TEXT, value: TEXT })] },
});

const MAPPINGS = listOf(objectOf({ containerID: INTEGER, hostID: INTEGER, size: INTEGER }));
const MAPS = objectOf({ uidMappings: MAPPINGS, gidMappings: MAPPINGS });

const MOUNT = objectOf({
  destination: TEXT,
  type: TEXT,
  source: TEXT,
  bind: { enum: ["no", "single", "recursive"] },
  attr: objectOf({ set: INTEGER, clear: INTEGER, recursiveSet: INTEGER, recursiveClear: INTEGER }),
  flags: TEXTS,
  data: listOf(listOf({ type: ["string", "null"] })),
  "propagation?": PROPAGATION,
  tmpcopyup: BOOLEAN,
  "idmap?": objectOf({ "maps?": MAPS, recursive: BOOLEAN }),
  options: TEXTS,
});

const SECCOMP = objectOf({
  defaultAction: ACTION,
  architectures: TEXTS,
  flags: INTEGER,
  rules: listOf(objectOf({ names: TEXTS, action: ACTION, args: listOf(ARGUMENT) })),
});

const DEVICE = objectOf({
  path: TEXT,
  type: { enum: ["c", "b", "u", "p"] },
  major: INTEGER,
  minor: INTEGER,
  fileMode: INTEGER,
  uid: INTEGER,
  gid: INTEGER,
});

const FACTS = objectOf({
  kernelRelease: TEXT,
  machine: TEXT,
  euid: INTEGER,
  cgroupMount: TEXT,
  ownCgroup: TEXT,
  controllers: TEXTS,
});

/** What `with` is, by verb. */
export const WITH: { readonly [V in Verb | Act]: Schema } = {
  makeCgroup: PLACE,
  enableControllers: objectOf({ mount: TEXT, path: TEXT, controllers: TEXTS }),
  writeCgroup: objectOf({ place: PLACE, setting: SETTING }),
  filterDevices: objectOf({ place: PLACE, rules: listOf(RULE) }),
  joinKeyring: TEXT,
  startSession: NOTHING,
  bringUpLoopback: TEXT,
  enterNamespace: TEXT,
  setPropagation: PROPAGATION,
  mountRoot: objectOf({
    path: TEXT,
    readonly: BOOLEAN,
    "overlay?": objectOf({ lower: TEXTS, upper: TEXT, work: TEXT, "idmap?": MAPS, isVolatile: BOOLEAN }),
  }),
  mount: objectOf({ mount: MOUNT, "source?": TEXT, "cutOff?": PROPAGATION, "propagation?": PROPAGATION }),
  sealMount: TEXT,
  makeDevice: objectOf({ device: DEVICE, how: { enum: ["make", "bind"] } }),
  linkDevices: listOf(objectOf({ path: TEXT, target: TEXT, "needs?": TEXT })),
  awaitParent: NOTHING,
  runHooks: TEXTS,
  makeTerminal: objectOf({ "size?": objectOf({ width: INTEGER, height: INTEGER }), owner: INTEGER }),
  setHostname: TEXT,
  setDomainname: TEXT,
  writeSysctl: listOf(TEXTS),
  maskPath: TEXTS,
  makeReadonly: TEXT,
  makeDirectory: TEXT,
  makeRootReadonly: NOTHING,
  pivotRoot: { enum: ["pivot", "chroot"] },
  setUmask: INTEGER,
  forbidNewPrivileges: NOTHING,
  loadSeccomp: SECCOMP,
  dropBoundingSet: TEXTS,
  setIds: objectOf({
    user: objectOf({ uid: INTEGER, gid: INTEGER, umask: INTEGER, additionalGids: listOf(INTEGER) }),
    cwd: TEXT,
  }),
  setCapabilities: objectOf({
    bounding: TEXTS,
    effective: TEXTS,
    inheritable: TEXTS,
    permitted: TEXTS,
    ambient: TEXTS,
  }),
  closeDescriptors: objectOf({ first: INTEGER }),
  protectOwnFile: NOTHING,
  resetOwnSignals: NOTHING,
  findImage: objectOf({ name: TEXT }),
  readConfig: objectOf({ path: TEXT }),
  probeHost: FACTS,
  compileSeccomp: objectOf({ instructions: INTEGER }),
  planSteps: objectOf({ steps: INTEGER }),
  makeOwnFiles: objectOf({ directory: TEXT }),
  becomeSubreaper: NOTHING,
  collectSignals: NOTHING,
  makeStateDirectory: objectOf({ directory: TEXT }),
  writeIntent: objectOf({ directory: TEXT, file: TEXT }),
  keepFiles: objectOf({ directory: TEXT, files: TEXTS }),
  openSources: objectOf({ sources: TEXTS }),
  openNamespaces: objectOf({ namespaces: listOf(objectOf({ type: TEXT, path: TEXT })) }),
  makeFifo: objectOf({ mode: INTEGER }),
  makeChannel: NOTHING,
  joinPidNamespace: NOTHING,
  makeHelper: TEXT,
  makeInit: objectOf({ flags: TEXTS, cgroup: TEXT }),
  beginInside: NOTHING,
  takeSibling: NOTHING,
  dieWithParent: NOTHING,
  unblockSignals: NOTHING,
  joinNamespaces: objectOf({ namespaces: TEXTS }),
  sayIdMaps: NOTHING,
  writeIdMaps: objectOf({ uidMappings: listOf(MAPPING), gidMappings: listOf(MAPPING) }),
  becomeRoot: NOTHING,
  clearUmask: NOTHING,
  writeState: NOTHING,
  setOomScore: objectOf({ oomScoreAdj: INTEGER }),
  setRlimits: objectOf({ rlimits: listOf(objectOf({ type: TEXT, soft: LONG, hard: LONG })) }),
  runOutside: HOOKS,
  letInitGoOn: NOTHING,
  letHooksPass: NOTHING,
  outliveParent: NOTHING,
  runInside: HOOKS,
  takeTerminal: NOTHING,
  findHome: objectOf({ uid: INTEGER }),
  findProgram: objectOf({ name: TEXT, path: { type: ["string", "null"] } }),
  sayReady: NOTHING,
  sendTerminal: objectOf({ path: TEXT }),
  sendPidfd: objectOf({ path: TEXT }),
  writePidFile: objectOf({ path: TEXT }),
  endCreate: NOTHING,
  waitForFifo: objectOf({ path: TEXT }),
  waitForParent: NOTHING,
  sayGoOn: NOTHING,
  runStartHooks: HOOKS,
  closeAll: objectOf({ keep: INTEGER }),
  execve: objectOf({ args: TEXTS, env: TEXTS }),
  exchangeProgram: NOTHING,
  noticeExecve: NOTHING,
  runPoststart: HOOKS,
  endDetached: NOTHING,
  waitForProcess: NOTHING,
  endNamespaces: NOTHING,
  removeCgroup: objectOf({ path: TEXT }),
  runPoststop: HOOKS,
  removeState: objectOf({ directory: TEXT }),
  giveExitCode: NOTHING,
};

/** The schema of the whole. */
export function storySchema(): Schema {
  const common = {
    number: { type: "integer", description: "from 1, in the order in which things happen" },
    phase: { enum: Object.keys(LESSONS), description: "the mechanism, by which the text is grouped" },
    who: { enum: ["parent", "init", "kernel"], description: "the command itself, its child, or the kernel" },
    because: {
      type: "string",
      description: "what asks for it: an anchor of the OCI runtime specification, a manual page, or a reason",
    },
    says: { type: "string", description: 'reads on after "will"' },
    details: TEXTS,
  };
  const kinds = Object.entries(WITH).map(([verb, schema]) => {
    const description = verb in ACTS ? "done beside the plan" : "a step of the plan";
    return { ...objectOf({ ...common, verb: { const: verb }, with: schema }), description };
  });
  return { $schema: "http://json-schema.org/draft-07/schema#", type: "array", items: { oneOf: kinds } };
}
