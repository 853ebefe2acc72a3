import assert from "node:assert/strict";
import { chownSync, readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "../support/box.ts";
import type { Box } from "../support/box.ts";
import { namespace, ownUsers, unmounted } from "../support/config.ts";
import type { Config } from "../support/config.ts";
import { succeeded } from "../support/box.ts";

/** The types of config.json by their names in /proc/PID/ns. */
const FILES = { pid: "pid", network: "net", ipc: "ipc", uts: "uts", mount: "mnt", cgroup: "cgroup" };

function inside(box: Box, file: string, tweak?: (config: Config) => void): string {
  return box.prints(["sh", "-c", `readlink /proc/self/ns/${file}`], tweak).trim();
}

for (const [type, file] of Object.entries(FILES)) {
  test(`a ${type} namespace that is listed is new`, [], (box) => {
    assert.notEqual(inside(box, file), readlinkSync(`/proc/self/ns/${file}`));
  });
}

for (const type of ["pid", "network", "ipc", "uts", "cgroup"] as const) {
  test(`a ${type} namespace that is not listed is the host's`, [], (box) => {
    const found = inside(box, FILES[type], (config) => {
      namespace(config, type);
      if (type === "uts") delete config.hostname;
      if (type === "network") unmounted(config, "/sys");
      if (type === "ipc") unmounted(config, "/dev/mqueue");
    });
    assert.equal(found, readlinkSync(`/proc/self/ns/${FILES[type]}`));
  });

  test(`a ${type} namespace is joined by its path`, [], (box) => {
    const first = box.started(["sleep", "1000"]);
    const path = `/proc/${box.state(first.id).pid}/ns/${FILES[type]}`;
    const second = box.started(["sleep", "1000"], (config) => {
      namespace(config, type, path);
      if (type === "uts") delete config.hostname;
    });
    assert.equal(readlinkSync(`/proc/${box.state(second.id).pid}/ns/${FILES[type]}`), readlinkSync(path));
  });
}

test("containers that share network, ipc and uts are a pod", [], (box) => {
  const infra = box.started(["sleep", "1000"], (config) => (config.hostname = "pod"));
  const ns = `/proc/${box.state(infra.id).pid}/ns`;
  const printed = box.prints("hostname; readlink /proc/self/ns/net", (config) => {
    delete config.hostname;
    for (const [type, file] of [
      ["network", "net"],
      ["ipc", "ipc"],
      ["uts", "uts"],
    ] as const) {
      namespace(config, type, join(ns, file));
    }
  });
  assert.equal(printed, `pod\n${readlinkSync(join(ns, "net"))}\n`);
});

test("a container in another one's pid namespace sees its processes, and is not pid 1", [], (box) => {
  const first = box.started(["sleep", "1000"]);
  const path = `/proc/${box.state(first.id).pid}/ns/pid`;
  const printed = box.prints("echo $$; cat /proc/1/cmdline", (config) => namespace(config, "pid", path));
  const [pid, ...rest] = printed.split("\n");
  assert.ok(Number(pid) > 1, pid);
  assert.equal(rest.join(), "sleep\x001000\0");
});

test("a namespace path that does not exist, or is of another type, is refused", [], (box) => {
  const uts = "/proc/self/ns/uts";
  for (const [type, path] of [
    ["network", "/no/such/ns"],
    ["network", "/etc/passwd"],
    ["network", uts],
  ] as const) {
    assert.equal(box.run("true", (config) => namespace(config, type, path)).status, 1, path);
    assert.deepEqual(box.settled(), []);
  }
});

test("a namespace type that is unknown, or stands there twice, is refused", [], (box) => {
  assert.equal(box.run("true", ({ linux }) => void linux.namespaces.push({ type: "soul" })).status, 1);
  assert.equal(box.run("true", ({ linux }) => void linux.namespaces.push({ type: "pid" })).status, 1);
});

test("a hostname is refused where the uts namespace is the host's", [], (box) => {
  assert.equal(box.run("true", (config) => namespace(config, "uts")).status, 1);
});

function hostNamespace(file: string): string {
  return `/proc/${process.pid}/ns/${file}`;
}

/** Of the host, so that nothing changes should it be written. */
function kernelValue(file: string): string {
  return readFileSync(`/proc/sys/${file}`, "utf8").trim();
}

test(
  "a path that turns out to be the host's own namespace is refused where the host would change",
  ["tsrun"],
  (box) => {
    const cases: [said: string, tweak: (config: Config) => void][] = [
      [
        "linux.sysctl",
        (config) => {
          namespace(config, "network", hostNamespace("net"));
          unmounted(config, "/sys");
          config.linux.sysctl = { "net.ipv4.ip_forward": kernelValue("net/ipv4/ip_forward") };
        },
      ],
      [
        "linux.sysctl",
        (config) => {
          namespace(config, "ipc", hostNamespace("ipc"));
          unmounted(config, "/dev/mqueue");
          config.linux.sysctl = { "kernel/msgmax": kernelValue("kernel/msgmax") };
        },
      ],
      [
        "hostname",
        (config) => {
          namespace(config, "uts", hostNamespace("uts"));
          config.hostname = hostname();
        },
      ],
      [
        "domainname",
        (config) => {
          namespace(config, "uts", hostNamespace("uts"));
          delete config.hostname;
          config.domainname = kernelValue("kernel/domainname");
        },
      ],
    ];
    for (const [said, tweak] of cases) {
      const { status, stderr } = box.run("true", tweak);
      assert.equal(status, 1, said);
      assert.match(stderr, new RegExp(`${said}.* is not allowed in the \\w+ namespace of the host`));
      assert.deepEqual(box.settled(), []);
    }
  },
);

test("the host's own namespace may be joined where nothing of it changes", [], (box) => {
  const own = hostNamespace("uts");
  const printed = box.prints("readlink /proc/self/ns/uts", (config) => {
    namespace(config, "uts", own);
    delete config.hostname;
  });
  assert.equal(printed, `${readlinkSync(own)}\n`);
});

test("the loopback device of a new network namespace is up", [], (box) => {
  assert.match(
    box.prints("cat /sys/class/net/lo/flags; ping -c 1 -w 2 127.0.0.1 >/dev/null && echo pong"),
    /0x9\npong/,
  );
});

test("in a new cgroup namespace the container's cgroup is /", [], (box) => {
  assert.match(box.prints("cat /proc/self/cgroup"), /^0::\/$/m);
  const shared = box.prints("cat /proc/self/cgroup", (config) => namespace(config, "cgroup"));
  assert.match(shared, new RegExp(`^0::.*${box.mark}`, "m"));
});

// With a user namespace

function bundleOfUsers(
  box: Box,
  program: string | string[],
  tweak: (config: Config) => void = () => undefined,
): string {
  const bundle = box.bundle(program, (config) => {
    ownUsers(config);
    tweak(config);
  });
  for (const folder of ["", "root", "tmp", "etc"]) chownSync(join(bundle, "rootfs", folder), 100_000, 100_000);
  return bundle;
}

function printsAsUsers(box: Box, program: string, tweak?: (config: Config) => void): string {
  const bundle = bundleOfUsers(box, program, tweak);
  return succeeded(["run"], box.tsrun(["run", "--bundle", bundle, box.id()])).stdout;
}

const USERNS = ["userns"] as const;

test("in a user namespace the mappings are those of config.json, and root is another user outside", USERNS, (box) => {
  const printed = printsAsUsers(box, "cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g");
  assert.deepEqual(printed.split(/\s+/).filter(Boolean), ["0", "100000", "65536", "0", "100000", "65536", "0", "0"]);
});

test("several mappings are written as they stand", USERNS, (box) => {
  const printed = printsAsUsers(box, "cat /proc/self/uid_map", ({ linux }) => {
    linux.uidMappings = [
      { containerID: 0, hostID: 100_000, size: 10 },
      { containerID: 10, hostID: 200_000, size: 5 },
    ];
  });
  assert.deepEqual(printed.split(/\s+/).filter(Boolean), ["0", "100000", "10", "10", "200000", "5"]);
});

test("in a user namespace the process has its capabilities, files and limits, mounts and devices", USERNS, (box) => {
  const printed = printsAsUsers(
    box,
    `
    grep CapEff /proc/self/status; echo x > /made; stat -c %u /made; ls /dev/null /dev/pts/ptmx
    echo y > /dev/null; cat /sys/kernel/mm/transparent_hugepage/enabled > /dev/null; hostname`,
  );
  assert.equal(printed, "CapEff:\t00000000a80425fb\n0\n/dev/null\n/dev/pts/ptmx\nbox\n");
});

test("in a user namespace the process runs as the user of config.json, with its groups", USERNS, (box) => {
  const printed = printsAsUsers(box, "id -u; id -g; grep Groups /proc/self/status", ({ process }) => {
    process.user = { uid: 1000, gid: 1000, additionalGids: [5] };
  });
  assert.match(printed, /^1000\n1000\nGroups:\s*5 ?(1000 ?)?\n$/);
});

test("exec enters the user namespace", USERNS, (box) => {
  const bundle = bundleOfUsers(box, ["sleep", "1000"]);
  const id = box.id();
  succeeded(["create"], box.tsrun(["create", "--bundle", bundle, id], { output: box.path("create") }));
  box.ok("start", id);
  const { stdout, stderr } = box.exec(id, "id -u; cat /proc/self/uid_map; grep CapEff /proc/self/status");
  assert.match(stdout, /^0\n\s+0\s+100000\s+65536\nCapEff:\t00000000a80425fb\n$/, stderr);
});

test("a user namespace is joined by its path", USERNS, (box) => {
  const bundle = bundleOfUsers(box, ["sleep", "1000"]);
  const id = box.id();
  succeeded(["create"], box.tsrun(["create", "--bundle", bundle, id], { output: box.path("create") }));
  const path = `/proc/${box.state(id).pid}/ns/user`;
  const printed = printsAsUsers(box, "readlink /proc/self/ns/user; id -u", (config) => namespace(config, "user", path));
  assert.equal(printed, `${readlinkSync(path)}\n0\n`);
});

test("a new user namespace without mappings is refused", USERNS, (box) => {
  assert.equal(box.run("true", ({ linux }) => void linux.namespaces.push({ type: "user" })).status, 1);
  assert.deepEqual(box.settled(), []);
});
