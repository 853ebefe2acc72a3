/** A story of a config.json on a host that is always the same, so that its text is too. */

import type { Facts } from "../../src/facts/facts.ts";
import { compileSeccomp } from "../../src/mechanisms/seccomp-compile.ts";
import type { Circumstances } from "../../src/explain/circumstances.ts";
import { parseSpec } from "../../src/spec/parse.ts";

const FACTS: Facts = {
  kernelRelease: "6.12.0",
  machine: "x86_64",
  euid: 0,
  cgroupMount: "/sys/fs/cgroup",
  ownCgroup: "/user.slice/session-1.scope",
  controllers: ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"],
};

/** Of `run` in the foreground without any option, but for what `changes` says. */
export function circumstances(config: string, changes: Partial<Circumstances> = {}): Circumstances {
  const spec = parseSpec(config, "/bundles/box");
  return {
    command: "run",
    root: "/run/tsrun",
    id: "box",
    spec,
    configPath: "/bundles/box/config.json",
    image: undefined,
    facts: FACTS,
    filter: spec.seccomp === undefined ? new Uint8Array() : compileSeccomp(spec.seccomp, "x86_64"),
    pivot: true,
    newKeyring: true,
    preserveFds: 0,
    detach: false,
    keep: false,
    subreaper: true,
    consoleSocket: undefined,
    pidfdSocket: undefined,
    pidFile: undefined,
    ...changes,
  };
}
