/** The script that `explain --format shell` prints is run, and makes the container that `run` makes, but for what no command can. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import type { Config, Tweak } from "../support/config.ts";
import type { Requirement } from "../support/requirements.ts";

const TOOLS: Requirement[] = [
  "tool:unshare",
  "tool:setpriv",
  "tool:ip",
  "tool:hostname",
  "tool:busybox",
  "tool:findmnt",
];

/** What a container is like, from inside. */
const LOOK = [
  "pid=$$; echo pid $pid",
  "hostname",
  "id",
  "grep -E '^(Cap|Groups|NoNewPrivs)' /proc/self/status",
  "grep '^0::' /proc/self/cgroup",
  "ls -l /dev | awk '{ print $1, $5, $6, $9, $10, $11 }' | sed 's/ [0-9][0-9]:[0-9][0-9] / /'",
  "cut -d' ' -f4-6 /proc/self/mountinfo",
  "ls / /etc",
  "env | grep -v -E '^(SHLVL|PWD|_)=' | sort",
  "umask; pwd; ulimit -n",
  "ls /proc/self/fd | wc -l",
  "readlink /proc/$pid/fd/3; echo 3: $?",
  "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
  "ip link | grep -c UP",
  "exit 7",
].join("\n");

/** tsrun closes what a caller left open; a script has it. */
const CLEANLY =
  'for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd<&-"; done; exec sh -c "$1"';

function shell(box: Box, script: string) {
  const args = ["-c", CLEANLY, "-", script];
  return spawnSync("bash", args, {
    encoding: "utf8",
    timeout: 30_000,
    env: box.environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs one bundle by script and by tsrun; gives what each printed. */
function both(box: Box, tweak: Tweak): { script: string; tsrun: string } {
  const bundle = box.bundle(LOOK, tweak);
  const id = box.id();
  const script = box.ok("explain", "--format", "shell", "run", "--bundle", bundle, id).stdout;
  const typed = shell(box, script);
  assert.equal(typed.status, 7, `${typed.stderr}\n${script}`);
  const ran = box.tsrun(["run", "--bundle", bundle, id]);
  assert.equal(ran.status, 7, ran.stderr);
  return { script: typed.stdout, tsrun: ran.stdout };
}

/** A line of mountinfo, as LOOK cuts it. */
function isMount(line: string): boolean {
  return line.startsWith("/") && line.split(" ").length === 3;
}

/** The mounts in alphabetical order: their own is that of the ids that the kernel had left. */
function comparable(text: string): string[] {
  const lines = text.split("\n");
  return [...lines.filter((line) => !isMount(line)), ...lines.filter(isMount).toSorted()];
}

function limits(config: Config): void {
  config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 512, hard: 1024 }];
  config.process.user = { uid: 0, gid: 0, umask: 0o27, additionalGids: [0, 10] };
  config.process.cwd = "/srv/data";
  config.linux.sysctl = { "net.ipv4.ip_unprivileged_port_start": "80" };
}

test("the script of a container like docker's makes the same container as run does", TOOLS, (box) => {
  const { script, tsrun } = both(box, (config) => {
    limits(config);
    const file = box.file("hosts", "127.0.0.1 localhost\n");
    config.mounts.push({ destination: "/etc/hosts", type: "bind", source: file, options: ["rbind", "ro", "rprivate"] });
  });
  assert.deepEqual(comparable(script), comparable(tsrun));
});

test(
  "the script of a read-only container with no new privileges makes the same container as run does",
  TOOLS,
  (box) => {
    const { script, tsrun } = both(box, (config) => {
      config.root.readonly = true;
      config.process.noNewPrivileges = true;
      config.process.capabilities = { bounding: [], effective: [], permitted: [] };
    });
    assert.deepEqual(comparable(script), comparable(tsrun));
  },
);

test("the script of a container with few namespaces makes the same container as run does", TOOLS, (box) => {
  const { script, tsrun } = both(box, (config) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type === "mount" || type === "pid");
    delete config.hostname;
  });
  assert.deepEqual(comparable(script), comparable(tsrun));
});

test("the script ends with its process's code, and leaves no cgroup behind", TOOLS, (box) => {
  const bundle = box.bundle("exit 3");
  const script = box.ok("explain", "--format", "shell", "run", "--bundle", bundle, box.id()).stdout;
  assert.equal(shell(box, script).status, 3);
});

test("explain needs no rights", [], (box) => {
  const bundle = box.bundle("true");
  const explained = spawnSync(
    "setpriv",
    [
      "--reuid",
      "65534",
      "--regid",
      "65534",
      "--clear-groups",
      ...box.command("explain", "run", "--bundle", bundle, "x"),
    ],
    {
      encoding: "utf8",
    },
  );
  assert.equal(explained.status, 0, explained.stderr);
  assert.match(explained.stdout, /Note: you are uid 65534/);
  assert.match(explained.stdout, /The parent will make init/);
});
