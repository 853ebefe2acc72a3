/**
 * A machine in small for real clients: mount, pid, network and ipc namespaces in which /run, the stores and the
 * settings are empty, cgroup2 is at /sys/fs/cgroup, and all mounts are shared, as on a machine that systemd started.
 * When it ends, everything that ran in it ends, and nothing of it is left.
 */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test as nodeTest } from "node:test";
import { removeEmptyCgroups } from "./leftovers.ts";
import { missing, mustWork } from "./requirements.ts";
import type { Requirement } from "./requirements.ts";
import { SCRATCH } from "./rootfs.ts";
import { DEADLINE, eventually, run, start, textOf, TSRUN } from "./runtime.ts";
import type { Result, Running, RunOptions } from "./runtime.ts";
import { Terminal } from "./terminal.ts";

export class World {
  readonly dir: string;
  readonly #shell: ChildProcess;
  readonly #pid: number;

  private constructor(dir: string, shell: ChildProcess, pid: number) {
    this.dir = dir;
    this.#shell = shell;
    this.#pid = pid;
  }

  static async create(name: string): Promise<World> {
    const dir = join(SCRATCH, name);
    mkdirSync(dir);
    const flags = [
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "--net",
      "--ipc",
      "--propagation",
      "private",
    ];
    // bash reaps whatever is orphaned in the new pid namespace, also while it waits for its stdin to end.
    const shell = spawn("unshare", [...flags, "bash", "-c", SET_UP, "world", dir], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    await eventually(() => textOf(join(dir, "ready")) !== "", "a world for clients");
    const inner = textOf(`/proc/${shell.pid}/task/${shell.pid}/children`).trim();
    return new World(dir, shell, Number(inner));
  }

  file(name: string, text: string): string {
    writeFileSync(join(this.dir, name), text);
    return join(this.dir, name);
  }

  command(...args: string[]): string[] {
    const namespaces = ["mount", "pid", "net", "ipc"].map((type) => `--${type}`);
    return [
      "nsenter",
      "--target",
      String(this.#pid),
      ...namespaces,
      "--wd=/",
      "env",
      "-i",
      ...this.#environment(),
      ...args,
    ];
  }

  run(args: readonly string[], options: RunOptions = {}): Result {
    return run(this.command(...args), this.dir, { timeout: 2 * DEADLINE, ...options });
  }

  /** Starts a command and goes on. */
  begin(args: readonly string[]): Running {
    return start(this.command(...args), this.dir, { timeout: 2 * DEADLINE });
  }

  /** Runs a command that must succeed, and gives what it prints. */
  prints(...args: string[]): string {
    const { status, stdout, stderr } = this.run(args);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Starts a daemon, whose words go into a file. */
  daemon(...args: string[]): void {
    const log = join(this.dir, `${args[0]?.split("/").at(-1) ?? "daemon"}.log`);
    const command = this.command("sh", "-c", `exec "$@" > ${log} 2>&1 < /dev/null`, "sh", ...args);
    spawn(command[0] ?? "", command.slice(1), { stdio: "ignore" });
  }

  /** Runs a command on a terminal. */
  onTerminal(...args: string[]): Terminal {
    return Terminal.run(this.command(...args), join(this.dir, `tty${readdirSync(this.dir).length}`), {
      PATH: process.env["PATH"] ?? "",
    });
  }

  /** Ends all that runs here. The cgroups that clients leave to the next container are the only thing that lasts. */
  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#shell.on("exit", resolve));
    this.#shell.kill("SIGKILL");
    await ended;
    await eventually(() => !existsSync(`/proc/${this.#pid}`), "the end of a world");
    removeEmptyCgroups(CLIENTS_CGROUPS);
  }

  #environment(): string[] {
    return ["PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=xterm", "LANG=C.UTF-8"];
  }
}

/** A test with one world for a whole file: `open` makes it, when the first test runs that can. */
export function testsIn(open: () => Promise<World>, needs: readonly Requirement[]) {
  let world: Promise<World> | undefined;
  const test = (sentence: string, body: (world: World) => void | Promise<void>, more: readonly Requirement[] = []) => {
    const all: Requirement[] = ["root", "busybox", ...needs, ...more];
    const lacks = missing(all);
    const skip = lacks !== undefined && !mustWork(all) ? lacks : false;
    void nodeTest(sentence, { skip, timeout: 10 * DEADLINE }, async () => {
      if (lacks !== undefined) assert.fail(`Cannot run: ${lacks}`);
      world ??= open();
      await body(await world);
    });
  };
  const end = async () => {
    if (world !== undefined) await (await world).end();
  };
  return { test, end };
}

/** The root file system of the images: busybox, the links to it, and what a pod's first container runs. */
export function rootfsTar(world: World): string {
  const script = `
    mkdir -p root/bin root/etc root/tmp root/root root/dev root/proc root/sys root/home
    cp /bin/busybox root/bin/busybox
    for applet in $(root/bin/busybox --list); do [ -e root/bin/$applet ] || ln -s busybox root/bin/$applet; done
    printf '#!/bin/sh\\ntrap exit TERM INT\\nsleep 1000000 & wait\\n' > root/pause; chmod 755 root/pause
    printf 'root:x:0:0:root:/root:/bin/sh\\nalice:x:1000:1000::/home:/bin/sh\\n' > root/etc/passwd
    printf 'root:x:0:\\nalice:x:1000:\\n' > root/etc/group
    tar --sort=name --owner=0 --group=0 -C root -cf rootfs.tar .`;
  world.prints("sh", "-c", `cd ${world.dir} && ${script}`);
  return join(world.dir, "rootfs.tar");
}

export { TSRUN };

/** podman's, docker's, buildah's and ctr's. */
const CLIENTS_CGROUPS = /^\/(libpod_parent|docker|default|buildah-buildah\d+)(\/|$)/;

const SET_UP = `
  set -e
  mount --make-rshared /
  for folder in /run /var/lib/containers /var/lib/containerd /var/lib/docker /etc/containers /etc/docker /etc/cni /tmp; do
    [ -d $folder ] && mount -t tmpfs -o mode=755 tmpfs $folder
  done
  chmod 1777 /tmp
  if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
  fi
  ip link set lo up 2>/dev/null || true
  echo ready > "$1/ready"
  read -r forever`;
