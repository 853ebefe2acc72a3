/** The order of the plan, which is a security property: what must come before what, and why, over config.json of all kinds. */

import type { Facts } from "../../src/facts/facts.ts";
import { planBeside, planCredentials, planExec, planHost, planInit } from "../../src/plan/plan.ts";
import type { Step, Verb } from "../../src/plan/step.ts";
import { verbs } from "../../src/plan/verbs.ts";
import type { Spec } from "../../src/spec/spec.ts";
import { deepEqual, equal, ok, test } from "../support/unit.ts";
import { generatedSpecs } from "./generated.ts";

const FACTS: Facts = {
  kernelRelease: "6.12.0",
  machine: "x86_64",
  euid: 0,
  cgroupMount: "/sys/fs/cgroup",
  ownCgroup: "/",
  controllers: ["memory", "pids", "cpu"],
};

const SPECS = generatedSpecs(400);

function stepsOf(spec: Spec): Step[] {
  const options = { id: "box", newKeyring: true, pivot: true, cgroup: "/a/b" };
  const init = [...planInit(spec, FACTS, options), ...planCredentials(spec.process, spec.seccomp)];
  const waits = init.findIndex((step) => step.do === "awaitParent");
  // The parent's steps beside init have been done when init waits for them.
  return [
    ...planHost(spec, FACTS, "/a/b"),
    ...init.slice(0, waits),
    ...planBeside(spec, FACTS, "/a/b"),
    ...init.slice(waits),
  ];
}

const ORDER: readonly (readonly [earlier: Verb, later: Verb, because: string])[] = [
  ["makeCgroup", "enableControllers", "what leads to the cgroup must be there to offer anything"],
  ["makeCgroup", "writeCgroup", "a limit is a file in the cgroup"],
  ["enableControllers", "writeCgroup", "the file is there once its controller is offered"],
  ["writeCgroup", "filterDevices", "the filter is the last thing that makes the cgroup complete"],
  ["writeCgroup", "startSession", "init is born into a cgroup that has its limits"],
  ["filterDevices", "makeDevice", "no device is made that the filter does not know of"],
  ["joinKeyring", "startSession", "both are the caller's, and go first"],
  ["startSession", "makeTerminal", "TIOCSCTTY wants a session leader without a terminal: ioctl_tty(2)"],
  ["enterNamespace", "mount", "what a cgroup mount shows as its root depends on the namespace: cgroup_namespaces(7)"],
  ["enterNamespace", "bringUpLoopback", "the interface is that of the new namespace"],
  ["enterNamespace", "awaitParent", "it takes as long as what the parent does meanwhile"],
  ["awaitParent", "makeDevice", "the device filter is in force by then"],
  ["awaitParent", "runHooks", "hooks find a container that the state names"],
  ["bringUpLoopback", "setCapabilities", "SIOCSIFFLAGS needs CAP_NET_ADMIN"],
  ["mountRoot", "mount", "places are looked up below the root's descriptor"],
  ["mountRoot", "makeDevice", "places are looked up below the root's descriptor"],
  ["mount", "makeDevice", "a mount of /dev would cover the nodes"],
  ["mount", "linkDevices", "a mount of /dev would cover the links"],
  ["makeDevice", "linkDevices", "a node of config.json goes before a link of the same name"],
  ["mount", "runHooks", "hooks find the container as it will be: config#configHooksCreateRuntime"],
  ["linkDevices", "runHooks", "hooks find the container as it will be: config#configHooksCreateRuntime"],
  ["runHooks", "pivotRoot", "hooks come from the host's root: config#configHooksCreateContainer"],
  ["mount", "makeTerminal", "the terminal comes from the container's devpts"],
  ["runHooks", "makeTerminal", "phases of the conversation do not go back: REQUESTS"],
  ["makeTerminal", "pivotRoot", "/dev/console is mounted below the root's descriptor"],
  ["mount", "maskPath", "a mount would uncover what is hidden"],
  ["mount", "makeReadonly", "a mount would cover what is read-only"],
  ["writeSysctl", "makeReadonly", "/proc/sys is among what becomes read-only"],
  ["mount", "pivotRoot", "the sources are out of reach afterwards"],
  ["makeDevice", "pivotRoot", "the host's devices, which are bound in a user namespace, are out of reach afterwards"],
  ["maskPath", "pivotRoot", "the host's /dev/null covers files: CVE-2025-31133"],
  ["makeReadonly", "pivotRoot", "paths are looked up below the root's descriptor"],
  ["makeDevice", "sealMount", "nothing can be made in a read-only mount"],
  ["linkDevices", "sealMount", "nothing can be made in a read-only mount"],
  ["makeTerminal", "sealMount", "/dev/console is made in /dev"],
  ["makeDirectory", "sealMount", "the working directory may be in it"],
  ["makeDirectory", "makeRootReadonly", "nothing can be made in a read-only file system"],
  ["makeDevice", "makeRootReadonly", "nothing can be made in a read-only file system"],
  ["maskPath", "makeRootReadonly", "the root becomes read-only last"],
  ["makeRootReadonly", "pivotRoot", "nobody sees the root writable"],
  ["pivotRoot", "loadSeccomp", "a filter need not allow pivot_root"],
  ["pivotRoot", "dropBoundingSet", "pivot_root needs CAP_SYS_ADMIN"],
  ["pivotRoot", "setIds", "the working directory is one of the container: CVE-2024-21626"],
  ["setHostname", "setIds", "sethostname needs CAP_SYS_ADMIN"],
  ["loadSeccomp", "dropBoundingSet", "without no_new_privs a filter needs CAP_SYS_ADMIN: seccomp(2)"],
  ["forbidNewPrivileges", "dropBoundingSet", "it comes before whatever it protects"],
  ["dropBoundingSet", "setIds", "PR_CAPBSET_DROP needs CAP_SETPCAP, which a change of the user takes"],
  ["setUmask", "setIds", "both are the process's own"],
  ["setIds", "setCapabilities", "setresuid(2) clears the effective set"],
];

for (const [earlier, later, because] of ORDER) {
  test(`${earlier} comes before ${later}: ${because}`, () => {
    let met = 0;
    for (const spec of SPECS) {
      const done = stepsOf(spec).map((step) => step.do);
      const last = done.lastIndexOf(earlier);
      const first = done.indexOf(later);
      if (last < 0 || first < 0) continue;
      met++;
      ok(last < first, `${earlier} is at ${last}, ${later} at ${first} of ${done.join(" ")}`);
    }
    ok(met > 10, `only ${met} of ${SPECS.length} plans have both`);
  });
}

test("a filter is a step of the plan without no_new_privs; with it becomeProcess loads it, after the last step", () => {
  for (const spec of SPECS) {
    const done = stepsOf(spec).map((step) => step.do);
    equal(done.includes("loadSeccomp"), spec.seccomp !== undefined && !spec.process.noNewPrivileges);
    equal(done.includes("forbidNewPrivileges"), spec.process.noNewPrivileges);
  }
});

test("what makes a plan complete is in every one, and once", () => {
  const once: Verb[] = [
    "makeCgroup",
    "filterDevices",
    "startSession",
    "mountRoot",
    "awaitParent",
    "pivotRoot",
    "dropBoundingSet",
    "setIds",
    "setCapabilities",
  ];
  for (const spec of SPECS) {
    const done = stepsOf(spec).map((step) => step.do);
    for (const verb of once) equal(done.filter((each) => each === verb).length, 1, verb);
  }
});

test("mounts are made in the order of config.json: config#configMounts", () => {
  for (const spec of SPECS) {
    const places = stepsOf(spec).flatMap((step) => (step.do === "mount" ? [step.with.mount.destination] : []));
    deepEqual(
      places,
      spec.mounts.map(({ destination }) => destination),
    );
  }
});

test("the host is not touched by anything before the mounts are cut off from it: mount_namespaces(7)", () => {
  for (const spec of SPECS) {
    const first = stepsOf(spec).find(
      ({ do: verb }) => verb === "setPropagation" || verb === "mountRoot" || verb === "mount",
    );
    equal(first?.do, "setPropagation");
  }
});

test("a process of exec gets rid of the caller's session first, and of its rights last", () => {
  for (const { process, seccomp } of SPECS.slice(0, 50)) {
    deepEqual(
      [...planExec("box")].map((step) => step.do),
      ["joinKeyring", "startSession"],
    );
    equal([...planCredentials(process, seccomp)].at(-1)?.do, "setCapabilities");
  }
});

test("every verb is met in some plan, or this test would say nothing of it", () => {
  const met = new Set(SPECS.flatMap((spec) => stepsOf(spec).map((step) => step.do)));
  deepEqual(
    Object.keys(verbs).filter((verb) => !met.has(verb as Verb)),
    [],
  );
});
