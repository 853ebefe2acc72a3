/** A phrase for each verb, for `explain` ("it will …") and for errors ("cannot …"). A verb without one does not compile. */
import type { Step, Verb, With } from "../plan/step.ts";
import type { DeviceRule } from "../spec/spec.ts";

const phrases: { readonly [V in Verb]: (options: With<V>) => string } = {
  makeCgroup: ({ path }) => `make cgroup ${path}`,
  enableControllers: ({ path, controllers }) => `offer the controllers ${controllers.join(" ")} on the way to cgroup ${path}`,
  writeCgroup: ({ setting }) => `write ${JSON.stringify(setting.value)} to ${setting.file} of the cgroup`,
  filterDevices: ({ rules }) => `let the cgroup use only these devices: ${describeRules(rules)}`,
  joinKeyring: (name) => `join a session keyring of its own, ${name}`,
  startSession: () => "start a session of its own, without a terminal",
  bringUpLoopback: (name) => `bring up the interface ${name}`,
  enterCgroupNamespace: () => "enter a cgroup namespace whose root is the container's own cgroup",
  setPropagation: ({ type, recursive }) => `make / and ${recursive ? "all below" : "nothing below"} a ${type} mount`,
  mountRoot: (root) =>
    root.overlay === undefined
      ? `mount the root file system ${root.path} over itself`
      : `stack ${root.overlay.lower.length} layers and an upper one on ${root.path}`,
  mount: ({ mount, source }) => {
    const options = mount.options.length > 0 ? ` (${mount.options.join(",")})` : "";
    return source === undefined ? `mount ${mount.type} on ${mount.destination}${options}` : `mount ${source} on ${mount.destination}${options}`;
  },
  makeDevice: ({ device, how }) =>
    how === "bind"
      ? `bind the host's ${device.path}`
      : `make the device ${device.path} (${device.type} ${device.major}:${device.minor}, mode ${device.fileMode.toString(8)})`,
  linkDevices: (links) => `make the links ${links.map(({ path }) => path).join(" ")}`,
  runHooks: (stages) => (stages.length === 0 ? "tell the parent that the file system is ready" : `run the hooks ${stages.join(", ")}`),
  makeTerminal: () => "make a terminal for the process, and put it on /dev/console",
  setHostname: (name) => `name the host ${JSON.stringify(name)}`,
  setDomainname: (name) => `name the domain ${JSON.stringify(name)}`,
  writeSysctl: (values) => `set ${values.map(([key, value]) => `${key} = ${value}`).join(", ")}`,
  maskPath: (paths) => `hide ${paths.join(" ")}`,
  makeReadonly: (path) => `make ${path} read-only`,
  makeDirectory: (path) => `make the working directory ${path} if it is missing`,
  makeRootReadonly: () => "make the root file system read-only",
  pivotRoot: (how) =>
    how === "pivot" ? "swap the root file systems and let go of the host's" : "put the root file system over the host's and change the root",
  setUmask: (umask) => `set the umask ${umask.toString(8).padStart(4, "0")}`,
  forbidNewPrivileges: () => "forbid new privileges",
  loadSeccomp: ({ rules, defaultAction }) => `load the seccomp filter (${rules.length} rules, else ${defaultAction.kind})`,
  dropBoundingSet: (keep) => `drop all capabilities from the bounding set but ${keep.length === 0 ? "none" : keep.join(" ")}`,
  setIds: ({ user, cwd }) => `enter ${cwd} and become uid ${user.uid}, gid ${user.gid}${describeGroups(user.additionalGids)}`,
  setCapabilities: ({ effective }) => `keep ${effective.length} effective capabilities`,
};

/** The phrase of a step, which reads on after "it will" and "cannot". */
export function phraseOf(step: Step): string {
  const phrase = phrases[step.do] as (options: Step["with"]) => string; // step() paired them
  return phrase(step.with);
}

function describeGroups(groups: readonly number[]): string {
  return groups.length === 0 ? "" : `, groups ${groups.join(" ")}`;
}

function describeRules(rules: readonly DeviceRule[]): string {
  if (rules.length === 0) return "the default ones";
  return rules.map((rule) => `${rule.allow ? "+" : "-"}${rule.type} ${rule.major ?? "*"}:${rule.minor ?? "*"}`).join(", ");
}
