/** A terminal of which the container, or the runtime, has the other end. Python has what Node lacks: SCM_RIGHTS and ptys. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { eventually, REPOSITORY, textOf } from "./runtime.ts";

/** What came through the console socket. */
export interface Received {
  /** The data beside the descriptor: the terminal's name inside the container. */
  name: string;
  messages: number;
  fds: number;
  truncated: boolean;
  more: number;
  terminal: boolean;
  /** Rows and columns. */
  size: [number, number];
}

export class Terminal {
  readonly #child: ChildProcess;
  readonly #output: string;
  readonly #ended: Promise<number>;

  private constructor(output: string, args: readonly string[], env: Record<string, string>) {
    this.#output = output;
    const fd = openSync(output, "w");
    // Debian's own, where it is: what stands first on PATH may be a slow wrapper.
    const python = textOf("/usr/bin/python3") === "" ? "python3" : "/usr/bin/python3";
    const script = join(REPOSITORY, "test", "support", "terminal.py");
    this.#child = spawn(python, [script, ...args], { stdio: ["pipe", fd, "inherit"], env });
    closeSync(fd);
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("exit", (code) => resolve(code ?? -1));
    });
    this.#child.stdin?.on("error", () => undefined);
  }

  /** Listens on a console socket. */
  static async listen(socket: string): Promise<Terminal> {
    const env = { PATH: process.env["PATH"] ?? "" };
    const terminal = new Terminal(`${socket}.terminal`, ["receive", socket], env);
    await eventually(() => terminal.#lines().length > 0, "a listening socket");
    return terminal;
  }

  /** Runs a command on a terminal of this size. */
  static run(
    command: readonly string[],
    output: string,
    env: Record<string, string>,
    [rows, columns] = [24, 80],
  ): Terminal {
    return new Terminal(output, ["foreground", String(rows), String(columns), ...command], env);
  }

  async received(): Promise<Received> {
    await eventually(() => this.#lines().length > 1, "a message on the console socket");
    return JSON.parse(this.#lines()[1] ?? "") as Received;
  }

  get pid(): number {
    return (JSON.parse(this.#lines()[0] ?? "{}") as { pid: number }).pid;
  }

  /** What the terminal has shown so far, with its \r\n. */
  shown(): string {
    return textOf(this.#output).replace(/^(\{.*\}\n)+/, "");
  }

  async shows(text: string | RegExp): Promise<void> {
    const there = () => (typeof text === "string" ? this.shown().includes(text) : text.test(this.shown()));
    await eventually(there, () => `${String(text)} on the terminal, which shows ${JSON.stringify(this.shown())}`);
  }

  type(text: string): void {
    this.#child.stdin?.write(`write ${JSON.stringify(text)}\n`);
  }

  resize(rows: number, columns: number): void {
    this.#child.stdin?.write(`size ${rows} ${columns}\n`);
  }

  /** The exit code of the command in the foreground, when it has one. */
  ended(): Promise<number> {
    return this.#ended;
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }

  #lines(): string[] {
    return textOf(this.#output).split("\n").slice(0, -1);
  }
}
