/**
 * A test's own place: bundles, a state root, a cgroup, and a look at what is left when it is over.
 * `test` takes the place of node:test's and fails a test that leaves a process, cgroup, mount or file behind.
 */

import { randomBytes } from "node:crypto";
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test as nodeTest } from "node:test";
import { baseConfig } from "./config.ts";
import type { Config, Program, Tweak } from "./config.ts";
import * as leftovers from "./leftovers.ts";
import { missing, mustWork } from "./requirements.ts";
import type { Requirement } from "./requirements.ts";
import { makeRootfs, SCRATCH } from "./rootfs.ts";
import { DEADLINE, eventually, run, sleep, start, textOf, TSRUN } from "./runtime.ts";
import type { Result, Running, RunOptions } from "./runtime.ts";

export interface State {
  ociVersion: string;
  id: string;
  pid: number;
  status: "created" | "running" | "paused" | "stopped";
  bundle: string;
  rootfs: string;
  created: string;
  owner: string;
  annotations?: Record<string, string>;
}

type Body = (box: Box) => void | Promise<void>;

export function test(sentence: string, needs: readonly Requirement[], body: Body): void {
  const all: Requirement[] = ["root", "busybox", ...needs];
  const lacks = missing(all);
  const skip = lacks !== undefined && !mustWork(all) ? lacks : false;
  void nodeTest(sentence, { skip, timeout: 10 * DEADLINE }, async () => {
    if (lacks !== undefined) assert.fail(`Cannot run: ${lacks}`);
    await inBox(body);
  });
}

/** A container that `create` made, and the folder it came from. */
export interface Container {
  readonly id: string;
  readonly bundle: string;
  /** What its init has written to stdout so far. */
  output(): string;
}

export class Box {
  /** Stands in the name of everything that belongs to this test. */
  readonly mark = `t${randomBytes(5).toString("hex")}`;
  readonly dir = join(SCRATCH, this.mark);
  readonly root = join(this.dir, "state");
  readonly #tmp = join(this.dir, "tmp");
  #made = 0;

  constructor() {
    for (const folder of [this.dir, this.#tmp]) mkdirSync(folder, { mode: 0o755 });
  }

  /** A container id of this test's own. */
  id(): string {
    this.#made += 1;
    return `${this.mark}-${this.#made}`;
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** A folder or, with `text`, a file of this test's own, to be bound into containers. */
  file(name: string, text?: string): string {
    const path = this.path(name);
    if (text === undefined) mkdirSync(path, { recursive: true });
    else writeFileSync(path, text);
    return path;
  }

  bundle(program: Program, tweak: Tweak = () => undefined): string {
    const path = this.path(`bundle${(this.#made += 1)}`);
    makeRootfs(join(path, "rootfs"));
    const config = baseConfig(program);
    config.linux.cgroupsPath = `/of-${this.mark}/${this.mark}-of${this.#made}`;
    tweak(config);
    this.writeConfig(path, config);
    return path;
  }

  writeConfig(bundle: string, config: Config): void {
    writeFileSync(join(bundle, "config.json"), JSON.stringify(config, null, 2));
  }

  command(...args: string[]): string[] {
    return [TSRUN, "--root", this.root, ...args];
  }

  environment(more: Record<string, string> = {}): Record<string, string> {
    const { PATH = "", TSRUN_SNAPSHOTTER } = process.env;
    const form = TSRUN_SNAPSHOTTER === undefined ? {} : { TSRUN_SNAPSHOTTER };
    return { PATH, ...form, TMPDIR: this.#tmp, [leftovers.MARK_VARIABLE]: this.mark, ...more };
  }

  /** Calls the runtime with this test's state root. */
  tsrun(args: readonly string[], options: RunOptions = {}): Result {
    return run(this.command(...args), this.dir, { ...options, env: this.environment(options.env) });
  }

  /** Calls the runtime, which must succeed. */
  ok(...args: string[]): Result {
    return succeeded(args, this.tsrun(args));
  }

  /** Starts the runtime and goes on. */
  begin(args: readonly string[], options: RunOptions = {}): Running {
    return start(this.command(...args), this.dir, { ...options, env: this.environment(options.env) });
  }

  /** `run` in the foreground, of a bundle made for it. */
  run(program: Program, tweak?: Tweak, options: RunOptions & { flags?: string[] } = {}): Result {
    const bundle = this.bundle(program, tweak);
    return this.tsrun(["run", "--bundle", bundle, ...(options.flags ?? []), this.id()], options);
  }

  /** What `run` prints, when it ends with 0. */
  prints(program: Program, tweak?: Tweak): string {
    return succeeded(["run"], this.run(program, tweak)).stdout;
  }

  create(program: Program, tweak?: Tweak, flags: readonly string[] = []): Container {
    const bundle = this.bundle(program, tweak);
    const id = this.id();
    const output = this.path(id);
    const args = ["create", "--bundle", bundle, ...flags, id];
    succeeded(args, this.tsrun(args, { output }));
    return { id, bundle, output: () => textOf(`${output}.out`) };
  }

  started(program: Program, tweak?: Tweak, flags?: readonly string[]): Container {
    const container = this.create(program, tweak, flags);
    this.ok("start", container.id);
    return container;
  }

  /** `exec` in the foreground. */
  exec(id: string, program: Program, options: RunOptions & { flags?: string[] } = {}): Result {
    const args = typeof program === "string" ? ["sh", "-c", program] : program;
    return this.tsrun(["exec", ...(options.flags ?? []), id, ...args], options);
  }

  state(id: string): State {
    return JSON.parse(this.ok("state", id).stdout) as State;
  }

  async reaches(id: string, status: State["status"]): Promise<State> {
    await eventually(() => this.state(id).status === status, `container ${status}`);
    return this.state(id);
  }

  /** Kills the container, waits for its end and deletes it. */
  async remove(id: string): Promise<void> {
    this.tsrun(["kill", id, "KILL"]);
    await this.reaches(id, "stopped");
    this.ok("delete", id);
  }

  /** What there is of this test's containers on the host, each with its kind. */
  leftovers(): string[] {
    return [
      ...leftovers.processes(this.mark).map((pid) => `process ${pid}: ${nameOf(pid)}`),
      ...leftovers.cgroups(this.mark).map((path) => `cgroup ${path}`),
      ...leftovers.mounts(this.mark).map((path) => `mount ${path}`),
      // The cache of compiled filters is no container's.
      ...entries(this.root)
        .filter((name) => name !== "~seccomp")
        .map((name) => `state ${name}`),
      ...entries(this.#tmp).map((name) => `file ${name}`),
      ...leftovers.files(this.mark, ["/run", "/run/tsrun", "/run/runc", "/tmp"]).map((path) => `file ${path}`),
    ];
  }

  /** Deletes the test's containers by force, and then whatever is left all the same, which it names. */
  clear(): string[] {
    for (const id of entries(this.root)) {
      if (existsSync(join(this.root, id))) this.tsrun(["delete", "--force", id]);
    }
    const left = this.settled();
    leftovers.sweep(this.mark);
    if (!left.some((each) => each.startsWith("mount "))) rmSync(this.dir, { recursive: true, force: true });
    return left;
  }

  /** What is left when processes that are about to end have had their time. */
  settled(): string[] {
    const end = Date.now() + 3000;
    while (Date.now() < end && this.leftovers().length > 0) sleep(10);
    return this.leftovers();
  }
}

export function succeeded(args: readonly string[], result: Result): Result {
  assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}${result.stdout}`);
  return result;
}

async function inBox(body: Body): Promise<void> {
  const box = new Box();
  try {
    await body(box);
  } catch (failure) {
    box.clear();
    throw failure;
  }
  assert.deepEqual(box.clear(), [], "nothing is left");
}

function entries(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function nameOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}
