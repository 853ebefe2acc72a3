/** A step is a call that has not been made yet. */
import type { Fd, Sys } from "../sys/sys.ts";
import type { verbs } from "./verbs.ts";

type Verbs = typeof verbs;
export type Verb = keyof Verbs;
export type With<V extends Verb> = Parameters<Verbs[V]>[1];
export type Step = { [V in Verb]: { readonly do: V; readonly with: With<V>; readonly because: string } }[Verb];

/** Planners only yield: they cannot see what a step did, so a plan is the same dry or wet. */
export type Plan = Generator<Step, void, void>;

/** What all verbs share while a plan is carried out. Steps hold names only; what is open is here. */
export interface Scene {
  readonly sys: Sys;
  /** Where the root is to be mounted, opened while init was still the caller's user; undefined where it can open it later too. */
  readonly place: Fd | undefined;
  /** The root file system of the container, once it is mounted. */
  root: Fd | undefined;
  /** The container's own procfs, once it is mounted, where everything in it can be written. */
  proc: Fd | undefined;
  /** Detached trees that only the parent could open, by the step that wants one. */
  readonly sources: ReadonlyMap<Step, Fd>;
  /** A new network namespace, where one was made ahead. */
  readonly network: Fd | undefined;
  /** The compiled seccomp filter; empty where there is none. */
  readonly filter: Uint8Array;
  /** How init talks to its parent in the middle of the plan. */
  readonly converse: Conversation;
}

export interface Conversation {
  /** Waits for what the parent does meanwhile: the device filter, the state, the limits. */
  awaitParent(): void;
  /** Lets the parent run its hooks, then runs those of init itself. */
  runHooks(): void;
  /** Hands the other side of the container's terminal to the parent. */
  handOver(master: Fd): void;
}

/** `because` is an anchor of the OCI runtime spec's own pages ("config#configMounts"), or the man page that asks for the step. */
export function step<V extends Verb>(verb: V, options: With<V>, because: string): Step {
  return { do: verb, with: options, because } as Step; // the parameters already pair verb and options
}

/** The root file system, which the plan has mounted before anything that needs it: a test holds the order. */
export function rootOf(scene: Scene): Fd {
  if (scene.root === undefined) throw new Error("the root file system is not mounted yet");
  return scene.root;
}
