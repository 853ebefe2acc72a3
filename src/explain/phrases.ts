/** A phrase for each verb, for `explain` ("it will …") and for errors ("cannot …"). A verb without one does not compile. */
import type { Step, Verb, With } from "../plan/step.ts";
import { countOf } from "../spec/text.ts";
import { listOf, octal } from "./words.ts";

const phrases: { readonly [V in Verb]: (options: With<V>) => string } = {
  makeCgroup: ({ path }) => `make the cgroup ${path}`,
  enableControllers: ({ path, controllers }) =>
    controllers.length === 0
      ? `offer no controller to the cgroup ${path}, since the kernel has none to offer`
      : `offer the controllers ${listOf(controllers)} on the way to the cgroup ${path}`,
  writeCgroup: ({ setting }) => `write ${JSON.stringify(setting.value)} to ${setting.file} of the cgroup`,
  filterDevices: ({ place }) => `attach a filter for the use of devices to the cgroup ${place.path}`,
  joinKeyring: (name) => `join a session keyring of its own, named ${name}`,
  startSession: () => "start a session of its own, which has no terminal",
  bringUpLoopback: (name) => `bring up the network interface ${name}`,
  enterNamespace: (type) =>
    `enter a new ${type} namespace${type === "cgroup" ? ", whose root is the container's own cgroup" : ""}`,
  setPropagation: ({ type, recursive }) => `make the mount / ${recursive ? "and all below it " : ""}${type}`,
  mountRoot: (root) =>
    root.overlay === undefined
      ? `mount the root file system ${root.path} over itself`
      : `mount ${countOf(root.overlay.lower.length, "layer")} and a writable one, stacked by overlayfs, on ${root.path}`,
  mount: ({ mount, source }) => {
    const what = source ?? mount.type;
    const options = mount.options.length > 0 ? ` with the options ${mount.options.join(",")}` : "";
    return `mount ${what} on ${mount.destination}${options}`;
  },
  sealMount: (path) => `make the mount on ${path} read-only`,
  makeDevice: ({ device: { path, type, major, minor, fileMode }, how }) => {
    if (how === "bind") return `mount the host's ${path} on the container's ${path}`;
    if (type === "p") return `make the named pipe ${path}, mode ${octal(fileMode)}`;
    return `make the ${type === "b" ? "block" : "character"} device ${path}, number ${major}:${minor}, mode ${octal(fileMode)}`;
  },
  linkDevices: (links) => `make the symbolic links ${listOf(links.map(({ path }) => path))}`,
  awaitParent: () => 'wait until its parent says "goOn"',
  runHooks: (stages) =>
    `tell the parent "hooks" and wait for its answer${stages.includes("createContainer") ? ", then run the createContainer hooks" : ""}`,
  makeTerminal: () => "make a terminal for the process, and put it on /dev/console",
  setHostname: (name) => `set the host name to ${JSON.stringify(name)}`,
  setDomainname: (name) => `set the domain name to ${JSON.stringify(name)}`,
  writeSysctl: (values) =>
    `set the kernel ${values.length === 1 ? "parameter" : "parameters"} ${listOf(values.map(([key]) => key))}`,
  maskPath: (paths) => `hide ${listOf(paths)}`,
  makeReadonly: (path) => `make ${path} read-only`,
  makeDirectory: (path) => `make the working directory ${path} where it is missing`,
  makeRootReadonly: () => "make the root file system read-only",
  pivotRoot: (how) =>
    how === "pivot"
      ? "exchange the root for the container's, and let go of the host's"
      : "move the container's root file system over the host's, and change the root to it",
  setUmask: (umask) => `set the umask to ${octal(umask)}`,
  forbidNewPrivileges: () => "forbid the process, for ever, to gain privileges by execve",
  loadSeccomp: () => "load the seccomp filter",
  dropBoundingSet: (keep) =>
    keep.length === 0
      ? "drop every capability from the bounding set"
      : `drop every capability from the bounding set but ${keep.length}`,
  setIds: ({ user, cwd }) =>
    `enter the directory ${cwd} and become uid ${user.uid}, gid ${user.gid}${groupsOf(user.additionalGids)}`,
  setCapabilities: ({ effective }) =>
    `set the capability sets, ${effective.length === 0 ? "none" : effective.length} effective`,
};

/** The phrase of a step, which reads on after "it will" and "cannot". */
export function phraseOf(step: Step): string {
  const phrase = phrases[step.do] as (options: Step["with"]) => string; // step() paired them
  return phrase(step.with);
}

function groupsOf(groups: readonly number[]): string {
  return groups.length === 0
    ? " and no other group"
    : ` and the ${groups.length === 1 ? "group" : "groups"} ${listOf(groups.map(String))}`;
}
