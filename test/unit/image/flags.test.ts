/** What docker's flags make of config.json. */
import { make } from "../../support/from-image.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

function settings(...args: string[]): Record<string, string> {
  return Object.fromEntries(make({}, args).spec.cgroup.settings.map(({ file, value }) => [file, value]));
}

test("memory and swap are limited together, and processors by time, weight and number", () => {
  equal(settings("-m", "64m", "--memory-swap", "100m")["memory.swap.max"], String(36 << 20));
  equal(settings("-m", "64m", "--memory-swap", "-1")["memory.swap.max"], "max");
  equal(settings("-m", "64m", "--memory-reservation", "32m")["memory.low"], String(32 << 20));
  equal(settings("--cpu-quota", "50000", "--cpu-period", "200000")["cpu.max"], "50000 200000");
  equal(settings("--cpuset-cpus", "0-1,3", "--cpuset-mems", "0")["cpuset.cpus"], "0-1,3");
  equal(settings("--cpu-shares", "1024")["cpu.weight"], "100");
  for (const [flag, value, more] of [
    ["--memory-swap", "100m", ""],
    ["--memory-swap", "1m", "-m=64m"],
    ["--memory-reservation", "65m", "-m=64m"],
    ["--cpu-quota", "5000", "--cpus=1"],
    ["--cpu-shares", "1", ""],
    ["--cpuset-cpus", "3-1", ""],
    ["--cpuset-cpus", "0,", ""],
    ["--cpuset-cpus", "0;1", ""],
    ["--blkio-weight", "5", ""],
  ] as const) {
    throws(() => make({}, [flag, value, ...(more === "" ? [] : [more])]), flag);
  }
});

test("limits of the process are exact, and the last of each counts", () => {
  deepEqual(
    make({}, ["--ulimit", "nofile=1", "--ulimit", "nofile=10:20", "--ulimit", "core=-1"]).spec.process.rlimits,
    [
      { type: "RLIMIT_NOFILE", soft: 10n, hard: 20n },
      { type: "RLIMIT_CORE", soft: 2n ** 64n - 1n, hard: 2n ** 64n - 1n },
    ],
  );
  for (const text of [
    "",
    "nofile",
    "nofile=",
    "nofile=2:1",
    "nofile=x",
    "none=1",
    "nofile=1:2:3",
    `nofile=${2n ** 64n}`,
  ])
    throws(() => make({}, ["--ulimit", text]), "--ulimit");
});

test("labels and annotations of the command line have the last word, and are the caller's to choose", () => {
  const { spec } = make({ Labels: { a: "image" }, StopSignal: "15" }, [
    "-l",
    "a=mine",
    "-l",
    "run.oci.x=y",
    "--annotation",
    "b=c",
    "--stop-signal",
    "QUIT",
  ]);
  equal(spec.annotations["a"], "mine");
  equal(spec.annotations["run.oci.x"], "y");
  equal(spec.annotations["b"], "c");
  equal(spec.annotations["org.opencontainers.image.stopSignal"], "QUIT");
});

test("a device is made, and may be used", () => {
  const node = { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 };
  const devices = { nodes: [node], rules: [{ allow: true, type: "c", major: 10, minor: 229, access: "rw" }] };
  const { spec } = make({}, ["--device-cgroup-rule", "c 1:* r"], { devices });
  deepEqual(
    spec.devices.map(({ path, major, minor }) => [path, major, minor]),
    [["/dev/fuse", 10, 229]],
  );
  deepEqual(
    spec.cgroup.devices.slice(0, 3).map(({ allow, major, minor, write, mknod }) => [allow, major, minor, write, mknod]),
    [
      [false, undefined, undefined, true, true],
      [true, 10, 229, true, false],
      [true, 1, undefined, false, false],
    ],
  );
});

test("who is privileged finds nothing hidden or read-only, and may use every device", () => {
  const { spec } = make({}, ["--privileged"]);
  deepEqual([spec.maskedPaths, spec.readonlyPaths, spec.seccomp], [[], [], undefined]);
  ok(!spec.mounts.some(({ options: words }) => words.includes("ro")));
  deepEqual(spec.cgroup.devices.map(({ allow, type }) => [allow, type]).slice(0, 1), [[true, "a"]]);
});

test("named volumes are of the store, and those of the image give way to them", () => {
  const { mounts } = make({ Volumes: { "/data": {} } }, ["-v", "name:/data", "-v", "/own"]).spec;
  deepEqual(
    mounts
      .filter(({ source }) => source.startsWith("/store/") && !source.includes("/etc/"))
      .map(({ destination, source }) => [destination, source]),
    [
      ["/data", "/store/volumes/name/data"],
      ["/own", "/store/own/0"],
    ],
  );
});

function shm(...args: string[]): string[] {
  const mount = make({}, args).spec.mounts.find(({ destination }) => destination === "/dev/shm");
  return mount?.options.slice(-1) ?? [];
}

test("memory that is shared has the size that is asked for, or is the host's", () => {
  deepEqual(shm("--shm-size", "1m"), ["size=1048576"]);
  ok(
    make({}, ["--ipc", "host"]).spec.mounts.some(
      ({ destination, type }) => destination === "/dev/shm" && type === "bind",
    ),
  );
  deepEqual(
    make({}, ["--read-only", "--read-only-tmpfs", "--tmpfs", "/tmp"])
      .spec.mounts.filter(({ destination }) => ["/run", "/tmp", "/var/tmp"].includes(destination))
      .map(({ destination }) => destination)
      .toSorted(),
    ["/run", "/tmp", "/var/tmp"],
  );
});

test("a cgroup is made where it is asked for", () => {
  equal(make({}, ["--cgroup-parent", "a/../../b"]).spec.cgroup.path, "/b/0123456789abcdef");
});
