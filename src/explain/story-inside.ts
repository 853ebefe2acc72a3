/** The story of init, and of what its parent does for it meanwhile. See container/init.ts and container/parent.ts. */
import type { Hook, HookStage, IdMapping, NamespaceType, Spec } from "../spec/spec.ts";
import { CONFIG_FILE, FILTER_FILE } from "../container/paths.ts";
import type { Step } from "../plan/step.ts";
import { act, type Telling } from "./acts.ts";
import type { Circumstances } from "./circumstances.ts";
import { tellStep } from "./details.ts";
import { describeRlimit } from "./process-words.ts";
import { countOf } from "../spec/text.ts";
import { listOf } from "./words.ts";

/** As container/join.ts has it; a test compares the two. */
export const JOIN_ORDER = ["network", "ipc", "uts", "cgroup", "time", "mount"] as const satisfies NamespaceType[];

/** From its first instruction to the first step of its plan. */
export function* tellBeginning({ spec }: Circumstances): Telling {
  yield act("dieWithParent", "ask the kernel to kill it when its parent dies", {
    details: ["nobody could find it then: no state names it yet"],
  });
  yield act("unblockSignals", "block no signal any more", {
    details: ["what each does is the default already: the parent has seen to it, and a child has that from its parent"],
  });
  const joined = JOIN_ORDER.filter((type) =>
    spec.namespaces.some((each) => each.type === type && each.path !== undefined),
  );
  if (joined.length > 0) {
    yield act(
      "joinNamespaces",
      `join the ${joined.length === 1 ? "namespace" : "namespaces"} ${listOf(joined)}, in this order`,
      {
        with: { namespaces: joined },
      },
    );
  }
  if (spec.namespaces.some(({ type }) => type === "user")) yield* tellUser(spec);
  yield act("clearUmask", "set its umask to 0, so that files get the modes that they are made with");
}

function* tellUser({ userNamespace }: Spec): Telling {
  if (userNamespace !== undefined) {
    yield act("sayIdMaps", 'tell the parent "idMaps", and wait');
    const { uidMappings, gidMappings } = userNamespace;
    yield act("writeIdMaps", 'write the gid_map and uid_map of init, and answer "goOn"', {
      with: userNamespace,
      details: [
        ...uidMappings.map((mapping) => describeMapping("uid", mapping)),
        ...gidMappings.map((mapping) => describeMapping("gid", mapping)),
      ],
    });
  }
  yield act("becomeRoot", "become uid 0 and gid 0 of the user namespace, in which it has all capabilities");
}

function describeMapping(what: string, { containerID, hostID, size }: IdMapping): string {
  if (size === 1) return `${what} ${containerID} inside is ${hostID} outside`;
  return `${what} ${containerID} to ${containerID + size - 1} inside are ${hostID} to ${hostID + size - 1} outside`;
}

/** What the parent does while init has come as far as here. */
export function* tellMeanwhile(all: Circumstances, beside: readonly Step[]): Telling {
  const { spec, facts } = all;
  yield* tellFiles(all);
  for (const step of beside) yield tellStep(step, "parent", facts);
  yield act("writeState", "write the state again, with init's pid and the time at which it started", {
    details: ["the time tells it from a later process with the same pid"],
  });
  const { oomScoreAdj } = spec.process;
  if (oomScoreAdj !== undefined) {
    yield act("setOomScore", `write ${oomScoreAdj} to init's oom_score_adj`, {
      with: { oomScoreAdj },
      details: ["-1000 to 1000: the higher, the sooner it is killed when the machine has no memory left"],
    });
  }
  yield act("letInitGoOn", 'say "goOn": the cgroup is complete, and the state leads to init', {
    details:
      spec.hooks.poststop.length > 0
        ? [
            "whoever was told of the beginning is told of the end: if anything fails from now on, the poststop hooks run",
          ]
        : [],
  });
}

function* tellFiles({ root, id, filter }: Circumstances): Telling {
  const directory = `${root}/${id}`;
  const files = filter.length > 0 ? [CONFIG_FILE, FILTER_FILE] : [CONFIG_FILE];
  yield act(
    "keepFiles",
    `keep ${files.length === 1 ? "a copy of config.json" : "a copy of config.json, and the compiled filter,"} there`,
    {
      with: { directory, files },
      details: [
        "what is changed in the bundle later does not affect the container: start, exec and delete read the copy",
      ],
    },
  );
}

export function* tellOutliving(): Telling {
  yield act("outliveParent", "no longer ask to be killed with its parent", {
    details: ["from now on the state leads whoever deletes the container to it"],
  });
}

/** What the step "runHooks" stands for. */
export function* tellHooks({ spec }: Circumstances): Telling {
  yield* tellOutside(spec);
  yield act("letHooksPass", 'answer "goOn": its hooks have run');
  const { createContainer } = spec.hooks;
  if (createContainer.length > 0) {
    yield act("runInside", `run ${hooksOf("createContainer", spec)} in the container's namespaces`, {
      with: { stage: "createContainer", hooks: createContainer },
      details: ["the root is the host's still, so these programs are the host's", ...createContainer.map(describeHook)],
    });
  }
}

function* tellOutside(spec: Spec): Telling {
  for (const stage of ["prestart", "createRuntime"] as const) {
    const hooks = spec.hooks[stage];
    if (hooks.length === 0) continue;
    yield act("runOutside", `run ${hooksOf(stage, spec)} in its own namespaces, the host's`, {
      with: { stage, hooks },
      details: hooks.map(describeHook),
    });
  }
}

export function hooksOf(stage: HookStage, { hooks }: Spec): string {
  return `${countOf(hooks[stage].length, "hook")} of the stage ${stage}`;
}

/** The names of variables: a value may be secret. */
export function namesOf(env: readonly string[]): string[] {
  return env.map((entry) => entry.split("=")[0] ?? "");
}

/** A hook as it will be called. */
export function describeHook({ path, args, env, timeout }: Hook): string {
  const command = [path, ...args.slice(1)].join(" ");
  const variables = env.length === 0 ? "with an empty environment" : `with the environment ${listOf(namesOf(env))}`;
  return `${command}, ${variables}${timeout === undefined ? "" : `, killed after ${timeout} s`}`;
}

/** What the step "makeTerminal" waits for in its middle. */
export function* tellTerminal(): Telling {
  yield act(
    "takeTerminal",
    'take the terminal\'s other side, which comes with the message "terminal", and answer "goOn"',
  );
}

/** What is done before init gives up to be root. */
export function* tellLimits({ spec }: Circumstances): Telling {
  const { env, user, rlimits } = spec.process;
  if (!env.some((entry) => entry.startsWith("HOME=") && entry.length > 5)) {
    yield act("findHome", `look for the home directory of uid ${user.uid} in the container's /etc/passwd, for HOME`, {
      with: { uid: user.uid },
      details: ["config.json has none; where there is no such line it is /"],
    });
  }
  if (rlimits.length > 0) {
    yield act("setRlimits", `set ${countOf(rlimits.length, "limit")} of its own, which its children will have too`, {
      with: { rlimits },
      details: [
        ...rlimits.map(describeRlimit),
        "where it may not have as much, its parent has raised that: root of a user namespace could not",
      ],
    });
  }
}

/** From the end of the plan to the last message. */
export function* tellProgram({ spec }: Circumstances): Telling {
  const { args, env } = spec.process;
  const [name = ""] = args;
  const path = env.find((entry) => entry.startsWith("PATH="))?.slice(5);
  yield act(
    "findProgram",
    name.includes("/") ? `check that ${name} is there, and may be run` : `look for ${name} in the directories of PATH`,
    {
      with: { name, path: path ?? null },
      details: name.includes("/")
        ? []
        : [path === undefined ? "config.json sets no PATH: the usual directories are searched" : `PATH is ${path}`],
    },
  );
  yield act("sayReady", 'tell the parent "ready": only execve can go wrong now');
}
