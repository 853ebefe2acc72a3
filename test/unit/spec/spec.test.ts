import { DEFAULT_DEVICES, DEV_SYMLINKS, exampleConfig, toRootless } from "../../../src/spec/defaults.ts";
import { parseSpec } from "../../../src/spec/parse.ts";
import { RULES } from "../../../src/spec/rules.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";
import { BUNDLE, config, parse, parseWith, refuses } from "./example.ts";

test("a Spec is total: what config.json leaves out is there", () => {
  const spec = parseWith("annotations", undefined);
  equal(spec.bundle, BUNDLE);
  equal(spec.hostname, undefined);
  deepEqual(spec.mounts, []);
  deepEqual(spec.annotations, {});
  deepEqual(spec.hooks, {
    prestart: [],
    createRuntime: [],
    createContainer: [],
    startContainer: [],
    poststart: [],
    poststop: [],
  });
  deepEqual(spec.cgroup, { path: undefined, settings: [], devices: [] });
  equal(spec.seccomp, undefined);
  equal("warnings" in spec, false);
});

test("the version of the specification is needed, and one that can be read", () => {
  equal(parseWith("ociVersion", "1.0.2-dev").ociVersion, "1.0.2-dev");
  refuses("ociVersion", undefined, "ociVersion is required");
  refuses("ociVersion", "2.0.0", "ociVersion must be 1.x");
  refuses("ociVersion", 1, "ociVersion must be a string");
});

test("the root is relative to the bundle", () => {
  deepEqual(parseWith("root", { path: "rootfs", readonly: true }).root, {
    path: "/bundles/box/rootfs",
    readonly: true,
    overlay: undefined,
  });
  equal(parseWith("root", { path: "/r/" }).root.path, "/r");
  refuses("root", undefined, "root is required");
  refuses("root", {}, "root.path is required");
});

test("hooks run a file by its absolute path, with its own name as first argument", () => {
  const { hooks } = parseWith("hooks", {
    poststop: [
      { path: "/bin/x", timeout: 5 },
      { path: "/y", args: ["y", "z"], env: ["A=1"] },
    ],
  });
  deepEqual(hooks.poststop, [
    { path: "/bin/x", args: ["/bin/x"], env: [], timeout: 5 },
    { path: "/y", args: ["y", "z"], env: ["A=1"], timeout: undefined },
  ]);
  refuses("hooks", { prestart: [{ path: "x" }] }, "hooks.prestart[0].path must be an absolute path");
  refuses("hooks", { prestart: [{}] }, "hooks.prestart[0].path is required");
  refuses("hooks", { prestart: [{ path: "/x", timeout: 0 }] }, "hooks.prestart[0].timeout must be an integer from 1");
});

test("annotations are strings by free names", () => {
  deepEqual(
    Object.entries(
      parseSpec(JSON.stringify(config("annotations", { "a/b": "c\nd" })).replace("a/b", "__proto__"), "/b").annotations,
    ),
    [["__proto__", "c\nd"]],
  );
  refuses("annotations", { a: 1 }, 'annotations["a"] must be a string: current value is 1');
});

test("unknown properties are ignored: config#extensibility", () => {
  parseWith("nobodyKnows", { a: [1] });
  parseWith("process.nobodyKnows", 1);
  parseWith("linux.nobodyKnows", 1);
});

test("sections for other platforms are refused, and empty ones ignored", () => {
  for (const key of ["solaris", "windows", "vm", "zos", "freebsd"]) {
    refuses(key, { a: 1 }, `${key} is not supported yet`);
    parseWith(key, {});
  }
});

test("a config.json is an object", () => {
  throws(() => parseSpec("[]", "/b"), "must be an object: current value is an array");
  throws(() => parseSpec("null", "/b"), "must be an object: current value is null");
  throws(() => parseSpec("", "/b"), "JSON is malformed at line 1, column 1");
});

test("every rule has a source and a sentence", () => {
  for (const { anchor, says } of RULES) ok(anchor !== "" && says !== "");
});

test("the example is a config.json, rootless or not", () => {
  const example = parseSpec(JSON.stringify(exampleConfig()), "/b");
  deepEqual(example.process.args, ["sh"]);
  equal(example.hostname, "tsrun");
  equal(example.mounts.length, 7);
  equal("warnings" in example, false);
  const rootless = parseSpec(JSON.stringify(toRootless(exampleConfig(), 1000, 100)), "/b");
  deepEqual(rootless.userNamespace, {
    uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: 100, size: 1 }],
  });
  deepEqual(
    rootless.namespaces.map(({ type }) => type),
    ["pid", "ipc", "uts", "mount", "cgroup", "user"],
  );
  deepEqual(rootless.cgroup.devices, []);
  const at = (path: string) => rootless.mounts.find(({ destination }) => destination === path);
  equal(at("/sys")?.bind, "recursive");
  ok(at("/dev/pts")?.options.includes("gid=5") === false);
});

test("rootless leaves the config it is given alone", () => {
  const example = exampleConfig();
  toRootless(example, 1, 1);
  deepEqual(example, exampleConfig());
});

test("the devices and links of every container are those of the specification", () => {
  deepEqual(
    DEFAULT_DEVICES.map(({ path, major, minor }) => `${path} ${major}:${minor}`),
    ["/dev/null 1:3", "/dev/zero 1:5", "/dev/full 1:7", "/dev/random 1:8", "/dev/urandom 1:9", "/dev/tty 5:0"],
  );
  deepEqual(DEV_SYMLINKS.map(({ path, target }) => `${path} ${target}`).slice(0, 2), [
    "/dev/fd /proc/self/fd",
    "/dev/stdin /proc/self/fd/0",
  ]);
});

test("a mount on / and a terminal without a place are found by the rules", () => {
  refuses("mounts", [{ destination: "/", type: "tmpfs" }], 'mounts[0].destination must not be "/"');
  ok(parse(config("mounts", [{ destination: "/x", type: "tmpfs" }])).mounts.length === 1);
});
