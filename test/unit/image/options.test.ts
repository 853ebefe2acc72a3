/** The flags beside --image, in docker's words. */
import { parseArguments } from "../../../src/commands/parse.ts";
import { IMAGE_FLAGS } from "../../../src/commands/image-flags.ts";
import { parseOptions, type Options } from "../../../src/image/flags/options.ts";
import { tweakCapabilities } from "../../../src/image/profile.ts";
import { parsePairFile } from "../../../src/image/flags/pairs.ts";
import { parseCpus, parsePids, parseSize } from "../../../src/image/flags/quantities.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

function options(...args: string[]): Options {
  return parseOptions(parseArguments(args, { flags: IMAGE_FLAGS, greedy: false }));
}

test("a size has a unit of 1024, or is in bytes", () => {
  const cases: Record<string, number> = {
    "64m": 64 << 20,
    "64M": 64 << 20,
    "64mb": 64 << 20,
    "64MiB": 64 << 20,
    "1g": 1 << 30,
    "512k": 512 << 10,
    "1048576": 1048576,
    "1.5g": 1.5 * (1 << 30),
    "100b": 100,
    "1t": 2 ** 40,
  };
  for (const [text, bytes] of Object.entries(cases)) equal(parseSize(text, "memory"), bytes, text);
  for (const text of [
    "",
    "m",
    "-1",
    "1x",
    "1mm",
    "64m ",
    "0",
    "1e9",
    "0x10",
    "NaN",
    "1..2",
    "9".repeat(30),
    "1bb",
    "٣m",
  ]) {
    throws(() => parseSize(text, "memory"), "--memory must be a size");
  }
});

test("processors are counted with fractions", () => {
  equal(parseCpus("1.5"), 150_000);
  equal(parseCpus("0.01"), 1000);
  equal(parseCpus("2"), 200_000);
  equal(parseCpus("0"), undefined);
  for (const text of ["", "-1", "x", "0.001", "1e3", "1,5", "."]) throws(() => parseCpus(text), "--cpus");
});

test("a limit of -1 processes is none", () => {
  equal(parsePids("100"), 100);
  equal(parsePids("-1"), undefined);
  equal(parsePids("0"), undefined);
  for (const text of ["", "x", "-2", "1.5", "9".repeat(20)]) throws(() => parsePids(text), "--pids-limit");
});

test("capabilities are added to docker's 14 and taken from them", () => {
  equal(tweakCapabilities([], []).length, 14);
  ok(tweakCapabilities(["net_admin"], []).includes("CAP_NET_ADMIN"));
  ok(!tweakCapabilities([], ["CAP_CHOWN"]).includes("CAP_CHOWN"));
  deepEqual(tweakCapabilities(["chown"], ["ALL"]), ["CAP_CHOWN"]);
  equal(tweakCapabilities(["ALL"], []).length, 41);
  ok(!tweakCapabilities(["all"], ["SYS_ADMIN"]).includes("CAP_SYS_ADMIN"));
  deepEqual(tweakCapabilities([], ["all"]), []);
  throws(() => tweakCapabilities(["nonsense"], []), "is no capability");
  throws(() => tweakCapabilities([], ["*"]), "is no capability");
});

test("a volume is a path of the host and one of the container", () => {
  deepEqual(options("-v", "/a:/b").mounts, [
    { destination: "/b", type: "bind", source: "/a", options: ["rbind", "rprivate"] },
  ]);
  ok(options("-v", "/a:/b/:ro").mounts[0]?.options.includes("rro") === true);
  for (const [text, says] of [
    ["d:/b", "is no name"],
    ["../a:b", "absolute"],
    ["/a:b", "absolute"],
    ["/a:/b:rx", "unknown option"],
    ["/a:/", 'must not be "/"'],
    ["/a:/x/..", 'must not be "/"'],
    ["/a:/b:ro:x", "[SOURCE:]DESTINATION"],
    [":/b", "is no name"],
    ["-a:/b", "is no name"],
    ["a/b:/b", "is no name"],
    ["a", "absolute"],
    ["", "[SOURCE:]DESTINATION"],
    ["/a:/b:nocopy", "for volumes"],
    ["/a:/b:U", "unknown option"],
    ["/a:/b:toString", "unknown option"],
  ] as const) {
    throws(() => options("-v", text), says);
  }
});

test("what has no slash is a volume by its name, and a destination alone a new one", () => {
  const [named, own] = options("-v", "data.1:/b:ro,nocopy", "-v", "/c").mounts;
  deepEqual(named?.volume, { name: "data.1", copy: false, labels: {} });
  ok(named?.options.includes("rro") === true);
  deepEqual([own?.destination, own?.volume], ["/c", { name: "", copy: true, labels: {} }]);
  equal(options("-v", "./a:/b").mounts[0]?.source, "./a");
});

test("--mount says the same by keys, with docker's other names for them", () => {
  deepEqual(options("--mount", "type=bind,src=/a,target=/b,ro").mounts, [
    { destination: "/b", type: "bind", source: "/a", options: ["rbind", "rprivate", "ro", "rro"] },
  ]);
  deepEqual(options("--mount", '"type=bind","source=/a,b",dst=/b,readonly=false').mounts[0]?.source, "/a,b");
  deepEqual(
    options("--mount", "type=bind,src=/a,dst=/b,bind-propagation=rslave,bind-recursive=disabled").mounts[0]?.options,
    ["bind", "rslave"],
  );
  deepEqual(options("--mount", "type=bind,src=/a,dst=/b,ro,bind-recursive=writable").mounts[0]?.options, [
    "rbind",
    "rprivate",
    "ro",
  ]);
  deepEqual(options("--mount", "src=data,dst=/b,volume-nocopy,volume-label=a=b=c,volume-label=d").mounts[0]?.volume, {
    name: "data",
    copy: false,
    labels: { a: "b=c", d: "" },
  });
  equal(options("--mount", "dst=/b").mounts[0]?.volume?.name, "");
  deepEqual(options("--mount", "type=tmpfs,dst=/b,tmpfs-size=1m,tmpfs-mode=0700").mounts[0]?.options, [
    "nosuid",
    "nodev",
    "noexec",
    "size=1048576",
    "mode=0700",
  ]);
});

test("--mount refuses what it does not know, and what a type has not", () => {
  for (const [text, says] of [
    ["", "KEY=VALUE"],
    ["type=image,src=x,dst=/b", "must be bind, volume or tmpfs"],
    ["type=toString,dst=/b", "must be bind, volume or tmpfs"],
    ["type=bind,src=/a", "a destination is required"],
    ["type=bind,src=a,dst=/b", "absolute"],
    ["type=bind,src=/a,dst=/", 'must not be "/"'],
    ["type=bind,src=/a,dst=/b,volume-nocopy", "unknown key"],
    ["type=bind,src=/a,dst=/b,readonly=maybe", "true or false"],
    ["type=bind,src=/a,dst=/b,bind-propagation=x", "bind-propagation"],
    ["type=bind,src=/a,dst=/b,bind-recursive=readonly", "for what is read-only"],
    ["type=bind,src", "must be KEY=VALUE"],
    ["type=tmpfs,src=x,dst=/b", "has no source"],
    ["type=tmpfs,dst=/b,tmpfs-mode=9", "octal"],
    ["type=tmpfs,dst=/b,tmpfs-size=x", "must be a size"],
    ["src=x,dst=/b", "is no name"],
    ["src=data,dst=/b,volume-driver=nfs", "there are no drivers"],
    ["src=data,dst=/b,volume-subpath=x", "not supported yet"],
    ['type=bind,"src=/a', "KEY=VALUE"],
  ] as const) {
    throws(() => options("--mount", text), says);
  }
});

test("a tmpfs has docker's options, and then those that are given", () => {
  deepEqual(options("--tmpfs", "/x:size=1m,exec").mounts[0]?.options, ["nosuid", "nodev", "noexec", "size=1m", "exec"]);
  throws(() => options("--tmpfs", "x"), "absolute");
  throws(() => options("--tmpfs", "/"), 'must not be "/"');
});

test("security options are known ones", () => {
  const plain = { noNewPrivileges: false, seccomp: "default", masked: true, privileged: false };
  deepEqual(options().security, plain);
  deepEqual(options("--security-opt", "no-new-privileges").security, { ...plain, noNewPrivileges: true });
  deepEqual(options("--security-opt", "no-new-privileges:false", "--security-opt", "seccomp=unconfined").security, {
    ...plain,
    seccomp: "unconfined",
  });
  equal(options("--security-opt", "systempaths=unconfined").security.masked, false);
  deepEqual(options("--security-opt", "apparmor=unconfined", "--security-opt", "label:disable").security, plain);
  equal(options("--security-opt", "seccomp=/a:b=c.json").security.seccomp, "/a:b=c.json");
  for (const text of ["", "seccomp", "seccomp=", "apparmor=x", "no-new-privileges=maybe", "label=type:x", "toString"])
    throws(() => options("--security-opt", text), "--security-opt");
});

test("who is privileged has all, but for what else is asked for by name", () => {
  const { security, capabilities } = options("--privileged", "--security-opt", "seccomp=/a.json");
  deepEqual(security, { noNewPrivileges: false, seccomp: "/a.json", masked: false, privileged: true });
  equal(capabilities.length, 41);
  equal(options("--privileged").security.seccomp, "unconfined");
});

test("a namespace is the container's own, the host's, or one that is there", () => {
  deepEqual(
    options()
      .namespaces.map(({ type }) => type)
      .toSorted(),
    ["cgroup", "ipc", "mount", "network", "pid", "uts"],
  );
  const { namespaces } = options("--network", "host", "--pid", "ns:/proc/1/ns/pid", "--cgroupns", "private");
  ok(!namespaces.some(({ type }) => type === "network"));
  deepEqual(
    namespaces.find(({ type }) => type === "pid"),
    { type: "pid", path: "/proc/1/ns/pid" },
  );
  throws(() => options("--network", "bridge"), "none, host, container:ID or ns:PATH");
  deepEqual(options("--userns", "host").namespaces, options().namespaces);
  throws(() => options("--userns", "keep-id"), "only root can do");
  throws(() => options("--userns", "nonsense"), "must be host or auto");
  throws(() => options("--ipc", "ns:x"), "private, shareable, none, host, container:ID or ns:PATH");
  deepEqual(
    options("--pid", "container:x", "--net=container:y").namespaces.filter(({ container }) => container !== undefined),
    [
      { type: "network", container: "y" },
      { type: "pid", container: "x" },
    ],
  );
  throws(() => options("--pid", "container:"), "container:ID");
  throws(() => options("--ipc", "container:x"), "/dev/shm is a mount of the other container's");
  equal(options("--ipc", "none").withoutShm, true);
});

test("a device is a path of the host, perhaps another of the container, and what may be done with it", () => {
  deepEqual(options("--device", "/dev/fuse", "--device", "/dev/a:/dev/b:r", "--device", "/dev/c:rw").devices.paths, [
    { source: "/dev/fuse", destination: "/dev/fuse", access: "rwm" },
    { source: "/dev/a", destination: "/dev/b", access: "r" },
    { source: "/dev/c", destination: "/dev/c", access: "rw" },
  ]);
  deepEqual(options("--device", "vendor.com/gpu=0").devices, {
    paths: [],
    names: ["vendor.com/gpu=0"],
    directories: [],
  });
  for (const text of ["", "fuse", "/dev/a:b", "/dev/a:/dev/b:rx", "/dev/a:/b:r:w", "/dev/a:/b:rr", "/dev/a:/b:"])
    throws(() => options("--device", text), "--device");
  deepEqual(options("--device-cgroup-rule", "c 10:* rw").deviceRules, [
    { allow: true, type: "c", major: 10, access: "rw" },
  ]);
  for (const text of ["", "c 10 rw", "d 1:1 r", "c 1:1 x", "c 1:1", "c 1:1 r w", "c -1:1 r"])
    throws(() => options("--device-cgroup-rule", text), "--device-cgroup-rule");
});

test("a host is added with an address, of either kind", () => {
  deepEqual(
    options("--add-host", "a:1.2.3.4", "--add-host", "b=::1", "--add-host", "c:[fe80::1]", "--add-host", "d:1::").hosts,
    ["1.2.3.4\ta", "::1\tb", "fe80::1\tc", "1::\td"],
  );
  for (const text of [
    "",
    "a",
    "a:",
    ":1.2.3.4",
    "a:1.2.3",
    "a:1.2.3.256",
    "a:x",
    "a b:1.2.3.4",
    "a\nb:1.2.3.4",
    "a:1::2::3",
    "a:1:2",
  ])
    throws(() => options("--add-host", text), "--add-host");
  throws(() => options("--add-host", "a:host-gateway"), "there is no gateway");
});

test("what stands alone is checked", () => {
  equal(options("--umask", "027").umask, 0o027);
  for (const text of ["", "8", "1000", "-1", "0x1"]) throws(() => options("--umask", text), "--umask");
  equal(options("--oom-score-adj", "-500").oomScoreAdj, -500);
  for (const text of ["", "x", "1001", "-", "1.5"]) throws(() => options("--oom-score-adj", text), "--oom-score-adj");
  throws(() => options("--stop-signal", "SIGNONE"), "unknown signal");
  for (const text of ["", "=x"]) throws(() => options("-e", text), "--env");
  for (const text of ["", "=x"]) throws(() => options("--label", text), "--label");
  deepEqual({ ...options("-l", "a=b=c", "-l", "d").labels }, { a: "b=c", d: "" });
  throws(() => options("--domainname", "a b"), "--domainname");
});

test("a file of variables is read as docker reads it", () => {
  deepEqual(parsePairFile('# comment\n\n  A=1 # no comment\nB\r\nC="x"\n\tD==\n', "f"), [
    "A=1 # no comment",
    "B",
    'C="x"',
    "D==",
  ]);
  throws(() => parsePairFile("A=1\n=x", "f"), "f, line 2: there is no name");
  throws(() => parsePairFile("A B=1", "f"), "f, line 1: a name has no space");
});

test("what follows -- is the command", () => {
  deepEqual(options("-i", "--", "sh", "-c", "x").command, ["sh", "-c", "x"]);
  equal(options("-w", "/a/../b/").cwd, "/b");
  throws(() => options("-w", "a"), "--workdir");
});

test("what docker has and tsrun has not is refused with the reason", () => {
  throws(() => options("-p", "80:80"), "--publish is not supported: a container has no network");
  throws(() => options("-tp", "80:80"), "--publish is not supported: a container has no network");
  throws(() => options("-P"), "--publish-all is not supported");
  throws(() => options("-a", "stdout"), "--attach is not supported");
  throws(() => options("--restart", "always"), "--restart is not supported: no daemon");
});
