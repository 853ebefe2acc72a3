import { compileSeccomp, unknownNames } from "../../../src/mechanisms/seccomp-compile.ts";
import { defaultSeccomp, type RawSeccomp } from "../../../src/mechanisms/seccomp-default.ts";
import { decode, run } from "../../support/bpf-interpreter.ts";
import { DOCKER_PROFILE } from "../../support/docker-profile.ts";
import { toSeccomp } from "../../support/raw-seccomp.ts";
import { ARCH, X32_BIT } from "../../support/seccomp-reference.ts";
import { deepEqual, equal, test } from "../../support/unit.ts";

const ALLOW = 0x7fff0000;
const EPERM = 0x50001;
const ENOSYS = 0x50026;
/** What engines give a container; of these only CAP_SYS_CHROOT makes a difference to the profile. */
const USUAL = ["CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_KILL"];
const NUMBERS = {
  mount: 165,
  chroot: 161,
  clone: 56,
  clone3: 435,
  socket: 41,
  keyctl: 250,
  add_key: 248,
  request_key: 249,
  personality: 135,
  bpf: 321,
  open_by_handle_at: 304,
  syslog: 103,
  ptrace: 101,
};

function profile(bounding: readonly string[], arch: "x86_64" | "aarch64"): RawSeccomp {
  return JSON.parse(defaultSeccomp(bounding, arch)) as RawSeccomp;
}

function filter(bounding: readonly string[]): (name: keyof typeof NUMBERS, first?: bigint) => number {
  const program = decode(compileSeccomp(toSeccomp(profile(bounding, "x86_64")), "x86_64"));
  return (name, first = 0n) => run(program, { arch: ARCH.x86_64, nr: NUMBERS[name], args: [first] }).answer;
}

test("every call is decided as by the profile of an engine, but for families of sockets", () => {
  const [ours, theirs] = [toSeccomp(profile(USUAL, "x86_64")), toSeccomp(DOCKER_PROFILE)].map((seccomp) =>
    decode(compileSeccomp(seccomp, "x86_64")),
  );
  if (ours === undefined || theirs === undefined) throw new Error("unreachable");
  for (const [arch, base, socket] of [
    [ARCH.x86_64, 0, 41],
    [ARCH.i386, 0, 359],
    [ARCH.x86_64, X32_BIT, 41],
  ] as const) {
    for (let nr = base; nr < base + 600; nr++) {
      const firsts = [0n, 1n, 8n, 38n, 40n, 0x20000000n, 2n ** 32n, 2n ** 64n - 1n];
      for (const first of firsts.filter((value) => nr !== base + socket || value <= 100n)) {
        const call = { arch, nr, args: [first, 0n, 0n, 0n, 0n, 0n] };
        equal(run(ours, call).answer, run(theirs, call).answer, `${arch.toString(16)} ${nr} ${first}`);
      }
    }
  }
});

test("all names are system calls", () => {
  const everything = [
    "CAP_BPF",
    "CAP_DAC_READ_SEARCH",
    "CAP_PERFMON",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
  ];
  deepEqual(unknownNames(toSeccomp(profile(everything, "x86_64"))), []);
  deepEqual(unknownNames(toSeccomp(profile(everything, "aarch64"))), []);
});

test("keys are out of reach, whatever the capabilities", () => {
  for (const bounding of [USUAL, ["CAP_SYS_ADMIN"]]) {
    const answer = filter(bounding);
    deepEqual([answer("keyctl"), answer("add_key"), answer("request_key")], [EPERM, EPERM, EPERM]);
  }
});

test("namespaces can be made with CAP_SYS_ADMIN only", () => {
  const plain = filter([]);
  equal(plain("clone", 0x11n), ALLOW);
  for (const flag of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n])
    equal(plain("clone", flag | 0x11n), EPERM);
  equal(plain("clone3"), ENOSYS);
  equal(plain("mount"), EPERM);
  const admin = filter(["CAP_SYS_ADMIN"]);
  deepEqual([admin("clone", 0x10000000n), admin("clone3"), admin("mount")], [ALLOW, ALLOW, ALLOW]);
});

test("a capability brings the calls that need it", () => {
  for (const [capability, name] of [
    ["CAP_SYS_CHROOT", "chroot"],
    ["CAP_BPF", "bpf"],
    ["CAP_DAC_READ_SEARCH", "open_by_handle_at"],
    ["CAP_SYSLOG", "syslog"],
  ] as const) {
    equal(filter([])(name), EPERM, name);
    equal(filter([capability])(name), ALLOW, name);
  }
});

test("a socket may be of every family that the kernel has but AF_ALG and AF_VSOCK", () => {
  const answer = filter(USUAL);
  for (const family of [1n, 2n, 10n, 16n, 17n, 39n, 45n]) equal(answer("socket", family), ALLOW, String(family));
  for (const family of [12n, 37n, 38n, 40n, 46n, 2n ** 32n + 1n])
    equal(answer("socket", family), EPERM, String(family));
});

test("personality takes the five usual values", () => {
  const answer = filter(USUAL);
  for (const value of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn]) equal(answer("personality", value), ALLOW);
  for (const value of [1n, 0x40000n, 0x800000n])
    equal(answer("personality", value), EPERM, "ADDR_NO_RANDOMIZE and others");
});

test("each machine has its own and its 32-bit ABIs", () => {
  deepEqual(profile([], "x86_64").architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  deepEqual(profile([], "aarch64").architectures, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
  const program = decode(compileSeccomp(toSeccomp(profile([], "aarch64")), "aarch64"));
  const call = (arch: number, nr: number) => run(program, { arch, nr, args: [] }).answer;
  deepEqual(
    [call(ARCH.aarch64, 63), call(ARCH.arm, 3), call(ARCH.arm, 983045), call(ARCH.aarch64, 219)],
    [ALLOW, ALLOW, ALLOW, EPERM],
  );
});
