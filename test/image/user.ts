/** A user without privileges, for the tests. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Box } from "../support/box.ts";
import { run, start, TSRUN, type Result, type Running } from "../support/runtime.ts";

export const UID = 54_321;

/** The first of the ids that are lent. */
export const FIRST = 700_000;

/** A user with a home, a copy of the programs, and the ids that "lent" says. */
export class User {
  readonly #box: Box;
  readonly home: string;
  readonly #programs: string;
  readonly #runtime: string;

  constructor(box: Box, lent: boolean) {
    this.#box = box;
    this.home = box.file("home");
    this.#runtime = box.file("runtime");
    for (const folder of [this.home, this.#runtime]) chownSync(folder, UID, UID);
    this.#programs = box.file("programs");
    for (const name of ["tsrun", "tsrun-image", "tsrun-init"])
      cpSync(join(dirname(TSRUN), name), join(this.#programs, name));
    for (const folder of [dirname(box.dir), box.dir, this.#programs]) chmodSync(folder, 0o755);
    writeFileSync(box.path("lent"), lent ? `${UID}:${FIRST}:65536\n` : "");
    // newuidmap wants to know the name of who calls it.
    const passwd = readFileSync("/etc/passwd", "utf8");
    writeFileSync(box.path("passwd"), `${passwd}alice:x:${UID}:${UID}::${this.home}:/bin/sh\n`);
  }

  /** The path of tsrun. */
  get program(): string {
    return `${this.#programs}/tsrun`;
  }

  tsrun(...args: string[]): Result {
    return this.command(this.program, ...args);
  }

  /** Anything, as this user. */
  command(...words: string[]): Result {
    return run(this.#wrapped(words), this.#box.dir);
  }

  /** As `tsrun`, without waiting for it here. */
  begin(...args: string[]): Running {
    return start(this.#wrapped([this.program, ...args]), this.#box.dir);
  }

  #wrapped(words: readonly string[]): string[] {
    // Files of /etc as the user sees them, in a mount namespace of this command's own.
    const files = { passwd: "passwd", subuid: "lent", subgid: "lent" };
    const binds = Object.entries(files).map(([name, file]) => `mount --bind ${this.#box.path(file)} /etc/${name};`);
    const variables = `HOME=${this.home} XDG_RUNTIME_DIR=${this.#runtime} PATH=${process.env["PATH"] ?? ""}`;
    const user = `exec setpriv --reuid ${UID} --regid ${UID} --clear-groups env -i ${variables} "$@"`;
    return ["unshare", "-m", "sh", "-ec", `${binds.join(" ")} ${user}`, "sh", ...words];
  }

  /** The command of a container of "it" that goes with its end. */
  sh(script: string, ...flags: string[]): Result {
    return this.tsrun("run", "--rm", "--image", "it", ...flags, "--", "sh", "-c", script);
  }

  /** Must end with 0 and say nothing on its standard error. */
  says(script: string, ...flags: string[]): string {
    const { status, stdout, stderr } = this.sh(script, ...flags);
    assert.deepEqual([status, stderr], [0, ""], script);
    return stdout.trimEnd();
  }

  /** What is left of containers. */
  left(): string[] {
    return [
      ...["containers", "trash", "tasks"].flatMap((folder) => namesIn(this.path(folder))),
      ...namesIn(join(this.#runtime, "tsrun")).filter((name) => name !== "~seccomp"),
    ];
  }

  prints(...args: string[]): string {
    const { status, stdout, stderr } = this.tsrun(...args);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  path(...names: string[]): string {
    return join(this.home, ".local/share/tsrun", ...names);
  }
}

function namesIn(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
