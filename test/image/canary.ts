/** Files that nothing may touch, for tests of what would like to. */
import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Box } from "../support/box.ts";

/** Files beside the store that a layer would like to reach. */
export class Canary {
  readonly path: string;
  readonly #before: string[];

  constructor(box: Box) {
    this.path = box.file("canary");
    mkdirSync(join(this.path, "dir"));
    for (const name of ["secret", "dir/inner", "dir/.wh.x"]) writeFileSync(join(this.path, name), "canary");
    symlinkSync("secret", join(this.path, "link"));
    chmodSync(join(this.path, "secret"), 0o600);
    for (const name of ["secret", "dir/inner", "dir", "."]) utimesSync(join(this.path, name), 1e9, 1e9);
    this.#before = this.#look();
  }

  assertUntouched(what: string): void {
    assert.deepEqual(this.#look(), this.#before, what);
  }

  /** In this process: there are thousands of looks. */
  #look(): string[] {
    return ["", ...readdirSync(this.path, { recursive: true, encoding: "utf8" }).toSorted()].map((name) => {
      const path = join(this.path, name);
      const { mode, uid, gid, size, nlink, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
      const text = lstatSync(path).isFile() ? readFileSync(path, "utf8") : "";
      return [name, mode, uid, gid, size, nlink, mtimeNs, ctimeNs, text].join(" ");
    });
  }
}
