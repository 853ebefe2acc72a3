/** Every verb of a plan, from the mechanism that it belongs to. */
import { enableControllers, filterDevices, makeCgroup, writeCgroup } from "../mechanisms/cgroup2.ts";
import { dropBoundingSet, setCapabilities } from "../mechanisms/capabilities.ts";
import { forbidNewPrivileges, setIds, setUmask } from "../mechanisms/credentials.ts";
import { linkDevices, makeDevice } from "../mechanisms/devices.ts";
import { makeReadonly, maskPath } from "../mechanisms/masks.ts";
import { makeMount, sealMount } from "../mechanisms/mounts.ts";
import {
  bringUpLoopback,
  enterNamespace,
  joinKeyring,
  setDomainname,
  setHostname,
  startSession,
} from "../mechanisms/namespaces.ts";
import { makeDirectory, makeRootReadonly, mountRoot, pivotRoot, setPropagation } from "../mechanisms/rootfs.ts";
import { loadSeccomp } from "../mechanisms/seccomp.ts";
import { writeSysctl } from "../mechanisms/sysctl.ts";
import { makeTerminal } from "../mechanisms/terminal.ts";
import type { Scene } from "./step.ts";

/** Waits until the cgroup is complete, and the state leads to init: not of a mechanism, but its place in the order matters. */
function awaitParent(scene: Scene, _nothing: undefined): void {
  scene.converse.awaitParent();
}

/** Waits for the parent's hooks and runs init's own. */
function runHooks(scene: Scene, _stages: readonly string[]): void {
  scene.converse.runHooks();
}

export const verbs = {
  makeCgroup,
  enableControllers,
  writeCgroup,
  filterDevices,
  joinKeyring,
  startSession,
  bringUpLoopback,
  enterNamespace,
  setPropagation,
  mountRoot,
  mount: makeMount,
  sealMount,
  makeDevice,
  linkDevices,
  awaitParent,
  runHooks,
  makeTerminal,
  setHostname,
  setDomainname,
  writeSysctl,
  maskPath,
  makeReadonly,
  makeDirectory,
  makeRootReadonly,
  pivotRoot,
  setUmask,
  forbidNewPrivileges,
  loadSeccomp,
  dropBoundingSet,
  setIds,
  setCapabilities,
} as const;
