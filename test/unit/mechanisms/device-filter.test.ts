import { compileDeviceFilter, DEFAULT_DEVICE_RULES } from "../../../src/mechanisms/device-filter-compile.ts";
import type { DeviceRule } from "../../../src/spec/spec.ts";
import { type DeviceRequest, runDeviceFilter } from "../../support/ebpf-interpreter.ts";
import { random } from "../../support/random.ts";
import { deepEqual, equal, ok, test } from "../../support/unit.ts";

const MKNOD = 1;
const READ = 2;
const WRITE = 4;

/** A rule as devices.allow of cgroup v1 writes it: "c 1:3 rwm". */
function rule(text: string, allow = true): DeviceRule {
  const [type = "", numbers = "", access = ""] = text.split(" ");
  const [major, minor] = numbers.split(":").map((part) => (part === "*" ? undefined : Number(part)));
  return {
    allow,
    type: type as DeviceRule["type"],
    major,
    minor,
    read: access.includes("r"),
    write: access.includes("w"),
    mknod: access.includes("m"),
  };
}

const deny = (text: string) => rule(text, false);

function ask(
  rules: readonly DeviceRule[],
  device: string,
  access: number,
  defaults: readonly DeviceRule[] = [],
): boolean {
  const { type, major = 0, minor = 0 } = rule(`${device} `);
  return (
    runDeviceFilter(compileDeviceFilter(rules, defaults), { type: type === "b" ? "b" : "c", major, minor, access }) ===
    1
  );
}

/** The rules read from the end, for each access by itself. */
function wanted(rules: readonly DeviceRule[], request: DeviceRequest): boolean {
  return [MKNOD, READ, WRITE]
    .filter((bit) => (request.access & bit) !== 0)
    .every((bit) => {
      const last = rules.findLast(
        (one) => speaksOf(one, request) && (one.allow || one.type !== "a" ? has(one, bit) : true),
      );
      return last?.allow ?? false;
    });
}

function speaksOf({ allow, type, major, minor }: DeviceRule, request: DeviceRequest): boolean {
  if (type === "a" && !allow) return true; // forgets everything before
  return (
    (type === "a" || type === request.type) &&
    (major ?? request.major) === request.major &&
    (minor ?? request.minor) === request.minor
  );
}

function has({ read, write, mknod }: DeviceRule, bit: number): boolean {
  return bit === MKNOD ? mknod : bit === READ ? read : write;
}

test("without rules everything is denied", () => {
  equal(ask([], "c 1:3", READ), false);
  equal(ask([], "b 8:0", READ), false);
  equal(compileDeviceFilter([], []).length, 16);
});

test("without rules in config.json what every container may use is allowed, and nothing else", () => {
  const devices = ["c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:2", "c 136:0", "c 136:77"];
  for (const device of devices) ok(ask([], device, READ | WRITE, DEFAULT_DEVICE_RULES), device);
  for (const device of ["c 1:1", "c 1:2", "c 1:11", "c 5:1", "c 10:200", "c 10:229", "b 8:0", "b 1:3", "b 136:0"]) {
    ok(!ask([], device, READ, DEFAULT_DEVICE_RULES), device);
    ok(ask([], device, MKNOD, DEFAULT_DEVICE_RULES), `mknod ${device}`);
  }
});

test("a rule allows what it lists, and an open for both needs both", () => {
  const rules = [rule("b 8:1 r")];
  deepEqual(
    [READ, WRITE, READ | WRITE, MKNOD].map((access) => ask(rules, "b 8:1", access)),
    [true, false, false, false],
  );
  equal(ask(rules, "b 8:2", READ), false);
  equal(ask([...rules, rule("b 8:* w")], "b 8:1", READ | WRITE), true);
});

test("later rules win", () => {
  equal(ask([rule("c 1:3 rw"), deny("c 1:3 rwm")], "c 1:3", READ), false);
  equal(ask([deny("c 1:3 rwm"), rule("c 1:3 rw")], "c 1:3", READ), true);
  const hole = [rule("c 1:* rwm"), deny("c 1:3 w")];
  deepEqual(
    [READ, WRITE, READ | WRITE].map((access) => ask(hole, "c 1:3", access)),
    [true, false, false],
  );
  equal(ask(hole, "c 1:5", READ | WRITE), true);
});

test("a rule for all devices forgets the rules before it", () => {
  equal(ask([rule("c 1:3 rwm"), deny("a *:* rwm")], "c 1:3", READ), false);
  equal(ask([deny("c 1:3 rwm"), rule("a *:* rwm")], "c 1:3", READ), true);
  equal(ask([rule("a *:* rwm"), deny("b 8:0 w")], "b 8:0", READ | WRITE), false);
  equal(compileDeviceFilter([rule("a *:* rwm")]).length, 16, "a privileged container");
});

test("a rule for all types keeps to its numbers and accesses", () => {
  const rules = [rule("a 1:3 r")];
  deepEqual(
    [ask(rules, "c 1:3", READ), ask(rules, "b 1:3", READ), ask(rules, "c 1:3", WRITE), ask(rules, "c 1:5", READ)],
    [true, true, false, false],
  );
});

test("an engine's usual rules add nothing to the defaults", () => {
  const rules = [
    deny("a *:* rwm"),
    rule("c 1:5 rwm"),
    rule("c 1:3 rwm"),
    rule("c 1:9 rwm"),
    rule("c 1:8 rwm"),
    rule("c 5:0 rwm"),
    deny("c 10:229 rwm"),
  ];
  deepEqual([...compileDeviceFilter(rules)], [...compileDeviceFilter([])]);
});

test("the program for the defaults stays short", () => {
  ok(compileDeviceFilter([]).length / 8 <= 32, `${compileDeviceFilter([]).length / 8} instructions`);
});

test("random rules decide as they say", () => {
  let cases = 0;
  for (let seed = 1; seed <= 400; seed++) cases += compareRandom(seed);
  ok(cases > 50_000, `${cases} cases`);
});

function compareRandom(seed: number): number {
  const { below, pick } = random(seed);
  const numbers = ["*", "0", "1", "3", "4095", "1048575"];
  const access = ["r", "w", "m", "rw", "rm", "wm", "rwm", "rwm", "rwm", ""];
  const rules = Array.from({ length: below(14) }, () => {
    const type = below(8) === 0 ? "a" : pick(["b", "c"]);
    return rule(`${type} ${pick(numbers)}:${pick(numbers)} ${pick(access)}`, below(3) > 0);
  });
  const defaults = below(2) === 0 ? DEFAULT_DEVICE_RULES : [];
  const program = compileDeviceFilter(rules, defaults);
  let cases = 0;
  for (const request of everyRequest()) {
    const answer = runDeviceFilter(program, request) === 1;
    const right = wanted([...rules, ...defaults], request);
    if (answer !== right) equal(answer, right, JSON.stringify({ seed, request, rules }));
    cases++;
  }
  return cases;
}

function* everyRequest(): Generator<DeviceRequest> {
  for (const type of ["b", "c"] as const) {
    for (const major of [0, 1, 2, 5, 4095, 0xffffffff]) {
      for (const minor of [0, 3, 7, 1048575])
        yield* [1, 2, 3, 4, 5, 6, 7].map((access) => ({ type, major, minor, access }));
    }
  }
}
