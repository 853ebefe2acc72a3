/** podman, with tsrun as its runtime and nothing else changed. */

import assert from "node:assert/strict";
import { after } from "node:test";
import { basename } from "node:path";
import { PODMAN_SETTINGS } from "../support/podman-settings.ts";
import { eventually } from "../support/runtime.ts";
import { rootfsTar, testsIn, TSRUN, World } from "../support/world.ts";

const IMAGE = "localhost/box";

const SETTINGS = `${PODMAN_SETTINGS}
runtime_supports_json = ["runc", "crun", "${basename(TSRUN)}"]
[engine.runtimes]
${basename(TSRUN)} = ["${TSRUN}"]
`;

const { test, end } = testsIn(async () => {
  const world = await World.create("podman");
  const settings = world.file("containers.conf", SETTINGS);
  const policy = '{"default":[{"type":"insecureAcceptAnything"}]}';
  world.prints("sh", "-c", `cp ${settings} /etc/containers/; echo '${policy}' > /etc/containers/policy.json`);
  world.prints("podman", "import", "--change", 'CMD ["sh"]', rootfsTar(world), IMAGE);
  return world;
}, ["tool:podman", "tool:conmon", "tool:python3"]);

after(end);

function podman(...args: string[]): string[] {
  return ["podman", "--runtime", TSRUN, ...args];
}

/** `podman run` of the image, without a network. */
function runs(flags: readonly string[], ...program: string[]): string[] {
  return podman("run", "--network", "none", ...flags, IMAGE, ...program);
}

let made = 0;

function name(): string {
  return `c${(made += 1)}`;
}

test("podman takes the runtime", (world) => {
  const info = world.prints(...podman("info", "--format", "{{.Host.OCIRuntime.Path}} {{.Host.OCIRuntime.Version}}"));
  assert.match(info, new RegExp(`^${TSRUN} .*version`));
});

test("run prints what the program prints, and ends with its code", (world) => {
  assert.equal(world.prints(...runs(["--rm"], "echo", "hello")), "hello\n");
  assert.equal(world.run(runs(["--rm"], "sh", "-c", "exit 7")).status, 7);
  assert.equal(
    world.run(runs(["--rm"], "sh", "-c", "kill -9 $$; sleep 1; exit 1")).status,
    1,
    "pid 1 cannot kill itself",
  );
});

test("run hands stdin over", (world) => {
  const { stdout } = world.run(runs(["--rm", "-i"], "cat"), { input: "typed\n" });
  assert.equal(stdout, "typed\n");
});

test("a command that is not there is 127, and one that may not run is 126", (world) => {
  assert.equal(world.run(runs(["--rm"], "no-such-command")).status, 127);
  assert.equal(world.run(runs(["--rm"], "/no/such/command")).status, 127);
  assert.equal(world.run(runs(["--rm"], "/etc/passwd")).status, 126);
});

test("run -it is on a terminal of the size of the caller's", async (world) => {
  // podman tells conmon the size while it has the container started, and the program may come first, also with runc: podman #10710.
  const script = "tty; until stty size 2>/dev/null; do sleep 0.1; done; read line; echo got $line; exit 5";
  const terminal = world.onTerminal(...runs(["--rm", "-it"], "sh", "-c", script));
  await terminal.shows("24 80");
  terminal.type("typed\r");
  await terminal.shows("got typed");
  assert.equal(await terminal.ended(), 5);
  assert.match(terminal.shown(), /\/dev\/(pts\/0|console)/);
});

test("run -d, logs, inspect, exec, stop and rm are the life of a container", (world) => {
  const id = name();
  world.prints(
    ...runs(["-d", "--name", id], "sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"),
  );
  assert.equal(world.prints(...podman("inspect", "--format", "{{.State.Status}}", id)), "running\n");
  assert.equal(
    world.prints(...podman("exec", id, "sh", "-c", "echo in; hostname > /tmp/x; cat /proc/1/comm")),
    "in\nsh\n",
  );
  assert.equal(world.run(podman("exec", id, "sh", "-c", "exit 9")).status, 9);
  assert.equal(world.run(podman("exec", id, "no-such-command")).status, 127);
  world.prints(...podman("stop", id));
  assert.equal(
    world.prints(...podman("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", id)),
    "exited 3\n",
  );
  assert.equal(world.prints(...podman("logs", id)), "up\nbye\n");
  world.prints(...podman("rm", id));
});

test("exec -it is on a terminal, and in the container's namespaces", async (world) => {
  const id = name();
  world.prints(...runs(["-d", "--name", id, "--hostname", "there"], "sleep", "1000"));
  const terminal = world.onTerminal(
    ...podman("exec", "-it", id, "sh", "-c", "hostname; tty; read line; echo got $line; exit 6"),
  );
  await terminal.shows(/there\r\n\/dev\/pts\/\d+\r\n/);
  terminal.type("typed\r");
  assert.equal(await terminal.ended(), 6);
  world.prints(...podman("rm", "-f", "-t", "0", id));
});

test("exec has stdin, a user, a folder and variables", (world) => {
  const id = name();
  world.prints(...runs(["-d", "--name", id], "sleep", "1000"));
  const flags = ["-i", "--user", "alice", "-w", "/etc", "-e", "A=b"];
  const { stdout } = world.run(podman("exec", ...flags, id, "sh", "-c", "id -u; pwd; echo $A; cat"), { input: "in\n" });
  assert.equal(stdout, "1000\n/etc\nb\nin\n");
  world.prints(...podman("rm", "-f", "-t", "0", id));
});

test("a container that does not end at SIGTERM is killed by stop: 137", (world) => {
  const id = name();
  world.prints(...runs(["-d", "--name", id], "sleep", "1000"));
  world.prints(...podman("stop", "-t", "1", id));
  assert.equal(world.prints(...podman("wait", id)), "137\n");
  world.prints(...podman("rm", id));
});

test("a stopped container starts again, and keeps its files", (world) => {
  const id = name();
  world.prints(
    ...podman("create", "--network", "none", "--name", id, IMAGE, "sh", "-c", "echo x >> /count; wc -l < /count"),
  );
  assert.equal(world.prints(...podman("start", "-a", id)), "1\n");
  assert.equal(world.prints(...podman("start", "-a", id)), "2\n");
  world.prints(...podman("rm", id));
});

test("kill and wait", async (world) => {
  const id = name();
  world.prints(...runs(["-d", "--name", id], "sh", "-c", "trap 'exit 4' USR1; while :; do sleep 0.05; done"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  world.prints(...podman("kill", "--signal", "USR1", id));
  assert.equal(world.prints(...podman("wait", id)), "4\n");
  world.prints(...podman("rm", id));
});

test("user, folder, environment, hostname, volumes, tmpfs and a read-only root", (world) => {
  const shared = world.file("shared", "shared\n");
  const script = "id -u; pwd; echo $A; hostname; cat /shared; echo x > /shared; echo x > /x; echo x > /fs/x && echo ok";
  const { stdout, stderr } = world.run(
    runs(
      [
        "--rm",
        "--user",
        "1000:1000",
        "-w",
        "/tmp",
        "-e",
        "A=b",
        "--hostname",
        "there",
        "-v",
        `${shared}:/shared:ro`,
        "--tmpfs",
        "/fs:rw,mode=1777",
        "--read-only",
      ],
      "sh",
      "-c",
      script,
    ),
  );
  assert.equal(stdout, "1000\n/tmp\nb\nthere\nshared\nok\n");
  assert.equal(stderr.match(/Read-only file system/g)?.length, 2, stderr);
});

test("capabilities are dropped and added, and seccomp and no-new-privileges set", (world) => {
  const status = (...flags: string[]) =>
    world.prints(...runs(["--rm", ...flags], "grep", "-E", "CapEff|NoNewPrivs|Seccomp:", "/proc/self/status"));
  assert.match(status(), /NoNewPrivs:\s*0\nSeccomp:\s*2\n/);
  assert.match(status("--cap-drop", "all"), /CapEff:\s*0{16}\n/);
  assert.match(status("--cap-drop", "all", "--cap-add", "kill"), /CapEff:\s*0{14}20\n/);
  assert.match(
    status("--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined"),
    /NoNewPrivs:\s*1\nSeccomp:\s*0\n/,
  );
});

test(
  "a user namespace with mappings",
  (world) => {
    const script = "cat /proc/self/uid_map; id -u; touch /made && stat -c %u /made";
    const printed = world.prints(
      ...runs(["--rm", "--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"], "sh", "-c", script),
    );
    assert.deepEqual(printed.split(/\s+/).filter(Boolean), ["0", "100000", "65536", "0", "0"]);
  },
  ["userns"],
);

test("the namespaces of another container are joined", (world) => {
  const id = name();
  world.prints(...runs(["-d", "--name", id, "--hostname", "first"], "sleep", "1000"));
  const joined = ["--network", `container:${id}`, "--pid", `container:${id}`, "--ipc", `container:${id}`];
  assert.match(world.prints(...podman("run", "--rm", ...joined, IMAGE, "ps")), /sleep 1000/);
  world.prints(...podman("rm", "-f", "-t", "0", id));
});

test("a pod of two containers shares its network and host name", (world) => {
  const pod = name();
  // podman 4.3.1 denies its pods' own cgroups every device, where it manages cgroup v2 by itself.
  const ownCgroups = "--share-parent=false";
  const infra = ["--infra-image", IMAGE, "--infra-command", "/pause"];
  world.prints(...podman("pod", "create", "--name", pod, "--network", "none", ownCgroups, ...infra));
  const [one, other] = [name(), name()];
  const listen = "nc -l -p 7777 -e echo hello-from-the-other";
  world.prints(...podman("run", "-d", "--pod", pod, "--name", one, IMAGE, "sh", "-c", `while :; do ${listen}; done`));
  const script = "i=0; until nc 127.0.0.1 7777 < /dev/null || [ $i = 50 ]; do i=$((i+1)); sleep 0.1; done; hostname";
  const printed = world.prints(...podman("run", "--pod", pod, "--name", other, IMAGE, "sh", "-c", script));
  assert.equal(printed, `hello-from-the-other\n${pod}\n`);
  const containers = world.prints(...podman("pod", "ps", "--format", "{{.NumberOfContainers}} {{.Status}}"));
  assert.match(containers, /^3 (Running|Degraded)\n$/);
  world.prints(...podman("pod", "stop", "-t", "1", pod));
  world.prints(...podman("pod", "rm", "-f", pod));
});

test("what the runtime says of an error reaches the user of podman", (world) => {
  const { status, stderr } = world.run(runs(["--rm", "--workdir", "/etc/passwd"], "true"));
  assert.ok(status === 126 || status === 127, `${status}`);
  assert.match(stderr, /passwd|not a directory/);
});

test("podman top shows the processes", (world) => {
  const id = name();
  world.prints(...runs(["-d", "--name", id], "sleep", "1000"));
  assert.match(world.prints(...podman("top", id, "args")), /sleep 1000/);
  world.prints(...podman("rm", "-f", "-t", "0", id));
});

test("when all are removed, the runtime has no state and no process left", async (world) => {
  world.run(podman("rm", "-f", "-t", "0", "-a"));
  assert.equal(world.prints(TSRUN, "list", "-q"), "");
  await eventually(() => !world.prints("ps", "-e", "-o", "args").includes("sleep 1000"), "the last process to end");
  // Those of others, whose tests run beside these, are not looked at.
  const created = world.prints(
    ...podman("events", "--stream=false", "--filter", "event=create", "--format", "{{.ID}}"),
  );
  const ids = created.trim().split("\n");
  assert.ok(ids.length > made, created);
  const cgroups = world.prints("sh", "-c", "find /sys/fs/cgroup -name 'libpod-*' -not -name '*conmon*'");
  assert.deepEqual(
    ids.filter((id) => cgroups.includes(id)),
    [],
  );
});
