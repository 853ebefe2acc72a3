/**
 * What is done beside the plan: the conversations, which are straight code in container/ and commands/. Each act has who does
 * it and what asks for it; what it says depends on the container, see the three parts of the story.
 */
import { REQUESTS } from "../container/protocol.ts";
import type { Topic } from "./lessons.ts";
import { TOPIC_OF } from "./topics.ts";
import type { Verb } from "../plan/step.ts";

/** "parent" is the command that was typed, "init" its child, which becomes the container's process. */
export type Who = "parent" | "init" | "kernel";

export const ACTS = {
  closeDescriptors: { who: "parent", because: "runtime-linux#runtimeLinuxFileDescriptors" },
  resetOwnSignals: { who: "parent", because: "man:sigaction(2), SIGCHLD" },
  protectOwnFile: { who: "parent", because: "CVE-2019-5736" },
  findImage: { who: "parent", because: "OCI image-spec, conversion.md" },
  readConfig: { who: "parent", because: "config#configuration" },
  probeHost: { who: "parent", because: "man:mount_setattr(2)" },
  compileSeccomp: { who: "parent", because: "config-linux#configLinuxSeccomp" },
  planSteps: { who: "parent", because: "runtime#runtimeErrors" },
  makeOwnFiles: { who: "parent", because: "Documentation/filesystems/overlayfs.rst" },
  becomeSubreaper: { who: "parent", because: "man:prctl(2), PR_SET_CHILD_SUBREAPER" },
  collectSignals: { who: "parent", because: "man:signalfd(2)" },
  makeStateDirectory: { who: "parent", because: "runtime#runtimeCreate" },
  writeIntent: { who: "parent", because: "runtime#runtimeState" },
  keepFiles: { who: "parent", because: "runtime#runtimeLifecycle" },
  openSources: { who: "parent", because: "config#configMounts" },
  openNamespaces: { who: "parent", because: "config-linux#configLinuxNamespaces" },
  makeFifo: { who: "parent", because: "runtime#runtimeStart" },
  makeChannel: { who: "parent", because: "man:unix(7)" },
  joinPidNamespace: { who: "parent", because: "man:pid_namespaces(7)" },
  makeHelper: { who: "parent", because: REQUESTS.sibling.because },
  makeInit: { who: "parent", because: "config-linux#configLinuxNamespaces" },
  beginInside: { who: "kernel", because: "man:clone(2)" },
  takeSibling: { who: "parent", because: "man:pidfd_open(2)" },
  dieWithParent: { who: "init", because: "man:prctl(2), PR_SET_PDEATHSIG" },
  unblockSignals: { who: "init", because: "man:signal(7)" },
  joinNamespaces: { who: "init", because: "config-linux#configLinuxNamespaces" },
  sayIdMaps: { who: "init", because: REQUESTS.idMaps.because },
  writeIdMaps: { who: "parent", because: "config-linux#configLinuxUserNamespaceMappings" },
  becomeRoot: { who: "init", because: "man:user_namespaces(7)" },
  clearUmask: { who: "init", because: "man:umask(2)" },
  writeState: { who: "parent", because: "runtime#runtimeState" },
  setOomScore: { who: "parent", because: "config#configLinuxProcess" },
  setRlimits: { who: "init", because: "config#configPOSIXProcess" },
  runOutside: { who: "parent", because: "config#configHooks" },
  letInitGoOn: { who: "parent", because: "runtime#runtimeLifecycle" },
  letHooksPass: { who: "parent", because: REQUESTS.hooks.because },
  outliveParent: { who: "init", because: "man:prctl(2), PR_SET_PDEATHSIG" },
  runInside: { who: "init", because: "config#configHooksCreateContainer" },
  takeTerminal: { who: "parent", because: REQUESTS.terminal.because },
  findHome: { who: "init", because: "man:environ(7)" },
  findProgram: { who: "init", because: "config#configProcess" },
  sayReady: { who: "init", because: REQUESTS.ready.because },
  sendTerminal: { who: "parent", because: "config#configProcess" },
  sendPidfd: { who: "parent", because: "runc: --pidfd-socket" },
  writePidFile: { who: "parent", because: "runc: --pid-file" },
  endCreate: { who: "parent", because: "runtime#runtimeCreate" },
  waitForFifo: { who: "init", because: "runtime#runtimeStart" },
  waitForParent: { who: "init", because: "runtime#runtimeStart" },
  sayGoOn: { who: "parent", because: "runtime#runtimeStart" },
  runStartHooks: { who: "init", because: "config#configHooksStartContainer" },
  closeAll: { who: "init", because: "runtime-linux#runtimeLinuxFileDescriptors" },
  execve: { who: "init", because: "config#configProcess" },
  exchangeProgram: { who: "kernel", because: "man:execve(2)" },
  noticeExecve: { who: "parent", because: "runtime#runtimeStart" },
  runPoststart: { who: "parent", because: "config#configHooksPoststart" },
  endDetached: { who: "parent", because: "runtime#runtimeStart" },
  waitForProcess: { who: "parent", because: "runtime#runtimeLifecycle" },
  endNamespaces: { who: "kernel", because: "man:pid_namespaces(7)" },
  removeCgroup: { who: "parent", because: "runtime#runtimeDelete" },
  runPoststop: { who: "parent", because: "config#configHooksPoststop" },
  removeState: { who: "parent", because: "runtime#runtimeDelete" },
  giveExitCode: { who: "parent", because: "man:wait4(2)" },
} as const satisfies Record<string, { readonly who: Who; readonly because: string }>;

export type Act = keyof typeof ACTS;

/** One thing that is done, told. */
export interface Told {
  readonly topic: Topic;
  readonly who: Who;
  readonly verb: Verb | Act;
  /** What it is done with: of a step of the plan its options. */
  readonly with: unknown;
  readonly because: string;
  /** Reads on after "will". */
  readonly says: string;
  readonly details: readonly string[];
}

export type Telling = Generator<Told, void, void>;

/** One act. */
export function act(
  verb: Act,
  says: string,
  what: { readonly with?: unknown; readonly details?: readonly string[] } = {},
): Told {
  return { topic: TOPIC_OF[verb], ...ACTS[verb], verb, with: what.with ?? null, says, details: what.details ?? [] };
}
