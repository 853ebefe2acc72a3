import { knownMountOptions } from "../../../src/spec/mount-options.ts";
import type { Mount } from "../../../src/spec/spec.ts";
import { deepEqual, equal, ok, test } from "../../support/unit.ts";
import { config, parse, parseWith, refuses } from "./example.ts";
import type { JsonObject } from "./example.ts";

const RDONLY = 1;
const NOSUID = 2;
const NODEV = 4;
const NOEXEC = 8;
const NOATIME = 0x10;
const STRICTATIME = 0x20;
const ATIME_FIELD = 0x70;

function mount(raw: JsonObject): Mount {
  const [first] = parseWith("mounts", [{ destination: "/mnt", type: "tmpfs", ...raw }]).mounts;
  if (first === undefined) throw new Error("there is one mount");
  return first;
}

const options = (...words: string[]): Mount => mount({ options: words });
const bind = (...words: string[]): Mount => mount({ type: "bind", source: "/src", options: words });

test("attributes of a mount become bits to set and to clear", () => {
  deepEqual(options("ro", "nosuid", "nodev", "noexec").attr, {
    set: RDONLY | NOSUID | NODEV | NOEXEC,
    clear: 0,
    recursiveSet: 0,
    recursiveClear: 0,
  });
  deepEqual(bind("bind", "rw", "suid", "dev", "exec").attr, {
    set: 0,
    clear: RDONLY | NOSUID | NODEV | NOEXEC,
    recursiveSet: 0,
    recursiveClear: 0,
  });
});

test("of two options that contradict each other the later counts", () => {
  deepEqual(options("ro", "rw").attr, { set: 0, clear: RDONLY, recursiveSet: 0, recursiveClear: 0 });
  deepEqual(options("rw", "ro").attr, { set: RDONLY, clear: 0, recursiveSet: 0, recursiveClear: 0 });
  deepEqual(options("sync", "async", "dirsync").flags, ["dirsync"]);
});

test("choosing a time clears the whole field first: mount_setattr(2)", () => {
  equal(options("noatime").attr.set, NOATIME);
  equal(options("noatime").attr.clear, ATIME_FIELD);
  equal(options("noatime", "strictatime").attr.set, STRICTATIME);
  equal(options("strictatime", "relatime").attr.set, 0);
  equal(options("strictatime", "nostrictatime").attr.set, 0);
  equal(options("strictatime", "atime").attr.set, STRICTATIME);
  equal(bind("bind", "atime").attr.clear, ATIME_FIELD);
  equal(options("norelatime").attr.clear, 0);
});

test("recursive forms go to the whole tree", () => {
  deepEqual(bind("rbind", "rro", "rnosuid", "rexec").attr, {
    set: 0,
    clear: 0,
    recursiveSet: RDONLY | NOSUID,
    recursiveClear: NOEXEC,
  });
  equal(bind("rbind", "rnoatime").attr.recursiveClear, ATIME_FIELD);
});

test("a new file system is read-only as a whole, a bind only as a mount", () => {
  deepEqual(options("ro").flags, ["ro"]);
  deepEqual(bind("bind", "ro").flags, []);
  equal(bind("bind", "ro").attr.set, RDONLY);
});

test("flags that have no effect on a bind mount are left out with a warning", () => {
  const spec = parseWith("mounts", [{ destination: "/a", source: "/b", options: ["bind", "sync"] }]);
  deepEqual(spec.mounts[0]?.flags, []);
  deepEqual(spec.warnings, ["mounts[0].options have no effect on a bind mount: sync"]);
});

test("what is no known option is data of the file system", () => {
  deepEqual(options("size=65536k", "mode=755", "newinstance", "constructor", "acl").data, [
    ["size", "65536k"],
    ["mode", "755"],
    ["newinstance", undefined],
    ["constructor", undefined],
    ["acl", undefined],
  ]);
  deepEqual(options("mode=755,size=1m").data, [
    ["mode", "755"],
    ["size", "1m"],
  ]);
  deepEqual(options('context="a:b:c1,c2"').data, [["context", '"a:b:c1,c2"']]);
  deepEqual(options("defaults", "silent", "loud").data, []);
});

test("data for a bind mount is refused: the kernel would ignore it", () => {
  refuses(
    "mounts",
    [{ destination: "/a", source: "/b", options: ["rbind", "size=1"] }],
    'mounts[0].options of a bind mount must not have any for a file system: "size"',
  );
});

test("bind and rbind make a bind mount whatever the type says", () => {
  equal(mount({ type: "none", source: "/s", options: ["rbind"] }).type, "bind");
  equal(mount({ type: "none", source: "/s", options: ["rbind"] }).bind, "recursive");
  equal(bind("bind", "rbind").bind, "recursive");
  equal(bind("rbind", "bind").bind, "recursive");
  equal(mount({ type: "bind", source: "/s" }).bind, "single");
});

test("the source of a bind is relative to the bundle", () => {
  equal(mount({ type: "bind", source: "data", options: ["bind"] }).source, "/bundles/box/data");
  equal(mount({ type: "bind", source: "../x", options: ["bind"] }).source, "/bundles/x");
  refuses("mounts", [{ destination: "/a", options: ["bind"] }], "mounts[0].source is required");
});

test("a file system without a source has the name of its type", () => equal(mount({}).source, "tmpfs"));

test("cgroup2 is what cgroup stands for", () => equal(mount({ type: "cgroup2" }).type, "cgroup"));

test("destinations are cleaned, and stay below the root", () => {
  equal(mount({ destination: "/a/../../b//c/" }).destination, "/b/c");
  refuses("mounts", [{ destination: "/a/..", type: "tmpfs" }], 'mounts[0].destination must not be "/"');
  refuses("mounts", [{ type: "tmpfs" }], "mounts[0].destination is required");
});

test("a relative destination is taken from the root, with a warning: config#configMounts", () => {
  const spec = parseWith("mounts", [{ destination: "a/b", type: "tmpfs" }]);
  equal(spec.mounts[0]?.destination, "/a/b");
  ok(spec.warnings?.[0]?.startsWith("mounts[0].destination should be an absolute path") === true);
});

test("propagation is told from the rest, the last one counts", () => {
  deepEqual(bind("rbind", "rprivate").propagation, { type: "private", recursive: true });
  deepEqual(bind("rbind", "slave", "shared").propagation, { type: "shared", recursive: false });
  equal(bind("rbind").propagation, undefined);
});

test("tmpcopyup is for a tmpfs", () => {
  equal(options("tmpcopyup").tmpcopyup, true);
  equal(mount({ type: "proc", options: ["tmpcopyup"] }).tmpcopyup, false);
});

const MAPS = [{ containerID: 0, hostID: 1000, size: 10 }];

test("a bind is idmapped by maps of its own, or by those of the container's user namespace", () => {
  const files = { destination: "/a", source: "/b", type: "bind" };
  const own = { uidMappings: MAPS, gidMappings: MAPS };
  equal(mount({ ...files, options: ["rbind"] }).idmap, undefined);
  deepEqual(mount({ ...files, options: ["rbind"], ...own }).idmap, { maps: own, recursive: false });
  deepEqual(mount({ ...files, options: ["rbind", "ridmap"], ...own }).idmap, { maps: own, recursive: true });
  const inside = config("linux", { namespaces: [{ type: "mount" }, { type: "user" }], ...own });
  inside["mounts"] = [{ ...files, options: ["bind", "idmap"] }];
  deepEqual(parse(inside).mounts[0]?.idmap, { maps: undefined, recursive: false });
});

test("an idmapped mount is a bind, has both maps, and something to be mapped by", () => {
  const files = { destination: "/a", source: "/b", type: "bind" };
  refuses("mounts", [{ ...files, options: ["idmap"] }], "mounts[0].options idmap needs uidMappings and gidMappings");
  refuses("mounts", [{ ...files, uidMappings: MAPS }], "mounts[0].gidMappings is required with the other");
  refuses("mounts", [{ ...files, gidMappings: MAPS }], "mounts[0].uidMappings is required with the other");
  refuses(
    "mounts",
    [{ destination: "/a", type: "tmpfs", uidMappings: MAPS, gidMappings: MAPS }],
    "mounts[0] cannot be idmapped",
  );
  refuses(
    "mounts",
    [{ ...files, uidMappings: [{}], gidMappings: MAPS }],
    "mounts[0].uidMappings[0].containerID is required",
  );
});

test("what is not done is refused by name", () => {
  refuses("mounts", [{ destination: "/a", type: "tmpfs", options: ["remount"] }], '"remount" is not supported');
  refuses("mounts", [{ destination: "/a" }], "mounts[0].type is required");
});

test("only proc may cover /proc, and only few files in it may be covered: CVE-2019-16884", () => {
  refuses(
    "mounts",
    [{ destination: "/proc", type: "tmpfs" }],
    "mounts[0].destination must not be covered by anything but proc",
  );
  refuses(
    "mounts",
    [{ destination: "/x/../proc/./self/attr", type: "tmpfs" }],
    "mounts[0].destination must not lie inside /proc",
  );
  refuses("mounts", [{ destination: "/proc/net/dev", source: "/x", options: ["bind"] }], "must not lie inside /proc");
  equal(parseWith("mounts", [{ destination: "/proc", type: "proc" }]).mounts.length, 1);
  equal(parseWith("mounts", [{ destination: "/proc", source: "/proc", options: ["rbind"] }]).mounts.length, 1);
  equal(parseWith("mounts", [{ destination: "/proc/uptime", source: "/x", options: ["bind"] }]).mounts.length, 1);
});

test("features lists every option of the specification", () => {
  const known = knownMountOptions();
  for (const word of ["ro", "rro", "rnosymfollow", "rstrictatime", "tmpcopyup", "runbindable", "lazytime", "loud"]) {
    ok(known.includes(word), word);
  }
  ok(known.includes("idmap"));
});
