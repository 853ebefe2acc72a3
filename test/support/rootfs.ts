/** The root file system of the tests: Debian's static busybox, and the few files that its programs look for. */

import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of this process, which others than root may traverse: in `TSRUN_TEST_DIR`, or else on a tmpfs where there is one. */
export const SCRATCH = makeScratch();

/** Lays out a root file system at `path`. It shares nothing that a container could write but the busybox file. */
export function makeRootfs(path: string): void {
  for (const folder of ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var", "home"]) {
    mkdirSync(join(path, folder), { recursive: true, mode: 0o755 });
  }
  chmodSync(join(path, "tmp"), 0o1777);
  linkSync(busybox(), join(path, "bin", "busybox"));
  for (const name of PROGRAMS) symlinkSync("busybox", join(path, "bin", name));
  writeFileSync(join(path, "etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n");
  writeFileSync(join(path, "etc", "group"), "root:x:0:\nalice:x:1000:\n");
}

// Its sh finds the other applets by itself; these are those that tests start without a shell.
const PROGRAMS = ["sh", "true", "false", "cat", "echo", "env", "id", "ls", "pwd", "sleep", "ps", "mount", "tty"];

let copied: string | undefined;

function busybox(): string {
  if (copied === undefined) {
    copied = join(SCRATCH, "busybox");
    copyFileSync("/bin/busybox", copied);
    chmodSync(copied, 0o755);
  }
  return copied;
}

function makeScratch(): string {
  const quick = isTmpfs(tmpdir()) || !isTmpfs("/dev/shm") ? tmpdir() : "/dev/shm";
  const folder = mkdtempSync(join(process.env["TSRUN_TEST_DIR"] ?? quick, "tsrun-test-"));
  chmodSync(folder, 0o755);
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function isTmpfs(path: string): boolean {
  const TMPFS_MAGIC = 0x01021994;
  try {
    return statfsSync(path).type === TMPFS_MAGIC;
  } catch {
    return false;
  }
}
