/** Numbers, lists and lines in words. */
import { everyCharacter, isDigits } from "../spec/text.ts";

/** "a", "a and b", "a, b and c". */
export function listOf(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;
}

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** Bytes with the largest unit that leaves a number worth reading: "512 MiB", "1.5 GiB", "100 bytes". */
export function bytesOf(count: bigint): string {
  let unit = -1;
  let rest = count;
  while (unit + 1 < UNITS.length && rest >= 1024n && rest % 1024n === 0n) {
    rest /= 1024n;
    unit++;
  }
  if (rest < 10_000n || unit + 1 >= UNITS.length) return unit < 0 ? `${count} bytes` : `${rest} ${UNITS[unit] ?? ""}`;
  // No round number of anything: about as much as this.
  let size = Number(rest);
  while (unit + 1 < UNITS.length && size >= 1024) {
    size /= 1024;
    unit++;
  }
  return `about ${Math.round(size * 10) / 10} ${UNITS[unit] ?? ""}`;
}

/** Microseconds: "50 ms", "1.5 s", "250 µs". */
export function timeOf(microseconds: number): string {
  if (microseconds >= 1_000_000) return `${microseconds / 1_000_000} s`;
  return microseconds >= 1000 ? `${microseconds / 1000} ms` : `${microseconds} µs`;
}

/** A text of digits as a bigint; undefined where it is something else, such as "max". */
export function wholeNumber(text: string): bigint | undefined {
  return isDigits(text) ? BigInt(text) : undefined;
}

/**
 * Breaks `text` at spaces into lines of at most `width` characters, all indented but the first, which continues what stands
 * before it. A word that is longer has a line of its own.
 */
export function wrap(text: string, indent: number, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}

const PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";

/** `text` as one word of a shell. */
export function quote(text: string): string {
  const plain = text !== "" && everyCharacter(text, (character) => PLAIN.includes(character));
  return plain ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
