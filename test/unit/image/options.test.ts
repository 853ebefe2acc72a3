/** The flags beside --image, in docker's words. */
import { parseArguments } from "../../../src/commands/parse.ts";
import { IMAGE_FLAGS } from "../../../src/commands/image-table.ts";
import { parseOptions, type Options } from "../../../src/image/options.ts";
import { tweakCapabilities } from "../../../src/image/profile.ts";
import { parseCpus, parsePids, parseSize } from "../../../src/image/quantities.ts";
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
    ["data:/b", "named volumes are not supported"],
    ["./a:/b", "absolute"],
    ["/a", "SOURCE:DESTINATION"],
    ["/a:b", "absolute"],
    ["/a:/b:rx", "unknown option"],
    ["/a:/", 'must not be "/"'],
    ["/a:/x/..", 'must not be "/"'],
    ["/a:/b:ro:x", "SOURCE:DESTINATION"],
    [":/b", "absolute"],
    ["", "SOURCE:DESTINATION"],
    ["/a:/b:toString", "unknown option"],
  ] as const) {
    throws(() => options("-v", text), says);
  }
});

test("a tmpfs has docker's options, and then those that are given", () => {
  deepEqual(options("--tmpfs", "/x:size=1m,exec").mounts[0]?.options, ["nosuid", "nodev", "noexec", "size=1m", "exec"]);
  throws(() => options("--tmpfs", "x"), "absolute");
  throws(() => options("--tmpfs", "/"), 'must not be "/"');
});

test("security options are known ones", () => {
  deepEqual(options("--security-opt", "no-new-privileges").security, { noNewPrivileges: true, seccomp: "default" });
  deepEqual(options("--security-opt", "no-new-privileges:false", "--security-opt", "seccomp=unconfined").security, {
    noNewPrivileges: false,
    seccomp: "unconfined",
  });
  equal(options("--security-opt", "seccomp=/a:b=c.json").security.seccomp, "/a:b=c.json");
  for (const text of ["", "seccomp", "seccomp=", "apparmor=x", "no-new-privileges=maybe", "label=disable"])
    throws(() => options("--security-opt", text), "--security-opt");
});

test("networks are none and the host's", () => {
  equal(options().hostNetwork, false);
  equal(options("--network", "host").hostNetwork, true);
  throws(() => options("--network", "bridge"), "none or host");
});

test("what follows -- is the command", () => {
  deepEqual(options("-i", "--", "sh", "-c", "x").command, ["sh", "-c", "x"]);
  equal(options("-w", "/a/../b/").cwd, "/b");
  throws(() => options("-w", "a"), "--workdir");
});
