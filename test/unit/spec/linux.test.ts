import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";
import { config, inner, parse, parseWith, refuses } from "./example.ts";
import type { Json, JsonObject } from "./example.ts";

const OWN: JsonObject[] = [{ type: "mount" }, { type: "user" }];
const MAPPING = { containerID: 0, hostID: 1000, size: 10 };

/** A config with a user namespace of its own. */
function mapped(uids: Json, gids: Json = [MAPPING], user: Json = {}): JsonObject {
  const whole = config("process.user", user);
  whole["linux"] = { namespaces: OWN, uidMappings: uids, gidMappings: gids };
  return whole;
}

test("namespaces are made new, or joined where they have a path", () => {
  const { namespaces } = parseWith("linux.namespaces", [{ type: "mount" }, { type: "network", path: "/run/netns//a" }]);
  deepEqual(namespaces, [
    { type: "mount", path: undefined },
    { type: "network", path: "/run/netns/a" },
  ]);
});

test("a namespace is known, has an absolute path, and occurs once", () => {
  refuses(
    "linux.namespaces",
    [{ type: "mount" }, { type: "net" }],
    "linux.namespaces[1].type must be one of pid, network, mount",
  );
  refuses(
    "linux.namespaces",
    [{ type: "mount" }, { type: "mount" }],
    'linux.namespaces[1].type must not occur twice: "mount"',
  );
  refuses("linux.namespaces", [{ type: "pid", path: "ns/pid" }], "linux.namespaces[0].path must be an absolute path");
  refuses("linux.namespaces", [{}], "linux.namespaces[0].type is required");
  refuses("linux.namespaces", [{ type: "mount" }, { type: "time" }], '"time" is not supported yet');
});

test("a container without mounts of its own is refused", () => {
  refuses("linux.namespaces", [{ type: "pid" }], 'linux.namespaces must have one of type "mount"');
  refuses(
    "linux.namespaces",
    [{ type: "mount", path: "/proc/1/ns/mnt" }],
    'linux.namespaces must have one of type "mount"',
  );
  refuses("linux", undefined, 'linux.namespaces must have one of type "mount"');
});

test("names of the host need a uts namespace", () => {
  const whole = config("linux.namespaces", [{ type: "mount" }]);
  for (const key of ["hostname", "domainname"]) {
    throws(() => parse({ ...whole, [key]: "box" }), `${key} needs a namespace of type "uts"`);
  }
  equal(parse({ ...whole, hostname: "" }).hostname, undefined);
  equal(parseWith("hostname", "box").hostname, "box");
});

test("names of the host have at most 64 bytes", () => {
  parseWith("hostname", "x".repeat(64));
  refuses("hostname", "x".repeat(65), "hostname must not be longer than 64 bytes");
  refuses("domainname", "é".repeat(33), "domainname must not be longer than 64 bytes");
});

test("a user namespace has mappings, and mappings have a user namespace", () => {
  deepEqual(parse(mapped([MAPPING])).userNamespace, { uidMappings: [MAPPING], gidMappings: [MAPPING] });
  refuses("linux.uidMappings", [MAPPING], 'linux.uidMappings needs a namespace of type "user"');
  refuses("linux.namespaces", OWN, "linux.uidMappings must map the id 0");
  equal(parseWith("linux.uidMappings", []).userNamespace, undefined);
});

test("a user namespace that is joined has its own mappings", () => {
  const whole = config("linux.namespaces", [{ type: "mount" }, { type: "user", path: "/proc/9/ns/user" }]);
  equal(parse(whole).userNamespace, undefined);
  inner(whole, "linux")["uidMappings"] = [MAPPING];
  const spec = parse(whole);
  equal(spec.userNamespace, undefined);
  ok(spec.warnings?.[0]?.startsWith("linux.uidMappings and gidMappings are ignored") === true);
});

test("mappings are whole, do not overlap, and end where ids end", () => {
  const bad = (mapping: Json[], message: string): void => throws(() => parse(mapped(mapping)), message);
  bad([{ containerID: 0, hostID: 0 }], "linux.uidMappings[0].size is required");
  bad([{ ...MAPPING, size: 0 }], "linux.uidMappings[0].size must be at least 1");
  bad([{ ...MAPPING, size: 4294967295 }], "linux.uidMappings[0].size must not reach beyond the id 4294967294");
  bad([{ containerID: 0, hostID: 1, size: 4294967295 }], "linux.uidMappings[0].size must not reach beyond");
  bad([MAPPING, { containerID: 9, hostID: 5000, size: 1 }], "linux.uidMappings[1] must not overlap");
  bad([MAPPING, { containerID: 10, hostID: 1009, size: 1 }], "linux.uidMappings[1] must not overlap");
  bad([{ ...MAPPING, containerID: 1 }], "linux.uidMappings must map the id 0");
  parse(mapped([{ containerID: 0, hostID: 0, size: 4294967295 }]));
});

test("the user of the process must be mapped", () => {
  const bad = (user: Json, message: string): void => throws(() => parse(mapped([MAPPING], [MAPPING], user)), message);
  parse(mapped([MAPPING], [MAPPING], { uid: 9, gid: 9, additionalGids: [1] }));
  bad({ uid: 10 }, "process.user.uid must be an id that the mappings");
  bad({ gid: 10 }, "process.user.gid must be an id");
  bad({ additionalGids: [1, 10] }, "process.user.additionalGids[1] must be an id");
});

test("devices have numbers that the kernel has, and defaults where config.json is silent", () => {
  const device = { path: "/dev/./fuse", type: "c", major: 10, minor: 229 };
  deepEqual(parseWith("linux.devices", [device]).devices, [
    { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
  ]);
  deepEqual(parseWith("linux.devices", [{ path: "/p", type: "p", fileMode: 0o10600 }]).devices, [
    { path: "/p", type: "p", major: 0, minor: 0, fileMode: 0o600, uid: 0, gid: 0 },
  ]);
  equal(parseWith("linux.devices", [{ ...device, fileMode: 0o20640 }]).devices[0]?.fileMode, 0o640);
  refuses("linux.devices", [{ ...device, type: "d" }], "linux.devices[0].type must be c, b, u or p");
  refuses("linux.devices", [{ ...device, path: "dev/x" }], "linux.devices[0].path must be an absolute path");
  refuses("linux.devices", [{ ...device, path: "/dev/.." }], "linux.devices[0].path must be a path below the root");
  refuses("linux.devices", [{ ...device, major: 4096 }], "linux.devices[0].major must be an integer from 0 to 4095");
  refuses("linux.devices", [{ path: "/d", type: "b", major: 1 }], "linux.devices[0].minor is required");
});

/** A config that sets one sysctl and has, apart from the mount namespace, one namespace of `type`. */
function only(type: string, key: string, joined?: string): JsonObject {
  const whole = config("linux.sysctl", { [key]: "1" });
  const namespace: JsonObject = joined === undefined ? { type } : { type, path: joined };
  inner(whole, "linux")["namespaces"] = [{ type: "mount" }, namespace];
  return whole;
}

test("only sysctls of the container's own namespaces are set", () => {
  deepEqual(parseWith("linux.sysctl", { "net.ipv4.ip_forward": "1", "kernel/shmmax": "5" }).sysctl, [
    ["net.ipv4.ip_forward", "1"],
    ["kernel.shmmax", "5"],
  ]);
  parseWith("linux.sysctl", { "fs.mqueue.msg_max": "1", "kernel.domainname": "x" });
  refuses("linux.sysctl", { "kernel.panic": "1" }, 'linux.sysctl["kernel.panic"] is not separate for a container');
  refuses("linux.sysctl", { "vm.swappiness": "1" }, "is not separate for a container");
  refuses("linux.sysctl", { "kernel.hostname": "x" }, "set hostname");
  parse(only("ipc", "kernel.sem"));
  parse(only("network", "net.a", "/run/netns/a"));
  for (const whole of [only("pid", "kernel.sem"), only("pid", "net.a"), only("ipc", "kernel.domainname")]) {
    throws(() => parse(whole), "needs the namespace it belongs to");
  }
  throws(
    () => parse(only("network", "net.a", "/proc/1/ns/net")),
    "is not allowed in the network namespace of the host",
  );
});

test("a sysctl cannot leave its directory or bring a second value", () => {
  for (const key of ["net.//.kernel.core_pattern", "net/../kernel/panic", "net..x", "net.", ".net", "", "net/./x"]) {
    refuses("linux.sysctl", { [key]: "1" }, "must name a file below /proc/sys");
  }
  refuses("linux.sysctl", { "net.a": "1\nkernel.panic=1" }, 'linux.sysctl["net.a"] must be one line');
  refuses("linux.sysctl", { "net.a": 1 }, "must be a string");
});

test("a dot in the name of an interface is kept apart from the separators", () => {
  const { sysctl } = parseWith("linux.sysctl", {
    "net/ipv4/conf/eno2.100/forwarding": "1",
    "net.ipv4.conf.eno2/100.mtu": "2",
  });
  deepEqual(sysctl, [
    ["net/ipv4/conf/eno2.100/forwarding", "1"],
    ["net/ipv4/conf/eno2.100/mtu", "2"],
  ]);
});

test("masked and read-only paths are absolute and clean", () => {
  deepEqual(parseWith("linux.maskedPaths", ["/proc//kcore/", "/proc/kcore"]).maskedPaths, [
    "/proc/kcore",
    "/proc/kcore",
  ]);
  refuses("linux.maskedPaths", ["proc/kcore"], "linux.maskedPaths[0] must be an absolute path");
  refuses("linux.readonlyPaths", ["/a", "/"], "linux.readonlyPaths[1] must be a path below the root");
});

test("the propagation of the root is rslave unless config.json says otherwise, as for runc", () => {
  deepEqual(parseWith("linux.rootfsPropagation", undefined).rootfsPropagation, { type: "slave", recursive: true });
  deepEqual(parseWith("linux.rootfsPropagation", "shared").rootfsPropagation, { type: "shared", recursive: false });
  deepEqual(parseWith("linux.rootfsPropagation", "rprivate").rootfsPropagation, { type: "private", recursive: true });
  refuses("linux.rootfsPropagation", "ro", "linux.rootfsPropagation must be private, shared, slave or unbindable");
});

test("the path of the cgroup is kept as it stands", () => {
  equal(parseWith("linux.cgroupsPath", "system.slice:docker:1").cgroup.path, "system.slice:docker:1");
  equal(parseWith("linux.cgroupsPath", "").cgroup.path, undefined);
});

test("what is not done is refused by name, and an empty value asks for nothing", () => {
  const asks: Record<string, Json> = {
    timeOffsets: { monotonic: { secs: 1 } },
    intelRdt: { closID: "a" },
    personality: { domain: "LINUX32" },
    memoryPolicy: { mode: "MPOL_BIND" },
    netDevices: { eth0: {} },
    mountLabel: "system_u:object_r:x:s0",
  };
  for (const [key, value] of Object.entries(asks)) {
    refuses(`linux.${key}`, value, `linux.${key} is not supported yet`);
    parseWith(`linux.${key}`, typeof value === "string" ? "" : {});
    parseWith(`linux.${key}`, null);
  }
});
