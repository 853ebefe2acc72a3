/** Hooks: config#configHooks. Each gets the container's state on its standard input, and the environment that it names. */
import { Failure } from "../sys/failure.ts";
import { runProgram, type Outcome } from "../sys/spawn.ts";
import type { Sys } from "../sys/sys.ts";
import type { Hook } from "../spec/spec.ts";
import type { State, Status } from "./state.ts";

/** What a hook is told. */
export type HookState = Pick<State, "ociVersion" | "id" | "bundle" | "annotations" | "pid">;

/** Runs hooks one after the other. Throws a Failure at the first that fails; the others are not run. */
export function runHooks(sys: Sys, hooks: readonly Hook[], state: HookState, status: Status): void {
  const { ociVersion, id, pid, bundle, annotations } = state;
  const input = JSON.stringify({ ociVersion, id, status, pid: status === "stopped" ? 0 : pid, bundle, annotations });
  // In the bundle, as runc does, which makes it its own working directory. "created" says startContainer: those are
  // programs of the container's, and find the container's directories.
  const directory = status === "created" ? undefined : bundle;
  hooks.forEach((hook, index) => {
    const timeout = hook.timeout === undefined ? undefined : hook.timeout * 1000;
    const args = hook.args.length > 0 ? hook.args : [hook.path];
    requireSuccess(hook, index, runProgram(sys, { path: hook.path, args, env: hook.env, directory, input, timeout }));
  });
}

function requireSuccess(hook: Hook, index: number, { code, signal, output, errors }: Outcome): void {
  if (code === 0 && signal === 0) return;
  const how = signal === 0 ? `exit status ${code}` : `signal ${signal}`;
  throw new Failure(
    `hook #${index} ${hook.path} failed: ${how}, stdout: ${oneLine(output)}, stderr: ${oneLine(errors)}`,
  );
}

function oneLine(text: string): string {
  return text.trim().replaceAll("\n", " | ").slice(0, 1000);
}
