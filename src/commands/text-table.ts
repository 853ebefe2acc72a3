/** What lists are printed as. */
import { Failure } from "../sys/failure.ts";
import { option, type Parsed } from "./context.ts";

/** `--format`; a table where it is not given. Throws a Failure. */
export function formatOf(parsed: Parsed): "table" | "json" {
  const format = option(parsed, "format") ?? "table";
  if (format === "table" || format === "json") return format;
  throw new Failure(`invalid format option: ${JSON.stringify(format)} (table or json)`);
}

/** Columns of text, as runc prints them: at least 12 wide, three blanks between, the last as long as it is. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(12, ...rows.map((row) => (row[column] ?? "").length + 3)),
  );
  return rows.map((row) => `${row.map((cell, column) => padded(cell, column, widths)).join("")}\n`).join("");
}

function padded(cell: string, column: number, widths: readonly number[]): string {
  return column === widths.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
}

/** On one line, and nothing in it that a terminal obeys. */
export function lineOf(text: string): string {
  let line = "";
  for (const character of text) {
    const code = character.charCodeAt(0);
    line += code < 0x20 || (code >= 0x7f && code <= 0x9f) ? " " : character;
  }
  return line;
}
