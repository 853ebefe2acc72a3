/** The story from "ready" to the end. See commands/create.ts, commands/run.ts, container/start.ts and container/delete.ts. */
import { EXEC_FIFO } from "../container/paths.ts";
import { planSeccomp } from "../mechanisms/seccomp.ts";
import type { Capabilities, Process, Spec } from "../spec/spec.ts";
import { act, type Telling } from "./acts.ts";
import { waits, type Circumstances } from "./circumstances.ts";
import { tellStep } from "./details.ts";
import { describeHook, hooksOf, namesOf } from "./story-inside.ts";
import { countOf } from "../spec/text.ts";
import { listOf, quote } from "./words.ts";

export function* tellAfterwards(all: Circumstances, cgroup: string): Telling {
  const { command, spec } = all;
  yield* tellHandover(all);
  if (command === "create") yield* tellFifo(all);
  else if (waits(all)) yield* tellGoOn();
  yield* tellLast(all);
  if (command === "run")
    yield act("noticeExecve", "see the socket close, since execve closes init's end: the program runs");
  if (spec.hooks.poststart.length > 0) {
    yield act("runPoststart", `run ${hooksOf("poststart", spec)}${command === "create" ? " (start does it)" : ""}`, {
      with: { stage: "poststart", hooks: spec.hooks.poststart },
      details: spec.hooks.poststart.map(describeHook),
    });
  }
  if (command === "run" && all.detach)
    yield act("endDetached", "end with exit code 0: the container goes on without it");
  else if (command === "run") yield* tellForeground(all, cgroup);
}

function* tellHandover({ spec, consoleSocket, pidfdSocket, pidFile }: Circumstances): Telling {
  if (consoleSocket !== undefined && spec.process.terminal) {
    yield act("sendTerminal", `send the terminal's other side to the socket ${consoleSocket}`, {
      with: { path: consoleSocket },
    });
  }
  if (pidfdSocket !== undefined) {
    yield act("sendPidfd", `send a descriptor of init to the socket ${pidfdSocket}`, { with: { path: pidfdSocket } });
  }
  if (pidFile !== undefined) {
    yield act("writePidFile", `write init's pid, as the host counts, to ${pidFile}`, {
      with: { path: pidFile },
      details: ["the number alone, to a temporary file that is renamed"],
    });
  }
}

function* tellFifo({ root, id }: Circumstances): Telling {
  const fifo = `${root}/${id}/${EXEC_FIFO}`;
  yield act("endCreate", "end with exit code 0; the container is created", {
    details: ["the parent of init is then whoever takes in orphans, as a rule process 1 of the host"],
  });
  yield act("waitForFifo", `wait until a byte comes through ${EXEC_FIFO}`, {
    with: { path: fifo },
    details: [
      `"start ${id}" writes it and removes the pipe: what follows happens then`,
      "and start waits until init's end of the pipe is closed, by execve, or until it comes back what went wrong",
    ],
  });
}

function* tellGoOn(): Telling {
  yield act("waitForParent", "wait for its parent's last word");
  yield act("sayGoOn", 'say "goOn" over the socket: run starts what it has created itself');
}

/** becomeProcess, of container/program.ts and the host. */
function* tellLast({ command, spec, preserveFds, facts }: Circumstances): Telling {
  const { process, hooks } = spec;
  if (hooks.startContainer.length > 0) {
    yield act("runStartHooks", `run ${hooksOf("startContainer", spec)}, programs of the container`, {
      with: { stage: "startContainer", hooks: hooks.startContainer },
      details: ["as the user of the process, with its rights", ...hooks.startContainer.map(describeHook)],
    });
  }
  yield act(
    "closeAll",
    `close every descriptor from ${3 + preserveFds} on, and keep its end of ${command === "create" ? "the pipe" : "the socket"} until execve succeeds`,
    {
      with: { keep: 3 + preserveFds },
      details: [
        `0, 1 and 2 stay, standard input, output and error: ${process.terminal ? "its terminal" : "those of this command"}`,
        ...(preserveFds === 0
          ? []
          : [`and ${countOf(preserveFds, "descriptor")} that --preserve-fds or LISTEN_FDS named`]),
      ],
    },
  );
  if (process.noNewPrivileges) {
    for (const step of planSeccomp(spec.seccomp)) yield tellStep(step, "init", facts);
  }
  yield act("execve", `call execve(2): ${process.args.map(quote).join(" ")}`, {
    with: { args: process.args, env: process.env },
    details: [`its environment, none of it yours: ${listOf(variablesOf(process))}`],
  });
  yield act("exchangeProgram", "exchange the program", { details: describeExchange(process, spec) });
}

/** HOME is there in any case. */
function variablesOf({ env }: Process): string[] {
  return [...new Set([...namesOf(env), "HOME"])];
}

function describeExchange({ user, capabilities, noNewPrivileges }: Process, { namespaces }: Spec): string[] {
  const isFirst = namespaces.some(({ type, path }) => type === "pid" && path === undefined);
  return [
    isFirst
      ? "it is process 1 inside: a signal that it does not handle has no effect on it, but SIGKILL and SIGSTOP from outside"
      : "it is not process 1, since its pid namespace is not new",
    user.uid === 0 ? startsAsRoot(capabilities, noNewPrivileges) : startsAsUser(capabilities),
  ];
}

/** capabilities(7), "Capabilities and execution of programs by root". */
function startsAsRoot({ bounding, inheritable, permitted }: Capabilities, noNewPrivileges: boolean): string {
  const gained = [...new Set([...inheritable, ...bounding])];
  const kept = noNewPrivileges ? gained.filter((name) => permitted.includes(name)) : gained;
  const why = noNewPrivileges
    ? "those of the bounding and inheritable sets that it had already"
    : "the bounding and inheritable sets";
  return `as uid 0 the program has ${countOf(kept.length, "capability", "capabilities")}: execve gives root ${why}`;
}

function startsAsUser({ ambient, permitted, inheritable }: Capabilities): string {
  const kept = ambient.filter((name) => permitted.includes(name) && inheritable.includes(name));
  if (kept.length > 0) return `as an ordinary user the program has the ambient capabilities: ${listOf(kept)}`;
  return "as an ordinary user the program has no capabilities, whatever the sets were: execve keeps the ambient ones only";
}

function* tellForeground(all: Circumstances, cgroup: string): Telling {
  const { spec, keep } = all;
  yield act("waitForProcess", "wait until the process ends", {
    details: [
      ...(spec.process.terminal
        ? ["carrying bytes between your terminal, which is raw meanwhile, and the container's"]
        : []),
      "passing on signals that it gets, and collecting processes that end",
    ],
  });
  const ends = spec.namespaces.some(({ type, path }) => type === "pid" && path === undefined);
  yield act(
    "endNamespaces",
    `${ends ? "kill what is left in the pid namespace, and " : ""}take away the namespaces that nobody is in any more, with what is in them`,
  );
  if (!keep) yield* tellDeletion(all, cgroup);
  yield act("giveExitCode", "end with the process's exit code, or 128 and the number of the signal that killed it");
}

function* tellDeletion({ spec, root, id, image }: Circumstances, cgroup: string): Telling {
  const directory = `${root}/${id}`;
  yield act("removeCgroup", `kill what is left in the cgroup ${cgroup}, by cgroup.kill, and remove it`, {
    with: { path: cgroup },
  });
  if (spec.hooks.poststop.length > 0) {
    yield act("runPoststop", `run ${hooksOf("poststop", spec)}`, {
      with: { stage: "poststop", hooks: spec.hooks.poststop },
      details: ["one that fails changes nothing", ...spec.hooks.poststop.map(describeHook)],
    });
  }
  yield act("removeState", `rename ${directory}, so that the container is gone at once, and remove what is in it`, {
    with: { directory },
    details: image === undefined ? [] : [`before that ${image.owned}, with all that the container has written`],
  });
}
