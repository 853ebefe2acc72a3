import { features, SECCOMP } from "../../../src/commands/features.ts";
import { parseSpec } from "../../../src/spec/parse.ts";
import { equal, ok, test, throws } from "../../support/unit.ts";

/** A config.json with this linux.seccomp. */
function parseWith(seccomp: object): void {
  parseSpec(
    JSON.stringify({
      ociVersion: "1.3.0",
      process: { args: ["x"], cwd: "/" },
      root: { path: "r" },
      linux: { namespaces: [{ type: "mount" }], seccomp },
    }),
    "/bundle",
  );
}

test("every seccomp action, operator, architecture and flag that is offered can be used", () => {
  for (const defaultAction of SECCOMP.actions) parseWith({ defaultAction });
  for (const op of SECCOMP.operators) {
    parseWith({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["read"], action: "SCMP_ACT_ERRNO", args: [{ index: 0, value: 1, op }] }],
    });
  }
  parseWith({ defaultAction: "SCMP_ACT_ALLOW", architectures: SECCOMP.archs, flags: SECCOMP.knownFlags });
  ok(SECCOMP.supportedFlags.every((flag) => SECCOMP.knownFlags.includes(flag)));
});

test("what is not offered is refused", () => {
  throws(() => parseWith({ defaultAction: "SCMP_ACT_NOTIFY" }), "SCMP_ACT_NOTIFY");
  ok(!SECCOMP.actions.includes("SCMP_ACT_NOTIFY"));
});

test("features has every key that CRI-O, containerd and dockerd read, and is JSON as it stands", () => {
  const told = JSON.parse(JSON.stringify(features())) as Record<string, Record<string, unknown>>;
  for (const key of ["ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations"])
    ok(key in told, key);
  ok((told["mountOptions"] as unknown as string[]).includes("rro"));
  equal(JSON.stringify(told["linux"]?.["namespaces"]), '["cgroup","ipc","mount","network","pid","user","uts"]');
  equal(
    JSON.stringify(told["linux"]?.["cgroup"]),
    '{"v1":false,"v2":true,"systemd":false,"systemdUser":false,"rdma":true}',
  );
});
