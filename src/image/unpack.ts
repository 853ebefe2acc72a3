/** An image as an OCI bundle: a flat copy of its layers, and the config.json that a container of it would have. */
import { attempt, Failure } from "../sys/failure.ts";
import { makeDirectories, openDirectory, replaceFile } from "../sys/files.ts";
import type { Context } from "../commands/context.ts";
import { basename } from "../spec/paths.ts";
import { CONFIG_FILE } from "../container/paths.ts";
import { NO_EDITS } from "./cdi-edits.ts";
import { obtainImage } from "./obtain.ts";
import { parseOptions } from "./flags/options.ts";
import { TERMINAL_GROUP } from "./mounts.ts";
import { enterOwnMounts, fitInside, isMapped, mappingsOf, mapsOf } from "./rootless.ts";
import { asMachine } from "./platform.ts";
import { identify } from "./prepare.ts";
import { toConfig } from "./to-config.ts";
import { Worker } from "./worker.ts";

/** Writes `DESTINATION/rootfs` and `DESTINATION/config.json`; nothing is overwritten. Throws a Failure. */
export function unpackImage(context: Context, image: string, destination: string): void {
  const { sys, env, globals, log } = context;
  const store = { sys, path: globals.store };
  for (const name of ["rootfs", CONFIG_FILE]) {
    if (sys.statxIfAny(null, `${destination}/${name}`, 0) !== undefined)
      throw new Failure(`cannot unpack to ${destination}: ${name} is there already`);
  }
  const isUser = sys.geteuid() !== 0;
  const { record, config } = obtainImage(context, store, image, { policy: "never" });
  if (record.lower.length === 0) throw new Failure("the image has no layers: there is nothing to unpack");
  using worker = new Worker(sys, env);
  enterOwnMounts(sys);
  // The files belong to the ids of this namespace, so whoever runs the bundle needs the same ones.
  const maps = isUser ? mapsOf(sys) : undefined;
  const options = parseOptions({ flags: new Map(), operands: [], rest: [] });
  const layers = record.lower.map((lower) => `${store.path}/${lower.slice(0, lower.lastIndexOf("/"))}`).toReversed();
  const lower = record.lower.map((each) => `${store.path}/${each}`);
  const user = identify(sys, lower, { user: config.process.user, groups: [] });
  const text = toConfig({ ...config, process: { ...config.process, volumes: [] } }, options, {
    id: basename(destination),
    hostname: basename(destination).slice(0, 12),
    machine: asMachine(sys.uname().machine),
    hasSwap: false,
    user: maps === undefined ? user : fitInside(user, [], maps),
    rootfs: "rootfs",
    store: "store",
    volumes: "volumes",
    etc: { path: "etc", names: [] },
    init: "init",
    idmap: maps && { uidMappings: mappingsOf(maps.uids), gidMappings: mappingsOf(maps.gids) },
    inUserNamespace: maps !== undefined,
    hasTerminalGroup: maps === undefined || isMapped(maps.gids, TERMINAL_GROUP),
    devices: { nodes: [], rules: [] },
    edits: NO_EDITS,
    callerEnv: [],
    seccomp: undefined,
    warn: (message) => log.warn(message),
  });
  attempt(`unpack to ${destination}`, () => {
    makeDirectories(sys, destination, 0o755);
    openDirectory(sys, null, destination)[Symbol.dispose]();
  });
  worker.ask("merge", { layers, dest: `${destination}/rootfs` });
  attempt(`write ${destination}/${CONFIG_FILE}`, () => {
    using folder = openDirectory(sys, null, destination);
    replaceFile(sys, folder, CONFIG_FILE, `${JSON.stringify(JSON.parse(text), undefined, 2)}\n`, 0o644);
  });
}
