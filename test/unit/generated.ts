/** Config.json after config.json, each with some of what it may have and without the rest; the same ones in every run. */

import { parseSpec } from "../../src/spec/parse.ts";
import type { Spec } from "../../src/spec/spec.ts";
import { random } from "../support/random.ts";
import { BUNDLE, type Json, type JsonObject } from "./spec/example.ts";

type Dice = ReturnType<typeof random>;

/** `count` specs. */
export function generatedSpecs(count: number): Spec[] {
  const dice = random(3);
  return Array.from({ length: count }, () => parseSpec(JSON.stringify(configOf(dice)), BUNDLE));
}

function often(dice: Dice): boolean {
  return dice.below(2) === 0;
}

/** Some of `list`, in its order. */
function someOf<T>(dice: Dice, list: readonly T[]): T[] {
  return list.filter(() => often(dice));
}

function configOf(dice: Dice): JsonObject {
  const types = ["mount", ...someOf(dice, ["pid", "network", "ipc", "uts", "cgroup", "user"])];
  const joined = types.filter((type) => type !== "mount" && dice.below(4) === 0);
  const namespaces = types.map((type): JsonObject =>
    joined.includes(type) ? { type, path: `/run/ns/${type}` } : { type },
  );
  const config: JsonObject = {
    ociVersion: "1.3.0",
    process: processOf(dice),
    root: { path: "rootfs", readonly: often(dice) },
    mounts: mountsOf(dice),
    linux: { namespaces, ...linuxOf(dice, types), ...mappingsOf(types, joined) },
  };
  if (types.includes("uts") && often(dice)) Object.assign(config, { hostname: "box", domainname: "example.org" });
  if (often(dice)) config["hooks"] = hooksOf(dice);
  return config;
}

const CAPABILITIES = ["CAP_CHOWN", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_NET_RAW"];

function processOf(dice: Dice): JsonObject {
  const bounding = someOf(dice, CAPABILITIES);
  const permitted = someOf(dice, bounding);
  return {
    args: ["sh"],
    cwd: dice.pick(["/", "/srv/www"]),
    terminal: often(dice),
    user: { uid: dice.pick([0, 1000]), gid: dice.pick([0, 1000]), additionalGids: someOf(dice, [0, 10]) },
    noNewPrivileges: often(dice),
    capabilities: { bounding, permitted, effective: someOf(dice, permitted), inheritable: someOf(dice, bounding) },
    rlimits: someOf(dice, ["RLIMIT_NOFILE", "RLIMIT_CORE"]).map((type) => ({ type, soft: 1, hard: 2 })),
    oomScoreAdj: 5,
  };
}

function mountsOf(dice: Dice): Json[] {
  const mounts: JsonObject[] = [
    { destination: "/dev", type: "tmpfs", options: ["mode=755", ...someOf(dice, ["ro"])] },
    { destination: "/proc", type: "proc" },
    { destination: "/sys", type: "sysfs", options: ["ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", options: ["ro"] },
    { destination: "/data", source: "/srv/data", options: ["rbind", "rprivate", ...someOf(dice, ["ro", "nosuid"])] },
    { destination: "/tmp", type: "tmpfs", options: ["tmpcopyup", ...someOf(dice, ["ro", "rnoexec"])] },
  ];
  // Always, since any process may want a terminal.
  return [...someOf(dice, mounts), { destination: "/dev/pts", type: "devpts", options: ["newinstance"] }];
}

function linuxOf(dice: Dice, types: readonly string[]): JsonObject {
  const linux: JsonObject = {
    cgroupsPath: dice.pick(["/a/b", "relative", ""]),
    rootfsPropagation: dice.pick(["", "private", "rshared", "slave", "unbindable"]),
    maskedPaths: someOf(dice, ["/proc/kcore", "/sys/firmware"]),
    readonlyPaths: someOf(dice, ["/proc/sys", "/proc/bus"]),
    devices: someOf(dice, [
      { path: "/dev/fuse", type: "c", major: 10, minor: 229 },
      { path: "/run/pipe", type: "p", uid: 5, gid: 6 },
    ]),
    resources: {
      memory: { limit: 1 << 20 },
      pids: { limit: 5 },
      unified: { "memory.high": "4096" },
      devices: someOf(dice, [
        { allow: false, access: "rwm" },
        { allow: true, type: "c", major: 1, minor: 3, access: "r" },
      ]),
    },
  };
  if (types.includes("network") && often(dice)) linux["sysctl"] = { "net.ipv4.ip_forward": "1" };
  if (often(dice)) linux["seccomp"] = seccompOf(dice);
  return linux;
}

function seccompOf(dice: Dice): JsonObject {
  const args = [{ index: 0, value: 5, valueTwo: 1, op: dice.pick(["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"]) }];
  return {
    defaultAction: dice.pick(["SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", "SCMP_ACT_KILL_PROCESS"]),
    architectures: someOf(dice, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]),
    syscalls: [
      { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
      { names: ["clone"], action: "SCMP_ACT_LOG", args },
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
    ],
  };
}

function mappingsOf(types: readonly string[], joined: readonly string[]): JsonObject {
  if (!types.includes("user") || joined.includes("user")) return {};
  const mapping = [{ containerID: 0, hostID: 100000, size: 65536 }];
  return { uidMappings: mapping, gidMappings: mapping };
}

function hooksOf(dice: Dice): JsonObject {
  const stages = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
  return Object.fromEntries(
    someOf(dice, stages).map((stage): [string, Json] => [
      stage,
      [{ path: "/bin/hook", args: ["hook", stage], timeout: 3 }],
    ]),
  );
}
