/** From an image's configuration to config.json: conversion.md of the image specification, and what images must not do. */
import { parseProfile } from "../../../src/image/seccomp-profile.ts";
import { make } from "../../support/from-image.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

test("the command is entrypoint and cmd; a command on the command line takes the place of cmd, an entrypoint that of both", () => {
  const both = { Entrypoint: ["/e", "1"], Cmd: ["c"] };
  deepEqual(make(both).spec.process.args, ["/e", "1", "c"]);
  deepEqual(make(both, ["--", "x", "y"]).spec.process.args, ["/e", "1", "x", "y"]);
  deepEqual(make(both, ["--entrypoint", "/f"]).spec.process.args, ["/f"]);
  deepEqual(make(both, ["--entrypoint", "/f", "--", "x"]).spec.process.args, ["/f", "x"]);
  deepEqual(make(both, ["--entrypoint", "", "--", "x"]).spec.process.args, ["x"]);
  throws(() => make({ Cmd: null }), "names no command");
  throws(() => make(both, ["--entrypoint", ""]), "names no command");
});

test("an image never sees the host's environment (CVE-2026-57231)", () => {
  const env = ["SECRET=host", "AWS_KEY=host", "PATH=/host"];
  const { spec, warnings } = make({ Env: ["A=1", "SECRET", "*", "AWS_*", "=x", "", "B="] }, [], { env });
  deepEqual(spec.process.env, [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=0123456789ab",
    "A=1",
    "B=",
  ]);
  equal(warnings.length, 5);
});

test("--env takes a value from the caller, and nothing where the caller has none", () => {
  const env = ["GIVEN=yes", "A=host"];
  const made = make({ Env: ["A=1", "GONE=1", "KEPT=1"] }, ["-e", "GIVEN", "-e", "GONE", "-e", "A=2", "-e", "EMPTY="], {
    env,
  }).spec.process.env;
  for (const entry of ["GIVEN=yes", "A=2", "EMPTY=", "KEPT=1"]) ok(made.includes(entry), entry);
  ok(!made.some((entry) => entry.startsWith("GONE")));
});

test("a terminal says what kind it is", () => {
  ok(make({}, ["-t"]).spec.process.env.includes("TERM=xterm"));
  ok(make({}, ["-t"]).spec.process.terminal);
});

test("no capability is inheritable or ambient (CVE-2022-24769), and who is not root has none but the bounding set", () => {
  const root = make({}).spec.process.capabilities;
  deepEqual(
    [root.inheritable.length, root.ambient.length, root.effective.length, root.bounding.length],
    [0, 0, 14, 14],
  );
  const user = make({}, ["--cap-add", "ALL"], { uid: 1 }).spec.process.capabilities;
  deepEqual([user.inheritable.length, user.ambient.length, user.effective.length, user.bounding.length], [0, 0, 0, 41]);
});

test("labels become annotations and nothing else; those that a runtime would act on are left out", () => {
  const labels = {
    a: "b",
    "org.systemd.property.ExecStartPre": "'/bin/evil'",
    "org.criu.config": "/x",
    bundle: "/y",
    __proto__: "z",
    constructor: "c",
  };
  const { spec, warnings } = make({ Labels: labels, StopSignal: "SIGQUIT" }, [], { more: { author: "me" } });
  equal(spec.annotations["a"], "b");
  equal(spec.annotations["constructor"], "c");
  equal(spec.annotations["org.opencontainers.image.stopSignal"], "SIGQUIT");
  equal(spec.annotations["org.opencontainers.image.author"], "me");
  equal(
    Object.keys(spec.annotations).filter(
      (key) => key.startsWith("org.systemd") || key.startsWith("org.criu") || key === "bundle",
    ).length,
    0,
  );
  equal(warnings.length, 3);
});

test("a label has the last word over what the configuration implies", () => {
  const key = "org.opencontainers.image.stopSignal";
  equal(make({ Labels: { [key]: "9" }, StopSignal: "15" }).spec.annotations[key], "9");
});

test("the working directory is absolute, whatever the image says", () => {
  equal(make({ WorkingDir: "app" }).spec.process.cwd, "/app");
  equal(make({ WorkingDir: "../../etc" }).spec.process.cwd, "/etc");
  equal(make({ WorkingDir: "" }).spec.process.cwd, "/");
  equal(make({ WorkingDir: "/a" }, ["-w", "/b"]).spec.process.cwd, "/b");
});

test("a volume of the image is a directory of the container's own, below it", () => {
  const { mounts } = make({ Volumes: { "/data/deep": {}, "/data": {}, "/etc/../data": {} } }).spec;
  const own = mounts.filter(({ source }) => source.startsWith("/store/own/"));
  deepEqual(
    own.map(({ destination, source }) => [destination, source]),
    [
      ["/data", "/store/own/1"],
      ["/data/deep", "/store/own/0"],
    ],
  );
});

test("a mount of the caller's takes the place of a volume or a default mount, and of those that it would cover", () => {
  const { mounts } = make({ Volumes: { "/data": {} } }, ["-v", "/h:/data", "--tmpfs", "/dev/shm:size=1m"]).spec;
  equal(mounts.filter(({ destination }) => destination === "/data").length, 1);
  equal(mounts.filter(({ destination }) => destination === "/dev/shm").length, 1);
  deepEqual(
    make({}, ["-v", "/dev:/dev"])
      .spec.mounts.filter(({ destination }) => destination.startsWith("/dev"))
      .map(({ source }) => source),
    ["/dev"],
  );
  throws(() => make({}, ["-v", "/a:/x", "--tmpfs", "/x"]), "two mounts");
});

test("volumes of an image are left out where the runtime's own mounts are", () => {
  const { mounts } = make({
    Volumes: { "/": {}, "/proc": {}, "/proc/sys": {}, "/sys/fs/cgroup": {}, "/dev": {}, "/x/../proc": {} },
  }).spec;
  equal(mounts.filter(({ source }) => source.startsWith("/store/own/")).length, 0);
  ok(mounts.some(({ destination, type }) => destination === "/proc" && type === "proc"));
});

test("limits of the flags are those of config.json", () => {
  const files = Object.fromEntries(
    make({}, ["--memory", "64m", "--cpus", "1.5", "--pids-limit", "20"]).spec.cgroup.settings.map(({ file, value }) => [
      file,
      value,
    ]),
  );
  equal(files["memory.max"], String(64 << 20));
  equal(files["memory.swap.max"], String(64 << 20), "as much swap again");
  equal(files["pids.max"], "20");
  equal(files["cpu.max"], "150000 100000");
});

test("the container has its own namespaces, but for the network where the host's is wanted", () => {
  equal(make({}).spec.namespaces.length, 6);
  ok(!make({}, ["--network", "host"]).spec.namespaces.some(({ type }) => type === "network"));
  equal(make({}, ["--uts", "host"]).spec.hostname, undefined);
  throws(() => make({}, ["--uts", "host", "--hostname", "h"]), "exclude each other");
  equal(make({}, ["--domainname", "d"]).spec.domainname, "d");
});

test("by default a filter is there and new privileges are not forbidden", () => {
  const { seccomp, process } = make({}).spec;
  ok(seccomp !== undefined && !process.noNewPrivileges);
  equal(make({}, ["--security-opt", "seccomp=unconfined"]).spec.seccomp, undefined);
  ok(make({}, ["--security-opt", "no-new-privileges"]).spec.process.noNewPrivileges);
  ok(make({}, ["--read-only"]).spec.root.readonly);
});

function rule(name: string, includes: object, excludes: object = {}): object {
  return { names: [name], action: "SCMP_ACT_ALLOW", includes, excludes };
}

test("a profile of docker's form is read for this machine, kernel and these capabilities", () => {
  const profile = {
    defaultAction: "SCMP_ACT_ERRNO",
    archMap: [
      { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
      { architecture: "SCMP_ARCH_AARCH64", subArchitectures: [] },
    ],
    syscalls: [
      rule("read", {}),
      rule("mount", { caps: ["CAP_SYS_ADMIN"] }),
      rule("chown", { caps: ["CAP_CHOWN"] }),
      rule("arch_prctl", { arches: ["amd64", "x32"] }),
      rule("sync_file_range2", { arches: ["arm64"] }),
      rule("ptrace", { minKernel: "4.8" }),
      rule("future", { minKernel: "99.0" }),
      rule("clone", {}, { caps: ["CAP_SYS_ADMIN"] }),
      rule("clone3", {}, { caps: ["CAP_CHOWN"] }),
      { name: "write", action: "SCMP_ACT_ALLOW", args: [] },
    ],
  };
  const read = parseProfile(JSON.stringify(profile), {
    capabilities: ["CAP_CHOWN"],
    machine: "x86_64",
    release: "6.18.44",
  });
  deepEqual(read.architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
  deepEqual(
    read.syscalls?.flatMap(({ names }) => names),
    ["read", "chown", "arch_prctl", "ptrace", "clone", "write"],
  );
});
