/** The chart of the README: bars side by side for each operation. Its colours stand out from white and from black. */

import { OPERATIONS, runtimesOf, type Figures } from "./figures.ts";

const COLOURS: Readonly<Record<string, string>> = {
  tsrun: "#2f81f7",
  crun: "#d4862b",
  runc: "#b25ec0",
  youki: "#2da44e",
  floor: "#8b949e",
};
const SHOWN = OPERATIONS.filter((operation) => operation !== "runcold" && !operation.startsWith("rss-"));
const INK = "#6e7781";
const WIDTH = 880;
const BAR = 10;
const GAP = 12;
const TOP = 64;
/** Where bars begin, and the longest ends, in a panel. */
const LEFT = 74;
const LONGEST = 290;

/** A panel for each bundle, side by side and to the same scale. `machine` is what stands below. */
export function chartOf(figures: Figures, bundles: readonly string[], machine: string): string {
  const names = runtimesOf(figures);
  const rowsOf = (bundle: string) =>
    SHOWN.map((operation) => figures.get(`${bundle}|${operation}`) ?? new Map<string, number>());
  const longest = Math.max(...bundles.flatMap(rowsOf).flatMap((row) => [...row.values()]));
  const panels = bundles.map((bundle, index) => {
    const x = index * (WIDTH / 2);
    const title = text(x + 8, TOP - 16, `bundle: ${bundle}`, ' font-weight="bold"');
    const { svg, height } = barsOf(rowsOf(bundle), names, x + LEFT, LONGEST / longest);
    return { svg: `${title}\n${svg}`, height };
  });
  const height = Math.max(...panels.map((panel) => panel.height)) + 28;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11" fill="${INK}">`,
    `<title>Milliseconds for each operation, medians: ${names.join(", ")}</title>`,
    ...names.map((name, index) => legend(name, 8 + index * 90)),
    ...panels.map(({ svg }) => svg),
    text(8, height - 8, `Medians in milliseconds; shorter is better. ${machine}.`),
    "</svg>\n",
  ].join("\n");
}

/** A group of bars for each operation, one below the other, from `x` on. */
function barsOf(rows: readonly ReadonlyMap<string, number>[], names: readonly string[], x: number, scale: number) {
  let y = TOP;
  const parts: string[] = [];
  for (const [index, row] of rows.entries()) {
    parts.push(text(x - 8, y + (row.size * BAR) / 2 + 4, SHOWN[index] ?? "", ' text-anchor="end"'));
    for (const name of names) {
      const value = row.get(name);
      if (value === undefined) continue;
      const width = value * scale;
      parts.push(rectangle(name, { x, y, width, height: BAR - 1 }));
      parts.push(text(x + width + 4, y + BAR - 2, value.toFixed(1), ' font-size="9"'));
      y += BAR;
    }
    y += GAP;
  }
  return { svg: parts.join("\n"), height: y };
}

function legend(name: string, x: number): string {
  return `${rectangle(name, { x, y: 14, width: 12, height: 12 })}${text(x + 18, 24, name)}`;
}

function rectangle(name: string, { x, y, width, height }: Record<"x" | "y" | "width" | "height", number>): string {
  const place = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${height}"`;
  return `<rect ${place} fill="${COLOURS[name] ?? INK}"/>`;
}

function text(x: number, y: number, words: string, more = ""): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${round(x)}" y="${round(y)}"${more}>${escaped}</text>`;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
