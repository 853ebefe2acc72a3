/** Two config.json: of a container as small as callers make them, and of one as docker makes them. */
import { defaultSeccomp } from "../../src/mechanisms/seccomp-default.ts";
import { exampleConfig } from "../../src/spec/defaults.ts";

const EXAMPLE = exampleConfig();

export const BARE = JSON.stringify({
  ...EXAMPLE,
  process: { ...EXAMPLE.process, terminal: false, args: ["true"] },
});

const CAPABILITIES = [
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE",
].flatMap((names) => names.split(" ").map((name) => `CAP_${name}`));

const DEVICES = ["1:3", "1:5", "1:8", "1:9", "5:0", "5:1"].map((numbers) => {
  const [major, minor] = numbers.split(":").map(Number);
  return { allow: true, access: "rwm", type: "c", major, minor };
});

const BINDS = ["resolv.conf", "hostname", "hosts"].map((name) => ({
  destination: `/etc/${name}`,
  type: "bind",
  source: `/bundle/${name}`,
  options: ["rbind", "rprivate"],
}));

/** As text with line breaks, as docker writes it not, and containerd's and podman's tools do. */
export const DOCKER_LIKE = JSON.stringify({
  ...EXAMPLE,
  process: {
    user: { uid: 0, gid: 0, additionalGids: [0, 10] },
    args: ["true"],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=a1b2c3d4e5f6", "HOME=/root"],
    cwd: "/",
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    rlimits: [{ type: "RLIMIT_NOFILE", hard: 16384, soft: 16384 }],
    noNewPrivileges: false,
    oomScoreAdj: 0,
  },
  root: { path: "rootfs", readonly: false },
  mounts: [...EXAMPLE.mounts, ...BINDS],
  annotations: { "org.example.name": "box" },
  linux: {
    ...EXAMPLE.linux,
    sysctl: { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" },
    resources: {
      devices: [{ allow: false, access: "rwm" }, ...DEVICES],
      memory: { limit: 512 << 20 },
      cpu: { shares: 512, quota: 50_000, period: 100_000 },
      pids: { limit: 100 },
    },
    cgroupsPath: "/engine/box",
    seccomp: JSON.parse(defaultSeccomp(CAPABILITIES, "x86_64")) as object,
  },
});
