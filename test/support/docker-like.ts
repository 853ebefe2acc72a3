/** What docker asks for beyond the base: its seccomp profile, devices, limits, sysctls, and three files of the container's own. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, Seccomp } from "./config.ts";
import { DOCKER_PROFILE } from "./docker-profile.ts";

/** The three files are made in `folder`. */
export function dockerLike(config: Config, folder: string): void {
  const { process, mounts, linux } = config;
  process.env.push("HOSTNAME=box", "HOME=/root");
  process.user.additionalGids = [0, 10];
  process.rlimits = [
    { type: "RLIMIT_NOFILE", soft: 16_384, hard: 16_384 },
    { type: "RLIMIT_NPROC", soft: 65_536, hard: 65_536 },
  ];
  process.oomScoreAdj = 0;
  mkdirSync(folder, { recursive: true });
  for (const name of ["resolv.conf", "hostname", "hosts"]) {
    const source = join(folder, name);
    writeFileSync(source, `# ${name}\n`);
    mounts.push({ destination: `/etc/${name}`, type: "bind", source, options: ["rbind", "rprivate"] });
  }
  linux.sysctl = { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" };
  linux.maskedPaths.push("/proc/interrupts", "/proc/scsi", "/proc/latency_stats", "/sys/devices/virtual/powercap");
  linux.resources.devices.push(
    ...DEVICES.map(([major, minor, access]) => ({ allow: true, type: "c", major, minor, access })),
  );
  linux.seccomp = structuredClone(DOCKER_PROFILE) as Seccomp;
}

/** console, tty, null, zero, full, random, urandom. */
const DEVICES: readonly (readonly [number, number, string])[] = [
  [5, 1, "rwm"],
  [5, 0, "rwm"],
  [1, 3, "rwm"],
  [1, 5, "rwm"],
  [1, 7, "rwm"],
  [1, 8, "rwm"],
  [1, 9, "rwm"],
];
