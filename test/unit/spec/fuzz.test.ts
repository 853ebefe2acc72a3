import { exampleConfig } from "../../../src/spec/defaults.ts";
import { SpecError } from "../../../src/spec/error.ts";
import { parseSpec } from "../../../src/spec/parse.ts";
import { ok, test } from "../../support/unit.ts";
import { copyOf, inner } from "./example.ts";
import type { JsonObject } from "./example.ts";
import { mutant, randomFrom } from "./mutate.ts";

/** Every part of a config.json that tsrun reads. */
function rich(): JsonObject {
  const whole = copyOf(exampleConfig());
  const linux = inner(whole, "linux");
  linux["resources"] = {
    memory: { limit: 1000, swap: 2000, reservation: 10 },
    cpu: { shares: 1024, quota: 10, period: 1000, cpus: "0-1" },
    pids: { limit: 10 },
    blockIO: { weight: 100, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] },
    hugepageLimits: [{ pageSize: "2MB", limit: 1 }],
    rdma: { mlx5: { hcaHandles: 1 } },
    unified: { "memory.high": "5" },
    devices: [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 1, minor: 3, access: "rw" },
    ],
  };
  linux["devices"] = [{ path: "/dev/fuse", type: "c", major: 10, minor: 229 }];
  linux["sysctl"] = { "net.ipv4.ip_forward": "1", "kernel.shmmax": "1" };
  linux["cgroupsPath"] = "/a/b";
  linux["rootfsPropagation"] = "slave";
  linux["seccomp"] = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
    architectures: ["SCMP_ARCH_X86_64"],
    flags: [],
    syscalls: [
      { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
      { names: ["clone"], action: "SCMP_ACT_ERRNO", errnoRet: 38, args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }] },
    ],
  };
  whole["hooks"] = { poststop: [{ path: "/bin/true", args: ["true"], env: ["A=1"], timeout: 1 }] };
  whole["annotations"] = { a: "b" };
  const bind = { destination: "/data", source: "data", options: ["rbind", "ro", "rprivate"] };
  if (Array.isArray(whole["mounts"])) whole["mounts"].push(bind);
  return whole;
}

/** What is wrong with how `text` is taken, or undefined: a Spec, or a SpecError of one short line. */
function complaint(text: string): string | undefined {
  try {
    parseSpec(text, "/bundle");
    return undefined;
  } catch (error) {
    if (!(error instanceof SpecError)) return `not a SpecError: ${String(error)}`;
    if (error.message.includes("\n") || error.message.includes("\0")) return "more than a line";
    return error.message.length > 4096 ? "longer than 4 KiB" : undefined;
  }
}

test("2,000 mutants of a config.json each give a Spec, or an error of one line", () => {
  const base = rich();
  ok(complaint(JSON.stringify(base)) === undefined);
  const random = randomFrom(20251124);
  let refused = 0;
  for (let count = 0; count < 2000; count++) {
    const text = mutant(base, random);
    const said = complaint(text);
    ok(said === undefined, `mutant ${count}: ${said}: ${text.slice(0, 2000)}`);
    refused += isRefused(text) ? 1 : 0;
  }
  ok(refused > 1000, `only ${refused} were refused: the mutants are too tame`);
});

function isRefused(text: string): boolean {
  try {
    parseSpec(text, "/bundle");
    return false;
  } catch {
    return true;
  }
}
