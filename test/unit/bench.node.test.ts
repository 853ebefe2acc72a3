import assert from "node:assert/strict";
import { test } from "node:test";
import { chartOf } from "../bench/chart.ts";
import { tableOf, type Figures } from "../bench/figures.ts";
import { filledIn } from "../bench/page.ts";
import { median } from "../bench/stopwatch.ts";

const FIGURES: Figures = new Map([
  [
    "bare|run",
    new Map([
      ["tsrun", 5],
      ["floor", 2],
      ["crun", 4],
    ]),
  ],
  ["bare|state", new Map([["tsrun", 1]])],
]);

void test("the table has tsrun first, the floor last, and nothing where nothing was measured", () => {
  assert.deepEqual(tableOf(FIGURES).split("\n"), [
    "| bundle | | tsrun | crun | floor |",
    "|---|---|---|---|---|",
    "| bare | run | 5.00 ms | 4.00 ms (×0.80) | 2.00 ms (×0.40) |",
    "| bare | state | 1.00 ms |  |  |",
  ]);
});

void test("the chart has a bar for each figure, to scale", () => {
  const chart = chartOf(FIGURES, ["bare"], "a & b");
  const widths = [...chart.matchAll(/width="([\d.]+)" height="9"/g)].map(([, width]) => Number(width));
  assert.deepEqual(
    widths.map((width) => width / (widths[0] ?? 0)),
    [1, 0.8, 0.4, 0.2],
  );
  assert.match(chart, /a &amp; b/);
  assert.doesNotMatch(chart, /NaN|undefined/);
});

void test("figures are put between their markers, and a page without them is an error", () => {
  const page = "a\n<!-- times -->\nold\n<!-- /times -->\nb\n";
  const filled = filledIn(page, { times: "new" });
  assert.equal(filled, "a\n<!-- times -->\n\nnew\n\n<!-- /times -->\nb\n");
  assert.equal(filledIn(filled, { times: "new" }), filled);
  assert.throws(() => filledIn(page, { phases: "new" }), /no place for <!-- phases -->/);
});

void test("a median is the middle, or between the two that are", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});
