/** What hostile images and containers are made of. */

import assert from "node:assert/strict";
import { readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Box } from "./box.ts";
import type { Program, Tweak } from "./config.ts";
import { textOf } from "./runtime.ts";
import type { Result } from "./runtime.ts";

/** Runs a bundle whose root file system an attacker has changed. */
export function hostile(box: Box, program: Program, spoil: (rootfs: string) => void, tweak?: Tweak): Result {
  const bundle = box.bundle(program, tweak);
  spoil(join(bundle, "rootfs"));
  return box.tsrun(["run", "--bundle", bundle, box.id()]);
}

/** Puts a symlink in the place of a file or folder of the image. */
export function replaceBy(target: string, path: string) {
  return (rootfs: string) => {
    rmSync(join(rootfs, path), { recursive: true, force: true });
    symlinkSync(target, join(rootfs, path));
  };
}

/** A folder of the host's that must not change. */
export function victim(box: Box): { path: string; untouched: () => void } {
  const path = box.file("victim");
  box.file("victim/ptmx", "precious\n");
  box.file("victim/null", "precious\n");
  const look = () =>
    readdirSync(path)
      .toSorted()
      .map((name) => `${name} ${statSync(join(path, name)).mode.toString(8)} ${textOf(join(path, name))}`);
  const before = look();
  return { path, untouched: () => assert.deepEqual(look(), before) };
}
