import { globalsOf } from "../../../src/commands/globals.ts";
import { parseArguments } from "../../../src/commands/parse.ts";
import { GLOBAL_FLAGS } from "../../../src/commands/table.ts";
import type { Sys } from "../../../src/sys/sys.ts";
import { deepEqual, equal, test, throws } from "../../support/unit.ts";

interface Host {
  readonly euid: number;
  readonly cwd: string;
  readonly uidMap: string;
}

const ROOT: Host = { euid: 0, cwd: "/work", uidMap: "         0          0 4294967295\n" };

function globals(args: readonly string[], env: readonly string[] = [], host: Partial<Host> = {}) {
  const { euid, cwd, uidMap } = { ...ROOT, ...host };
  const made: string[] = [];
  const fd = { number: 3, take: () => fd, [Symbol.dispose]: () => undefined };
  const sys: Partial<Sys> = {
    geteuid: () => euid,
    getcwd: () => cwd,
    openat: () => fd,
    readText: () => uidMap,
    mkdirat: (_dir, path, mode) => void made.push(`${path} ${mode.toString(8)}`),
  };
  return { ...globalsOf(sys as Sys, parseArguments(args, { flags: GLOBAL_FLAGS, greedy: true }), env), made };
}

test("root's containers are in /run/tsrun and its images in /var/lib/tsrun, whatever XDG says", () => {
  const { root, store, rootGiven, made } = globals(
    [],
    ["XDG_RUNTIME_DIR=/run/user/0", "XDG_DATA_HOME=/d", "HOME=/root"],
  );
  deepEqual([root, store, String(rootGiven)], ["/run/tsrun", "/var/lib/tsrun", "false"]);
  deepEqual(made, []);
});

test("another user's are below XDG_RUNTIME_DIR, in a directory with the sticky bit, and below XDG_DATA_HOME or HOME", () => {
  const one = globals([], ["XDG_RUNTIME_DIR=/run/user/7", "XDG_DATA_HOME=/d"], { euid: 7 });
  deepEqual([one.root, one.store], ["/run/user/7/tsrun", "/d/tsrun"]);
  deepEqual(one.made, ["/run/user/7/tsrun 1700"]);
  equal(globals([], ["HOME=/home/x"], { euid: 7 }).store, "/home/x/.local/share/tsrun");
  equal(globals([], ["XDG_RUNTIME_DIR="], { euid: 7 }).root, "/run/tsrun");
});

test("root of a user namespace is another user, unless it calls itself root", () => {
  const inside = { uidMap: "         0       1000          1\n" };
  equal(globals([], ["XDG_RUNTIME_DIR=/run/user/7", "USER=x"], inside).root, "/run/user/7/tsrun");
  equal(globals([], ["XDG_RUNTIME_DIR=/run/user/7"], inside).root, "/run/user/7/tsrun");
  equal(globals([], ["XDG_RUNTIME_DIR=/run/user/7", "USER=root"], inside).root, "/run/tsrun");
});

test("--root and --store are made absolute, and nothing is made for them", () => {
  const { root, store, rootGiven, made } = globals(["--root", "a/../b", "--store=./s"], ["XDG_RUNTIME_DIR=/x"], {
    euid: 7,
  });
  deepEqual([root, store, String(rootGiven)], ["/work/b", "/work/s", "true"]);
  deepEqual(made, []);
});

test("--root / is refused, however it is written", () => {
  for (const path of ["/", "//", "", "..", "../..", "/tmp/..", "/."]) {
    throws(() => globals(["--root", path]), "Option --root argument should not be set to /");
  }
  throws(() => globals(["--root", "."], [], { cwd: "/" }), "Option --root argument should not be set to /");
});

test("a relative path in a working directory that is out of reach is refused", () => {
  throws(
    () => globals(["--root", "x"], [], { cwd: "(unreachable)/work" }),
    "the working directory is (unreachable)/work",
  );
});

test("the manager of cgroups is cgroupfs, disabled or systemd", () => {
  equal(globals([]).cgroupManager, "cgroupfs");
  equal(globals(["--cgroup-manager", "disabled"]).cgroupManager, "disabled");
  equal(globals(["--systemd-cgroup"]).cgroupManager, "systemd");
  equal(globals(["--systemd-cgroup=false"]).cgroupManager, "cgroupfs");
  throws(() => globals(["--cgroup-manager", "x"]), "unknown cgroup manager");
});
