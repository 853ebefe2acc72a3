/** A benchmark that needs busybox and Python only: the life of a container, command by command, with each runtime in turn. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { baseConfig, type Config } from "../support/config.ts";
import { dockerLike } from "../support/docker-like.ts";
import { makeRootfs } from "../support/rootfs.ts";
import { BUNDLES, type Times } from "./figures.ts";
import { time, type Step } from "./stopwatch.ts";

/** A runtime's name and its program. */
export type Runtime = readonly [name: string, path: string];

type Bundle = (typeof BUNDLES)[number];

/** Makes the bundles below a folder: NAME, which ends at once, and NAME-sleep, which does not. */
export function makeBundles(folder: string): void {
  for (const name of BUNDLES) {
    const rootfs = join(folder, name, "rootfs");
    makeRootfs(rootfs);
    for (const [suffix, program] of [
      ["", ["true"]],
      ["-sleep", ["sleep", "10000"]],
    ] as const) {
      const config = configOf(name, [...program], folder);
      config.root.path = rootfs;
      mkdirSync(join(folder, name + suffix), { recursive: true });
      writeFileSync(join(folder, name + suffix, "config.json"), JSON.stringify(config, null, 2));
    }
  }
}

function configOf(name: Bundle, program: string[], folder: string): Config {
  const config = baseConfig(program);
  if (name === "bare") config.linux.resources.devices = [];
  else dockerLike(config, join(folder, "files"));
  return config;
}

/** The times of all operations, and why a runtime has none with a bundle. */
export function measure(
  runtimes: readonly Runtime[],
  folder: string,
  rounds: number,
): { times: Times; failures: string[] } {
  const lives = BUNDLES.flatMap((bundle) => runtimes.map((runtime) => lifeOf(runtime, bundle, folder)));
  const failures: string[] = [];
  const able = lives.filter((life) => {
    const failure = rehearse(life, folder);
    if (failure !== "") failures.push(failure);
    return failure === "";
  });
  return { times: timesOf(Array.from({ length: rounds }, () => able).flat(), folder), failures };
}

/** What is done with a container from its first moment to its last; what has no operation's name is not timed. */
interface Life {
  readonly bundle: Bundle;
  readonly runtime: Runtime;
  readonly acts: readonly { readonly operation?: string; readonly step: Step }[];
}

/** Lives once, and gives why that is not possible here, or "". */
function rehearse({ bundle, runtime: [name, path], acts }: Life, folder: string): string {
  const { steps, stderr } = time(
    acts.map(({ step }) => step),
    folder,
  );
  if (steps.every(({ status }) => status === 0)) return "";
  time([{ run: [path, "--root", join(folder, name), "delete", "--force", ID] }], folder);
  return `${name} cannot run ${bundle} here: ${stderr.trim().split("\n")[0] ?? ""}`;
}

/** All lives in one go, so that nothing else comes between them. */
function timesOf(lives: readonly Life[], folder: string): Times {
  const times: Times = {};
  const acts = lives.flatMap(({ acts: each, bundle, runtime: [name] }) =>
    each.map((act) => ({ ...act, bundle, name })),
  );
  const { steps, stderr } = time(
    acts.map(({ step }) => step),
    folder,
  );
  for (const [index, { operation, bundle, name }] of acts.entries()) {
    const { milliseconds, status } = steps[index] ?? { milliseconds: 0, status: 1 };
    if (status !== 0) throw new Error(`${name} cannot ${operation ?? "end"} ${bundle}: ${stderr}`);
    if (operation === undefined) continue;
    const row = (times[`${bundle}|${operation}`] ??= {});
    (row[name] ??= []).push(milliseconds / 1000);
  }
  return times;
}

const ID = `bench-${process.pid}`;

function lifeOf(runtime: Runtime, bundle: Bundle, folder: string): Life {
  const [name, path] = runtime;
  const command = [path, "--root", join(folder, name)];
  const timed = (operation: string, ...args: string[]) => ({
    operation,
    step: { run: [...command, operation, ...args] },
  });
  const pidFile = join(folder, `${name}.pid`);
  const sleeping = join(folder, `${bundle}-sleep`);
  const acts = [
    timed("run", "--bundle", join(folder, bundle), ID),
    timed("create", "--bundle", sleeping, "--pid-file", pidFile, ID),
    timed("start", ID),
    timed("state", ID),
    timed("exec", ID, "true"),
    timed("kill", ID, "KILL"),
    { step: { gone: pidFile } },
    timed("delete", ID),
  ];
  return { bundle, runtime, acts };
}
