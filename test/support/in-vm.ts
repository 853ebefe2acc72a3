/**
 * Runs container tests again inside ../shared/vm: a machine with cgroup controllers and the right to raise limits.
 *
 *   node --import ./scripts/typescript.mjs test/support/in-vm.ts [FILE...]     all of test/container, where no file is named
 */

import { spawnSync } from "node:child_process";
import { readdirSync, realpathSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { REPOSITORY, TSRUN } from "./runtime.ts";
import { missing, VM } from "./requirements.ts";

export interface Counts {
  readonly tests: number;
  readonly pass: number;
  readonly fail: number;
  readonly skipped: number;
  /** The sentences of those that failed. */
  readonly failed: readonly string[];
  readonly output: string;
}

export interface Guest {
  /** Seconds. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether tests make their files on a file system like a disk's, and not on a tmpfs. */
  readonly disk?: boolean;
  /** Leaves out the tests whose sentences have one of these words in them. */
  readonly without?: readonly string[];
}

const ON_DISK = `
  truncate -s 2G "$TMPDIR/disk" && mkfs.ext4 -q "$TMPDIR/disk" || exit
  mkdir /disk && mount -o loop "$TMPDIR/disk" /disk && chmod 1777 /disk || exit
  TSRUN_TEST_DIR=/disk exec "$@"`;

/** Runs test files, named from the repository's root, in the virtual machine. */
export function runInVm(files: readonly string[], guest: Guest = {}): Counts {
  const { timeout = 900, env = {}, disk = false, without = [] } = guest;
  const wanted = without.length === 0 ? [] : [`--test-name-pattern=/^(?!.*(${without.join("|")}))/`];
  const node = [process.execPath, ...process.execArgv, "--test", "--test-reporter=tap", ...wanted];
  // PATH as it is here: the tests call gcc, python3, strace.
  const environment = { TSRUN: realpathSync(TSRUN), PATH: process.env["PATH"] ?? "", ...env };
  const args = [
    "--timeout",
    String(timeout),
    ...Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    "--",
    ...(disk ? ["sh", "-c", ON_DISK, "sh"] : []),
    ...node,
    ...files,
  ];
  const { stdout, stderr } = spawnSync(VM, args, {
    cwd: REPOSITORY,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    timeout: (timeout + 60) * 1000,
  });
  return { ...counted(stdout), output: stdout + stderr };
}

function counted(tap: string) {
  const count = (name: string) => Number(new RegExp(`^# ${name} (\\d+)$`, "m").exec(tap)?.[1] ?? 0);
  const failed = [...tap.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, sentence = ""]) => sentence);
  return { tests: count("tests"), pass: count("pass"), fail: count("fail"), skipped: count("skipped"), failed };
}

function allFiles(): string[] {
  const folder = join(REPOSITORY, "test", "container");
  const files = readdirSync(folder).filter((name) => name.endsWith(".test.ts") && name !== "in-vm.test.ts");
  return files.map((name) => relative(REPOSITORY, join(folder, name)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lacks = missing(["vm"]);
  if (lacks !== undefined) {
    console.error(`Cannot run: ${lacks}`);
    process.exit(1);
  }
  const named = process.argv.slice(2);
  const { output, failed, ...counts } = runInVm(named.length > 0 ? named : allFiles());
  console.log(output);
  console.log(`In the virtual machine: ${JSON.stringify(counts)}`);
  for (const sentence of failed) console.log(`failed: ${sentence}`);
  process.exit(counts.fail === 0 && counts.pass > 0 ? 0 : 1);
}
