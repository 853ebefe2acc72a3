import type { Circumstances } from "../../../src/explain/circumstances.ts";
import { ACTS, type Told } from "../../../src/explain/acts.ts";
import { toJson } from "../../../src/explain/json.ts";
import { LESSONS } from "../../../src/explain/lessons.ts";
import { storySchema, WITH } from "../../../src/explain/schema.ts";
import { SHELL } from "../../../src/explain/shell-steps.ts";
import { toShell } from "../../../src/explain/shell.ts";
import { tellStory } from "../../../src/explain/story.ts";
import { JOIN_ORDER } from "../../../src/explain/story-inside.ts";
import { toText } from "../../../src/explain/text.ts";
import { TOPIC_OF } from "../../../src/explain/topics.ts";
import { joinNamespaces } from "../../../src/container/join.ts";
import { NAMESPACES } from "../../../src/mechanisms/namespaces.ts";
import { compileSeccomp } from "../../../src/mechanisms/seccomp-compile.ts";
import { verbs } from "../../../src/plan/verbs.ts";
import type { NamespaceType, Spec } from "../../../src/spec/spec.ts";
import type { Fd, Sys } from "../../../src/sys/sys.ts";
import { complaint } from "../../support/json-schema.ts";
import { deepEqual, equal, ok, test } from "../../support/unit.ts";
import { generatedSpecs } from "../generated.ts";

function circumstances(spec: Spec, index: number): Circumstances {
  const odd = index % 2 === 1;
  return {
    command: odd ? "create" : "run",
    root: "/run/tsrun",
    id: "box",
    spec,
    configPath: "/bundles/box/config.json",
    image: index % 3 === 1 ? { name: "busybox", owned: "/var/lib/tsrun/containers/1", emptyInput: odd } : undefined,
    facts: {
      kernelRelease: "6.12.0",
      machine: "x86_64",
      euid: odd ? 1000 : 0,
      cgroupMount: "/sys/fs/cgroup",
      ownCgroup: "/",
      controllers: ["memory", "pids"],
    },
    filter: spec.seccomp === undefined ? new Uint8Array() : compileSeccomp(spec.seccomp, "x86_64"),
    pivot: index % 3 > 0,
    newKeyring: index % 5 > 0,
    preserveFds: index % 4,
    detach: odd || index % 6 === 0,
    keep: index % 7 === 0,
    subreaper: index % 5 > 0,
    consoleSocket: odd ? "/run/console" : undefined,
    pidfdSocket: index % 5 === 1 ? "/run/pidfd" : undefined,
    pidFile: index % 3 === 0 ? "/run/pid" : undefined,
  };
}

const ALL = generatedSpecs(200).map(circumstances);
const STORIES = ALL.map((all): readonly Told[] => [...tellStory(all)]);

/** Every line that a story says. */
function linesOf(story: readonly Told[]): string[] {
  return story.flatMap(({ says, details }) => [says, ...details]);
}

test("every verb of the plan and every act beside it is told, with a lesson", () => {
  const told = new Set(STORIES.flatMap((story) => story.map(({ verb }) => verb as string)));
  deepEqual(
    [...Object.keys(verbs), ...Object.keys(ACTS)].filter((verb) => !told.has(verb)),
    [],
  );
  for (const topic of Object.values(TOPIC_OF)) ok(LESSONS[topic].text.length > 50, topic);
});

test("every lesson is of some verb", () => {
  const used = new Set<string>(Object.values(TOPIC_OF));
  deepEqual(
    Object.keys(LESSONS).filter((topic) => !used.has(topic)),
    [],
  );
});

test("no line has a hole in it, and every step says what asks for it", () => {
  for (const story of STORIES) {
    for (const line of linesOf(story)) {
      ok(line !== "" && line.trim() === line, JSON.stringify(line));
      for (const hole of ["undefined", "NaN", "[object", "  "]) ok(!line.includes(hole), line);
    }
    for (const { because, verb } of story) ok(because !== "", verb);
  }
});

test("the anchors are places of the OCI runtime specification", () => {
  for (const { because, verb } of STORIES.flat()) {
    const [page = "", name] = (because.split(":")[0] ?? "").split("#");
    if (name !== undefined) ok((ANCHORS[page] ?? []).includes(name), `${verb}: ${because}`);
  }
});

/** The names that are used, each looked up in the pages of version 1.2: `<a name="configRoot" />`. */
const ANCHORS: Readonly<Record<string, readonly string[]>> = {
  config: [
    "configuration",
    "configRoot",
    "configMounts",
    "configProcess",
    "configPOSIXProcess",
    "configLinuxProcess",
    "configUser",
    "configPOSIXUser",
    "configHostname",
    "configDomainname",
    "configHooks",
    "configHooksPrestart",
    "configHooksCreateRuntime",
    "configHooksCreateContainer",
    "configHooksStartContainer",
    "configHooksPoststart",
    "configHooksPoststop",
  ],
  "config-linux": [
    "configLinuxNamespaces",
    "configLinuxUserNamespaceMappings",
    "configLinuxDevices",
    "configLinuxDefaultDevices",
    "configLinuxControlGroups",
    "configLinuxCgroupsPath",
    "configLinuxDeviceAllowedlist",
    "configLinuxMemory",
    "configLinuxCPU",
    "configLinuxBlockIO",
    "configLinuxHugePageLimits",
    "configLinuxPIDS",
    "configLinuxRDMA",
    "configLinuxUnified",
    "configLinuxSysctl",
    "configLinuxSeccomp",
    "configLinuxRootfsMountPropagation",
    "configLinuxMaskedPaths",
    "configLinuxReadonlyPaths",
  ],
  runtime: [
    "runtimeState",
    "runtimeLifecycle",
    "runtimeErrors",
    "runtimeCreate",
    "runtimeStart",
    "runtimeKill",
    "runtimeDelete",
    "runtimeHooks",
  ],
  "runtime-linux": ["runtimeLinuxFileDescriptors", "runtimeLinuxDevSymbolicLinks"],
};

test("in the text every lesson stands once, and no line that could be broken is longer than 100", () => {
  for (const story of STORIES.slice(0, 40)) {
    const text = toText("A title", ["a note"], story);
    for (const topic of new Set(story.map((told) => told.topic))) {
      equal(text.split("\n").filter((line) => line === LESSONS[topic].heading).length, 1, topic);
    }
    for (const line of text.split("\n")) ok(line.length <= 100 || !line.trim().slice(2).includes(" "), line);
  }
});

test("as JSON every step is as its schema says", () => {
  deepEqual(Object.keys(WITH).toSorted(), [...Object.keys(verbs), ...Object.keys(ACTS)].toSorted());
  const schema = storySchema();
  for (const story of STORIES) {
    const steps = JSON.parse(toJson(story)) as { number: number; verb: string; with: unknown }[];
    deepEqual(
      steps.map(({ number }) => number),
      steps.map((_, index) => index + 1),
    );
    for (const step of steps) {
      equal(
        complaint(step.with, WITH[step.verb as keyof typeof WITH]),
        undefined,
        `${step.verb}: ${JSON.stringify(step.with)}`,
      );
      const kind = schema.items?.oneOf?.find((each) => each.properties?.["verb"]?.const === step.verb);
      equal(complaint(step, kind ?? {}), undefined, step.verb);
    }
  }
});

test("64 bits stay exact as JSON", () => {
  const limits = STORIES.flat().find(({ verb }) => verb === "setRlimits");
  ok(limits !== undefined);
  const rlimits = [{ type: "RLIMIT_CORE", soft: 2n ** 64n - 1n, hard: 2n ** 64n - 1n }];
  ok(toJson([{ ...(limits as Told), with: { rlimits } }]).includes('"18446744073709551615"'));
});

test("as a script every verb has a command or a word about it, and no step is left out", () => {
  deepEqual(Object.keys(SHELL).toSorted(), Object.keys(verbs).toSorted());
  ALL.forEach((all, index) => {
    const story = STORIES[index] ?? [];
    const lines = toShell("A title", [], all, story).split("\n");
    for (let number = 1; number <= story.length; number++)
      ok(
        lines.some((line) => line.startsWith(`# ${number}. `)),
        String(number),
      );
    for (const line of lines) ok(!line.includes("undefined"), line);
    equal(lines.filter((line) => line === "INIT" || line === "LAST").length, 2);
  });
});

test("namespaces are joined in the order that is told", () => {
  const joined: number[] = [];
  const sys = { setns: (_fd: Fd, flag: number) => joined.push(flag) } as unknown as Sys;
  const open = new Map(Object.keys(NAMESPACES).map((type) => [type as NamespaceType, {} as Fd]));
  joinNamespaces(sys, { open, [Symbol.dispose]: () => undefined });
  deepEqual(
    joined,
    JOIN_ORDER.map((type) => NAMESPACES[type].flag as number),
  );
});
