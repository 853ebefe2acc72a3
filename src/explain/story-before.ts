/** The story until there is a child: checks, the state, and the clone. See commands/prepare.ts and container/create.ts. */
import { CONFIG_FILE, EXEC_FIFO, STATE_FILE } from "../container/paths.ts";
import { cloneFlags, NAMESPACES } from "../mechanisms/namespaces.ts";
import { CACHE_FOLDER } from "../mechanisms/seccomp-cache.ts";
import type { Step } from "../plan/step.ts";
import { RULES } from "../spec/rules.ts";
import type { Spec } from "../spec/spec.ts";
import { act, type Telling } from "./acts.ts";
import type { Circumstances, ImageOrigin } from "./circumstances.ts";
import { describeNamespaces } from "./process-words.ts";
import { sizeOfFilter } from "./seccomp-words.ts";
import { countOf } from "../spec/text.ts";
import { listOf } from "./words.ts";

export function* tellBefore(all: Circumstances, steps: number): Telling {
  yield* tellProtection(all);
  yield* tellChecks(all);
  if (all.command === "run") yield* tellForeground(all);
  yield* tellState(all, steps);
}

function* tellProtection({ preserveFds }: Circumstances): Telling {
  yield act(
    "protectOwnFile",
    "make a detached, read-only copy of the mount that its own file is on, and run itself again from there",
    {
      details: ["before anything else, unless it runs from one already; where that is not possible it goes no further"],
    },
  );
  const kept = preserveFds === 0 ? "" : `, but for ${countOf(preserveFds, "descriptor")} that the process shall have`;
  yield act("closeDescriptors", `close what its caller left open, from descriptor ${3 + preserveFds} on${kept}`, {
    with: { first: 3 + preserveFds },
  });
  yield act("resetOwnSignals", "set every signal to what it does by default", {
    details: ["a caller that ignores SIGCHLD would make the kernel forget how its children ended"],
  });
}

function* tellChecks(all: Circumstances): Telling {
  const { command, root, spec, facts, filter, image, configPath } = all;
  if (image !== undefined) {
    yield act("findImage", `find the image ${image.name} in the store, and make a config.json of it`, {
      with: { name: image.name },
      details: ["a user that the image names is looked up in its own /etc/passwd and /etc/group"],
    });
  }
  const path = image === undefined ? configPath : CONFIG_FILE;
  yield act("readConfig", image === undefined ? `read ${path} and check it` : "check that config.json", {
    with: { path },
    details: describeChecks(spec, command),
  });
  const controllers = facts.controllers.length === 0 ? "none" : listOf(facts.controllers);
  yield act("probeHost", "look at the host, without changing it", {
    with: facts,
    details: [
      `Linux ${facts.kernelRelease} on ${facts.machine}; 5.12 is the oldest that will do, for mount_setattr(2)`,
      `cgroup2 is mounted on ${facts.cgroupMount}, its controllers: ${controllers}; this command itself is in the cgroup ${facts.ownCgroup}`,
    ],
  });
  if (spec.seccomp !== undefined) {
    yield act(
      "compileSeccomp",
      `compile the seccomp profile into a program for the kernel, of ${sizeOfFilter(filter)}`,
      {
        with: { instructions: filter.length / 8 },
        details: [
          `a profile that was compiled before is not even parsed: its program is kept in ${root}/${CACHE_FOLDER}`,
        ],
      },
    );
  }
}

function* tellOwnFiles({ owned, emptyInput }: ImageOrigin): Telling {
  yield act("makeOwnFiles", `make ${owned}, the container's own directory`, {
    with: { directory: owned },
    details: [
      "a note in it says which image it uses, so that the layers are not removed meanwhile",
      "upper, for what the container writes; work, where overlayfs prepares that; rootfs, the place to mount on; and a directory for each volume",
      ...(emptyInput ? ["standard input becomes /dev/null, without --interactive or --tty"] : []),
    ],
  });
}

function describeChecks({ ociVersion, process, warnings = [] }: Spec, command: string): string[] {
  return [
    `it is written for version ${ociVersion} of the specification`,
    "each value must have the right type and make sense; what this runtime does not do yet is refused by name, what nobody knows is passed over",
    `then ${RULES.length} rules about how parts fit together, such as: a host name needs a uts namespace`,
    ...(process.terminal && command === "create"
      ? ["the process wants a terminal, so --console-socket must say who gets the other side"]
      : []),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
}

function* tellForeground({ detach, subreaper }: Circumstances): Telling {
  if (!detach && subreaper) yield act("becomeSubreaper", "ask to become the parent of the container's orphans");
  yield act("collectSignals", "block all signals, to read them from a descriptor when it waits");
}

function* tellState({ root, id, spec, image }: Circumstances, steps: number): Telling {
  const directory = `${root}/${id}`;
  yield act("planSteps", `make the plan, ${steps} steps of parent and init, before the first of them is done`, {
    with: { steps },
    details: ["a limit whose controller the kernel does not offer is refused here"],
  });
  yield act("makeStateDirectory", `make the directory ${directory} and lock it`, {
    with: { directory },
    details: [
      "that it was not there before is what makes the id unique: of several creates one wins",
      "an id is of letters, digits and _ + . -, because it becomes part of paths",
    ],
  });
  yield act("writeIntent", `write ${STATE_FILE} there: what it is going to make, and no pid yet`, {
    with: { directory, file: STATE_FILE },
    details: [
      `bundle ${spec.bundle}, cgroup, namespaces, annotations, time, and the id of this boot`,
      "to a temporary file, which is synced to the disk and renamed: whoever reads it finds the old or the new one, never a half",
    ],
  });
  if (image !== undefined) yield* tellOwnFiles(image);
}

/** Everything from the end of the host's plan to the child's first instruction. */
export function* tellClone(all: Circumstances, cgroup: string, init: readonly Step[]): Telling {
  const { spec, command, root, id } = all;
  const binds = init
    .filter((step) => step.do === "mount")
    .map((step) => step.with)
    .filter(({ source }) => source !== undefined);
  if (binds.length > 0) {
    yield act(
      "openSources",
      `open what will be bound into the container, ${countOf(binds.length, "mount")}, as detached copies with their flags`,
      {
        with: { sources: binds.map(({ source }) => source) },
        details: [
          `${listOf(binds.map(({ source }) => source ?? ""))}: paths of the host, which init could not reach in a user namespace`,
        ],
      },
    );
  }
  yield* tellJoined(spec);
  if (command === "create")
    yield act("makeFifo", `make ${root}/${id}/${EXEC_FIFO}, a named pipe through which start will speak`, {
      with: { mode: 0o622 },
    });
  yield act("makeChannel", "make a pair of sockets: one end for itself, one for init", {
    details: ["messages keep their bounds (SOCK_SEQPACKET), and can carry descriptors"],
  });
  if (spec.namespaces.some(({ type, path }) => type === "pid" && path !== undefined)) {
    yield act("joinPidNamespace", "join the pid namespace for its next child, since no process can change its own", {
      details: ["afterwards it goes back"],
    });
  }
  yield* tellCall(all, cgroup);
}

function* tellJoined({ namespaces }: Spec): Telling {
  const joined = namespaces.filter(({ path }) => path !== undefined);
  if (joined.length === 0) return;
  yield act("openNamespaces", `open the ${joined.length === 1 ? "namespace" : "namespaces"} that init will join`, {
    with: { namespaces: joined },
    details: joined.map(({ type, path }) => `${type}: ${path ?? ""}`),
  });
}

function* tellCall({ spec }: Circumstances, cgroup: string): Telling {
  const user = spec.namespaces.find(({ type, path }) => type === "user" && path !== undefined)?.path;
  if (user !== undefined) {
    yield act(
      "makeHelper",
      `make a helper, a child in the cgroup ${cgroup}, which joins the user namespace ${user} and makes init from there`,
      { with: user },
    );
  }
  const flags = [...flagNames(spec), ...(user === undefined ? ["CLONE_INTO_CGROUP"] : ["CLONE_PARENT"])];
  yield act(
    "makeInit",
    `make init, its child, ${user === undefined ? "" : "by the helper, "}with one call of clone3(2)`,
    {
      with: { flags, cgroup },
      details: [`flags: ${flags.join(" | ")}`, ...flags.flatMap((flag) => FLAG_WORDS[flag] ?? [])],
    },
  );
  yield act("beginInside", "put init into its namespaces and its cgroup, before its first instruction", {
    details: describeNamespaces(spec.namespaces),
  });
  if (user !== undefined)
    yield act(
      "takeSibling",
      "take the helper's message \"sibling\", with init's pid, and open a descriptor of that process",
    );
}

const FLAG_WORDS: Readonly<Record<string, string>> = {
  CLONE_INTO_CGROUP: "CLONE_INTO_CGROUP: it is born in its cgroup",
  CLONE_PIDFD: "CLONE_PIDFD: whoever makes it gets a descriptor of it, so that no other process can be taken for it",
  CLONE_PARENT: "CLONE_PARENT: it is a child of the helper's parent; its cgroup is the helper's",
};

/** The flags of clone3, from the bits that are really given to it. */
function flagNames(spec: Spec): string[] {
  const bits = cloneFlags(spec);
  const names = Object.entries(NAMESPACES).filter(([, { flag }]) => Math.floor(bits / flag) % 2 === 1);
  return [...names.map(([, { file }]) => `CLONE_NEW${file === "mnt" ? "NS" : file.toUpperCase()}`), "CLONE_PIDFD"];
}
