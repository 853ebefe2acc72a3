/** What is never run costs no start: a program with a megabyte more of it touches the same memory. Builds such a program. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

const FOLDER = resolve("build/dead-weight");
const MADE = resolve("native/target/x86_64-unknown-linux-musl/release");
const MEGABYTE = 1 << 20;

/** More faults than this are no chance: the engine's tables of names are larger, and a name may be anywhere in them. */
const TOLERANCE = 8;

/** A module as large as is asked for, of functions that nobody calls. */
function deadModule(size: number): string {
  const functions: string[] = [];
  for (let length = 0, index = 0; length < size; index++) {
    const text = `  dead${index}(list, limit) {
    const kept${index} = list.filter((each) => each.size${index} > limit).map(({ name }) => \`\${name} of ${index}\`);
    if (kept${index}.length > ${index}) throw new Error("more than ${index}: " + kept${index}.join(", "));
    return { first: kept${index}[0], last: kept${index}.at(-1), count: kept${index}.length * ${index} };
  },
`;
    functions.push(text);
    length += text.length;
  }
  return `export const dead = {\n${functions.join("")}};\n`;
}

function call(command: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): void {
  execFileSync(command, args, { cwd, stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, ...env } });
}

/** Builds the program with the dead module, as scripts/build does; gives its path. */
function buildHeavy(): string {
  rmSync(join(FOLDER, "bytecode"), { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  cpSync("build/bytecode", join(FOLDER, "bytecode"), { recursive: true });
  writeFileSync(join(FOLDER, "dead.js"), deadModule(MEGABYTE));
  const compiler = ["run", "-q", "--target", "x86_64-unknown-linux-gnu", "-p", "bytecode", "--"];
  call("cargo", [...compiler, join(FOLDER, "bytecode"), join(FOLDER, "dead.js")], "native");
  const programs = ["--bin", "tsrun", "--bin", "tsrun-rehearse"];
  call("cargo", ["build", "-q", "--release", "--features", "beside", ...programs], "native", {
    TSRUN_BYTECODE: join(FOLDER, "bytecode"),
  });
  for (const name of ["tsrun", "tsrun-rehearse"]) cpSync(join(MADE, name), join(FOLDER, name));
  call("./tsrun-rehearse", [resolve("build/scenarios.qbc"), "heap.layout"], FOLDER);
  call("./tsrun", ["--store-heap", "heap.bin", "heap.layout"], FOLDER);
  call("objcopy", ["--update-section", ".arena=heap.bin", "tsrun"], FOLDER);
  return join(FOLDER, "tsrun");
}

/** Page faults of a start, the least of several, and its time in microseconds. */
const MEASURE = `
import os, sys, time
def start(program):
    begun = time.perf_counter()
    pid = os.posix_spawn(program, [program, "state", "nosuch"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    usage = os.wait4(pid, 0)[2]
    return usage.ru_minflt, round((time.perf_counter() - begun) * 1e6)
runs = [start(sys.argv[1]) for _ in range(200)]
print(min(faults for faults, _ in runs), sorted(took for _, took in runs)[100])
`;

function measure(program: string): { faults: number; microseconds: number } {
  const words = execFileSync("python3", ["-c", MEASURE, program], { encoding: "utf8" }).split(" ");
  return { faults: Number(words[0]), microseconds: Number(words[1]) };
}

void test("a program with a megabyte of dead code starts as fast", { timeout: 600_000 }, () => {
  const heavy = measure(buildHeavy());
  const light = measure(resolve("build/tsrun"));
  const told = ({ faults, microseconds }: typeof light): string => `${faults} page faults, ${microseconds} us`;
  console.log(`a start: ${told(light)}; with a megabyte of dead code: ${told(heavy)}`);
  assert.ok(heavy.faults <= light.faults + TOLERANCE, `${heavy.faults} page faults instead of ${light.faults}`);
});
