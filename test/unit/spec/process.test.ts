import { parseProcessFile } from "../../../src/spec/parse-process.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";
import { config, parse, parseWith, refuses } from "./example.ts";

test("what is absent means the default", () => {
  const { process } = parseWith("process", { args: ["sh"], cwd: "/" });
  deepEqual(process, {
    terminal: false,
    consoleSize: undefined,
    user: { uid: 0, gid: 0, umask: 0o022, additionalGids: [] },
    args: ["sh"],
    env: [],
    cwd: "/",
    capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    rlimits: [],
    noNewPrivileges: false,
    oomScoreAdj: undefined,
  });
});

test("a process needs a program and an absolute working directory", () => {
  refuses("process", undefined, "process is required");
  refuses("process.args", [], "process.args must name the program to run");
  refuses("process.args", undefined, "process.args must name the program to run");
  refuses("process.args", ["a", 1], "process.args[1] must be a string");
  refuses("process.cwd", undefined, "process.cwd is required");
  refuses("process.cwd", "", "process.cwd must not be empty");
  refuses("process.cwd", "tmp", 'process.cwd must be an absolute path: current value is "tmp"');
  equal(parseWith("process.cwd", "/a/../b/").process.cwd, "/b");
});

test("an explicit false is no different from absence", () => {
  deepEqual(parseWith("process.noNewPrivileges", false), parseWith("process.noNewPrivileges", undefined));
});

test("ids go from 0 to 2^32-2: CVE-2024-40635", () => {
  equal(parseWith("process.user", { uid: 4294967294, gid: 1 }).process.user.uid, 4294967294);
  refuses("process.user", { uid: 4294967295 }, "process.user.uid must be an integer from 0 to 4294967294");
  refuses("process.user", { gid: -1 }, "process.user.gid must be an integer");
  refuses(
    "process.user",
    { uid: "0" },
    'process.user.uid must be an integer from 0 to 4294967294: current value is "0"',
  );
  refuses("process.user", { uid: 4294967296 }, "process.user.uid");
  refuses("process.user", { additionalGids: [5, 1.5] }, "process.user.additionalGids[1] must be an integer");
  refuses("process.user", { umask: 512 }, "process.user.umask must be an integer from 0 to 511");
  equal(parseWith("process.user", { umask: 0 }).process.user.umask, 0);
});

test("the last value of a variable counts, and an empty HOME is none", () => {
  deepEqual(parseWith("process.env", ["A=1", "B=2", "A=3", "HOME="]).process.env, ["B=2", "A=3"]);
  deepEqual(parseWith("process.env", ["A=", "B==x"]).process.env, ["A=", "B==x"]);
});

test("a variable without a name or a value is refused: CVE-2026-57231", () => {
  refuses("process.env", ["A=1", "PATH"], 'process.env[1] must be a name, "=" and a value: current value is "PATH"');
  refuses("process.env", ["=x"], "process.env[0] must be a name");
  refuses("process.env", ["A=\0"], "process.env[0] must not contain NUL");
});

test("capabilities that nobody knows are ignored with a warning, as by runc", () => {
  const spec = parseWith("process.capabilities", {
    bounding: ["CAP_KILL", "CAP_FUTURE", "CAP_KILL"],
    permitted: ["CAP_KILL"],
    effective: ["cap_kill"],
  });
  deepEqual(spec.process.capabilities.bounding, ["CAP_KILL"]);
  deepEqual(spec.process.capabilities.effective, []);
  deepEqual(spec.warnings, ['process.capabilities: unknown capabilities are ignored: "CAP_FUTURE", "cap_kill"']);
});

test("ambient capabilities that the kernel would not raise are left out with a warning", () => {
  const spec = parseWith("process.capabilities", {
    bounding: ["CAP_KILL", "CAP_CHOWN"],
    permitted: ["CAP_KILL", "CAP_CHOWN"],
    inheritable: ["CAP_KILL"],
    ambient: ["CAP_KILL", "CAP_CHOWN"],
  });
  deepEqual(spec.process.capabilities.ambient, ["CAP_KILL"]);
  ok(spec.warnings?.[0]?.includes("CAP_CHOWN left out") === true);
});

test("sets that capset(2) would refuse are refused before", () => {
  refuses(
    "process.capabilities",
    { effective: ["CAP_KILL"] },
    "process.capabilities.effective must not have more than",
  );
  refuses(
    "process.capabilities",
    { inheritable: ["CAP_KILL"] },
    "process.capabilities.inheritable must not have more than",
  );
});

test("no capabilities at all means none, and is said", () => {
  const spec = parseWith("process.capabilities", undefined);
  deepEqual(spec.process.capabilities.bounding, []);
  deepEqual(spec.warnings, ["process.capabilities is absent: the process gets none"]);
});

test("limits are exact to 64 bits", () => {
  const { rlimits } = parseWith("process.rlimits", [{ type: "RLIMIT_CORE", soft: 0, hard: 1 }]).process;
  deepEqual(rlimits, [{ type: "RLIMIT_CORE", soft: 0n, hard: 1n }]);
  const process = `{"args":["a"],"cwd":"/","rlimits":[{"type":"RLIMIT_AS","soft":18446744073709551614,"hard":18446744073709551615}]}`;
  deepEqual(parseProcessFile(process).rlimits, [
    { type: "RLIMIT_AS", soft: 18446744073709551614n, hard: 18446744073709551615n },
  ]);
});

const limit = (type: string, soft: number, hard: number) => ({ type, soft, hard });

test("limits are known, ordered and given once", () => {
  refuses("process.rlimits", [limit("RLIMIT_X", 1, 1)], "process.rlimits[0].type must be a limit of getrlimit(2)");
  refuses(
    "process.rlimits",
    [limit("RLIMIT_CPU", 2, 1)],
    "process.rlimits[0].soft must be at most the hard limit 1: current value is 2",
  );
  refuses(
    "process.rlimits",
    [limit("RLIMIT_CPU", 1, 1), limit("RLIMIT_CPU", 1, 1)],
    "process.rlimits[1].type must not occur twice",
  );
  refuses("process.rlimits", [{ type: "RLIMIT_CPU", soft: 1 }], "process.rlimits[0].hard is required");
  refuses("process.rlimits", [limit("RLIMIT_CPU", -1, -1)], "process.rlimits[0].soft must be an integer from 0");
});

test("a terminal needs a place to come from", () => {
  refuses("process.terminal", true, "process.terminal needs a mount of devpts on /dev/pts");
  const whole = config("process.terminal", true);
  whole["mounts"] = [{ destination: "/dev/pts", type: "devpts" }];
  equal(parse(whole).process.terminal, true);
});

test("the console has 16 bits for each of its sizes", () => {
  deepEqual(parseWith("process.consoleSize", { width: 80, height: 24 }).process.consoleSize, { width: 80, height: 24 });
  equal(parseWith("process.consoleSize", { width: 0, height: 0 }).process.consoleSize, undefined);
  refuses(
    "process.consoleSize",
    { width: 65536, height: 24 },
    "process.consoleSize.width must be an integer from 0 to 65535",
  );
});

test("the score of the OOM killer has the range of the kernel", () => {
  equal(parseWith("process.oomScoreAdj", -1000).process.oomScoreAdj, -1000);
  refuses("process.oomScoreAdj", 1001, "process.oomScoreAdj must be an integer from -1000 to 1000");
});

test("what is not done is refused by name, and an empty value asks for nothing", () => {
  for (const key of ["apparmorProfile", "selinuxLabel"]) {
    refuses(`process.${key}`, "x", `process.${key} is not supported yet`);
    parseWith(`process.${key}`, "");
  }
  refuses("process.scheduler", { policy: "SCHED_OTHER" }, "process.scheduler is not supported yet");
  refuses("process.ioPriority", { class: "IOPRIO_CLASS_BE" }, "process.ioPriority is not supported yet");
  refuses("process.execCPUAffinity", { initial: "0" }, "process.execCPUAffinity is not supported yet");
  refuses("process.user", { username: "bob" }, "process.user.username is not supported yet");
  parseWith("process.scheduler", {});
});

test("the file of exec takes capabilities and umask of the container where it has none", () => {
  const container = {
    capabilities: { bounding: ["CAP_KILL"], effective: [], inheritable: [], permitted: [], ambient: [] },
    user: { umask: 0o077 },
  } as const;
  const process = parseProcessFile('{"args":["id"],"cwd":"/","user":{"uid":1}}', container);
  deepEqual(process.capabilities.bounding, ["CAP_KILL"]);
  equal(process.user.umask, 0o077);
  deepEqual(parseProcessFile('{"args":["id"],"cwd":"/","capabilities":{}}', container).capabilities.bounding, []);
  equal(parseProcessFile('{"args":["id"],"cwd":"/"}').user.umask, 0o022);
});

test("the file of exec speaks of its own properties", () => {
  throws(() => parseProcessFile('{"args":[],"cwd":"/"}'), "args must name the program to run");
  throws(() => parseProcessFile('{"args":["a"]}'), "cwd is required");
  throws(() => parseProcessFile("[]"), "must be an object: current value is an array");
  throws(() => parseProcessFile('{"args":["a"]'), "JSON is malformed at line 1");
});

test("warnings about the file of exec are said once, however often it is read", () => {
  const warnings: string[] = [];
  const rlimits = '[{"type":"RLIMIT_AS","soft":1,"hard":18446744073709551615}]';
  parseProcessFile(
    `{"args":["a"],"cwd":"/","capabilities":{"bounding":["X"]},"rlimits":${rlimits}}`,
    undefined,
    warnings,
  );
  equal(warnings.length, 1);
});
