import assert from "node:assert/strict";
import { chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { ownUsers, type Tweak } from "../support/config.ts";
import { run, textOf } from "../support/runtime.ts";

const STATUS = "cat /proc/self/status";

test("args, env and cwd are those of config.json", [], (box) => {
  const printed = box.prints(["sh", "-c", 'echo "$0|$1|$A|$PWD|$(env | wc -l)"', "zero", "o n e"], ({ process }) => {
    process.env = ["A=b=c", "PATH=/bin"];
    process.cwd = "/etc";
  });
  // A, PATH, HOME, and PWD and SHLVL, which the shell adds.
  assert.equal(printed, "zero|o n e|b=c|/etc|5\n");
});

test("the last value of a variable wins", [], (box) => {
  const printed = box.prints("echo $A; env | grep -c ^A=", ({ process }) => void process.env.push("A=1", "A=2"));
  assert.equal(printed, "2\n1\n");
});

test("HOME comes from the container's passwd where env has none, or an empty one", [], (box) => {
  assert.match(box.prints(["env"]), /^HOME=\/root$/m);
  assert.match(
    box.prints(["env"], ({ process }) => void process.env.push("HOME=")),
    /^HOME=\/root$/m,
  );
  assert.match(
    box.prints(["env"], ({ process }) => (process.user.uid = 1000)),
    /^HOME=\/home\/alice$/m,
  );
  assert.match(
    box.prints(["env"], ({ process }) => (process.user.uid = 77)),
    /^HOME=\/$/m,
  );
  assert.match(
    box.prints(["env"], ({ process }) => void process.env.push("HOME=/mine")),
    /^HOME=\/mine$/m,
  );
});

test("the caller's environment does not reach the container", [], (box) => {
  const { stdout } = box.run(["env"], undefined, { env: { SECRET: "s" } });
  assert.doesNotMatch(stdout, /SECRET/);
});

test("a cwd that is missing is created", [], (box) => {
  assert.equal(
    box.prints(["pwd"], ({ process }) => (process.cwd = "/made/for/it")),
    "/made/for/it\n",
  );
});

test("a cwd that is not absolute is refused", [], (box) => {
  const { status, stderr } = box.run("true", ({ process }) => (process.cwd = "etc"));
  assert.equal(status, 1);
  assert.match(stderr, /cwd|Cwd/);
});

test("a cwd that only the user may enter is entered as the user", [], (box) => {
  const bundle = box.bundle(["pwd"], ({ process }) => {
    process.user = { uid: 1000, gid: 1000 };
    process.capabilities = { bounding: [], effective: [], permitted: [] };
    process.cwd = "/private";
  });
  mkdirSync(join(bundle, "rootfs/private"), { mode: 0o700 });
  chownSync(join(bundle, "rootfs/private"), 1000, 1000);
  assert.equal(box.tsrun(["run", "--bundle", bundle, box.id()]).stdout, "/private\n");
});

test("uid, gid and additional groups are those of config.json, and none of the caller's", [], (box) => {
  const printed = box.prints("id -u; id -g; grep Groups /proc/self/status", ({ process }) => {
    process.user = { uid: 1000, gid: 1001, additionalGids: [7, 5] };
  });
  assert.match(printed, /^1000\n1001\nGroups:\s*5 7 ?(1001 ?)?\n$/);
});

test("without additional groups there is no other group than gid", [], (box) => {
  const printed = box.prints("grep Groups /proc/self/status", ({ process }) => {
    process.user = { uid: 1000, gid: 1001 };
  });
  assert.match(printed, /^Groups:\s*(1001 ?)?\n$/);
});

test("an id beyond 2^32-2 is refused", [], (box) => {
  for (const id of [4_294_967_295, 4_294_967_296, -1]) {
    assert.equal(box.run("true", ({ process }) => (process.user.uid = id)).status, 1, String(id));
    assert.equal(box.run("true", ({ process }) => (process.user.gid = id)).status, 1, String(id));
  }
});

test("umask is 0022, or that of user.umask", [], (box) => {
  assert.equal(box.prints("umask"), "0022\n");
  assert.equal(
    box.prints("umask", ({ process }) => (process.user.umask = 0o77)),
    "0077\n",
  );
  assert.equal(
    box.prints("umask", ({ process }) => (process.user.umask = 0)),
    "0000\n",
  );
});

test("the capability sets of root are those of config.json", [], (box) => {
  const status = box.prints(STATUS, ({ process }) => {
    process.capabilities = {
      bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETPCAP"],
      permitted: ["CAP_CHOWN", "CAP_KILL"],
      effective: ["CAP_CHOWN"],
      inheritable: [],
      ambient: [],
    };
  });
  // execve by uid 0 gives it all that the bounding set allows.
  assert.deepEqual(capabilities(status), { Inh: 0x0, Prm: 0x121, Eff: 0x121, Bnd: 0x121, Amb: 0x0 });
});

test("a user keeps its ambient capabilities, and no others", [], (box) => {
  const status = box.prints(STATUS, ({ process }) => {
    process.user = { uid: 1000, gid: 1000 };
    const caps = ["CAP_NET_BIND_SERVICE", "CAP_KILL"];
    process.capabilities = {
      bounding: caps,
      permitted: caps,
      effective: caps,
      inheritable: caps,
      ambient: ["CAP_KILL"],
    };
  });
  assert.deepEqual(capabilities(status), { Inh: 0x420, Prm: 0x20, Eff: 0x20, Bnd: 0x420, Amb: 0x20 });
});

test("a user without ambient capabilities has none", [], (box) => {
  const status = box.prints(STATUS, ({ process }) => (process.user = { uid: 1000, gid: 1000 }));
  const { Inh, Prm, Eff, Amb } = capabilities(status);
  assert.deepEqual({ Inh, Prm, Eff, Amb }, { Inh: 0, Prm: 0, Eff: 0, Amb: 0 });
});

test("rlimits are set, soft and hard", [], (box) => {
  const printed = box.prints("cat /proc/self/limits", ({ process }) => {
    process.rlimits = [
      { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
      { type: "RLIMIT_CORE", soft: 0, hard: 4096 },
      { type: "RLIMIT_FSIZE", soft: 5_000_000_000, hard: 6_000_000_000 },
    ];
  });
  assert.match(printed, /^Max open files\s+100\s+200\s/m);
  assert.match(printed, /^Max core file size\s+0\s+4096\s/m);
  assert.match(printed, /^Max file size\s+5000000000\s+6000000000\s/m);
});

test("a user who may not raise limits has them set all the same", [], (box) => {
  const printed = box.prints("ulimit -n; ulimit -H -n", ({ process }) => {
    process.user = { uid: 1000, gid: 1000 };
    process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 99, hard: 111 }];
  });
  assert.equal(printed, "99\n111\n");
});

test("limits are exact to 64 bits", [], (box) => {
  const bundle = box.bundle("cat /proc/self/limits", ({ process }) => {
    process.rlimits = [{ type: "RLIMIT_FSIZE", soft: 1111, hard: 2222 }];
  });
  const config = textOf(join(bundle, "config.json"));
  const exact = config.replace("1111", "9007199254740993").replace("2222", "9223372036854775807");
  writeFileSync(join(bundle, "config.json"), exact);
  const { stdout, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
  assert.match(stdout, /^Max file size\s+9007199254740993\s+9223372036854775807\s/m, stderr);
});

test("a limit of 2^64-1 is unlimited", [], (box) => {
  const bundle = box.bundle("cat /proc/self/limits", ({ process }) => {
    process.rlimits = [{ type: "RLIMIT_CORE", soft: 1, hard: 77_777 }];
  });
  const config = textOf(join(bundle, "config.json")).replace("77777", "18446744073709551615");
  writeFileSync(join(bundle, "config.json"), config);
  const { stdout, stderr } = box.tsrun(["run", "--bundle", bundle, box.id()]);
  assert.match(stdout, /^Max core file size\s+1\s+unlimited\s/m, stderr);
});

const few: Tweak = ({ process }) => (process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 3, hard: 3 }]);

test("a limit may be as low as it likes: it holds for the program, and not for the runtime before it", [], (box) => {
  for (const [type, limit] of [
    ...[0, 1, 3, 4, 5, 6, 7, 8, 9].map((files) => ["RLIMIT_NOFILE", files] as const),
    ["RLIMIT_FSIZE", 0],
    ["RLIMIT_NPROC", 0],
    ["RLIMIT_MEMLOCK", 0],
    ["RLIMIT_MSGQUEUE", 0],
  ] as const) {
    const tweak: Tweak = ({ process }) => (process.rlimits = [{ type, soft: limit, hard: limit }]);
    const { status, stderr } = box.run(["true"], tweak);
    assert.equal(status, 0, `${type} ${limit}: ${stderr}`);
  }
  const { id } = box.create("ulimit -n; ulimit -H -n; echo $HOME", (config) => {
    few(config);
    config.process.env = ["PATH=/bin"];
  });
  assert.match(textOf(`/proc/${box.state(id).pid}/limits`), /^Max open files\s+3\s+3\s/m, "before it is started");
  box.ok("delete", "--force", id);
  assert.equal(box.prints("ulimit -n; ulimit -H -n; echo $HOME", few), "3\n3\n/root\n");
});

test("a limit is raised for root of a user namespace, who could not", ["tsrun", "raise-limits"], (box) => {
  const bundle = box.bundle("ulimit -S -n; ulimit -H -n", (config) => {
    ownUsers(config);
    config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 500, hard: 2000 }];
  });
  const { stdout, stderr } = run(
    ["sh", "-c", 'ulimit -n 1000; exec "$@"', "sh", ...box.command("run", "--bundle", bundle, box.id())],
    box.dir,
    { env: box.environment() },
  );
  assert.equal(stdout, "500\n2000\n", stderr);
});

// runc takes the last; the specification asks for an error.
test("a limit of an unknown name is refused, and so is one that stands there twice", ["tsrun"], (box) => {
  const [no, twice] = ["RLIMIT_NONSENSE", "RLIMIT_CORE"].map((type) => ({ type, soft: 0, hard: 0 }));
  assert.ok(no !== undefined && twice !== undefined);
  assert.equal(box.run("true", ({ process }) => (process.rlimits = [no])).status, 1);
  assert.equal(box.run("true", ({ process }) => (process.rlimits = [twice, twice])).status, 1);
});

test("noNewPrivileges is as it says", [], (box) => {
  const value = (wanted: boolean) =>
    /^NoNewPrivs:\s*(\d)/m.exec(box.prints(STATUS, ({ process }) => (process.noNewPrivileges = wanted)))?.[1];
  assert.equal(value(true), "1");
  assert.equal(value(false), "0");
});

test("oomScoreAdj is written, and kept where config.json has none", [], (box) => {
  const print = "cat /proc/self/oom_score_adj";
  assert.equal(
    box.prints(print, ({ process }) => (process.oomScoreAdj = 321)),
    "321\n",
  );
  assert.equal(box.prints(print), textOf("/proc/self/oom_score_adj"));
});

test("the process leads a session and a process group of its own", [], (box) => {
  assert.equal(box.prints("cut -d' ' -f 1,5,6 /proc/1/stat"), "1 1 1\n");
});

test("the hostname is set", [], (box) => {
  assert.equal(
    box.prints("hostname", (config) => (config.hostname = "here")),
    "here\n",
  );
});

// runc since 1.2.
test("the domain name is set", ["tsrun"], (box) => {
  const printed = box.prints("cat /proc/sys/kernel/domainname", (config) => (config.domainname = "example.org"));
  assert.equal(printed, "example.org\n");
});

test("a sysctl of the container's own namespaces is written", [], (box) => {
  const printed = box.prints("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax", ({ linux }) => {
    linux.sysctl = { "net.ipv4.ip_forward": "1", "kernel.msgmax": "7777" };
  });
  assert.equal(printed, "1\n7777\n");
});

test("a sysctl of the host's is refused", [], (box) => {
  const before = textOf("/proc/sys/kernel/panic");
  for (const key of ["kernel.panic", "vm.swappiness", "kernel.core_pattern", "net/../kernel/panic"]) {
    assert.equal(box.run("true", ({ linux }) => (linux.sysctl = { [key]: "99" })).status, 1, key);
  }
  assert.equal(textOf("/proc/sys/kernel/panic"), before);
});

test("a sysctl is refused without the namespace that it belongs to", [], (box) => {
  const before = statSync("/proc/sys/net/ipv4/ip_forward").mtimeMs;
  const { status } = box.run("true", ({ linux }) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== "network");
    linux.sysctl = { "net.ipv4.ip_forward": "1" };
  });
  assert.equal(status, 1);
  assert.ok(before > 0);
});

function capabilities(status: string): Record<string, number> {
  const sets = [...status.matchAll(/^Cap(\w+):\s*([0-9a-f]+)$/gm)];
  return Object.fromEntries(sets.map(([, name = "", bits = ""]) => [name, parseInt(bits, 16)]));
}
