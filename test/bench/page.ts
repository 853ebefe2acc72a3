/** Figures in a page: what stands between `<!-- NAME -->` and `<!-- /NAME -->`. */

import { readFileSync, writeFileSync } from "node:fs";

/** `page` with new words between its markers. */
export function filledIn(page: string, parts: Readonly<Record<string, string>>): string {
  let filled = page;
  for (const [name, words] of Object.entries(parts)) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [filled.indexOf(begin), filled.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`no place for ${begin}`);
    filled = `${filled.slice(0, from + begin.length)}\n\n${words}\n\n${filled.slice(to)}`;
  }
  return filled;
}

export function fillIn(path: string, parts: Readonly<Record<string, string>>): void {
  writeFileSync(path, filledIn(readFileSync(path, "utf8"), parts));
}
