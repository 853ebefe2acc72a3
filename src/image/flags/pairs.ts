/** NAME=VALUE on the command line and in files: variables, labels, annotations, sysctls. Pure. */
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { cutAtFirst, everyCharacter } from "../text.ts";

/**
 * The lines of an --env-file or --label-file, as docker reads them (kvfile.Parse): empty ones and comments are left out, space
 * before a name too; quotes and what follows the first "=" are as they are. Throws a Failure.
 */
export function parsePairFile(text: string, path: string): string[] {
  const found: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const entry = (line.endsWith("\r") ? line.slice(0, -1) : line).trimStart();
    if (entry === "" || entry.startsWith("#")) continue;
    const [name] = cutAtFirst(entry, "=");
    const where = `${path}, line ${index + 1}`;
    if (name === "") throw new Failure(`${where}: there is no name before "="`);
    if (!everyCharacter(name, isVisible)) throw new Failure(`${where}: a name has no space in it: ${quote(name)}`);
    found.push(entry);
  }
  return found;
}

/** NAME[=VALUE] of a flag that may be repeated; a name alone stands for an empty value. Throws a Failure. */
export function parsePairs(texts: readonly string[], flag: string): Readonly<Record<string, string>> {
  const pairs: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const text of texts) {
    const [name, value = ""] = cutAtFirst(text, "=");
    if (name === "") throw new Failure(`--${flag} must be NAME=VALUE: current value is ${quote(text)}`);
    pairs[name] = value;
  }
  return pairs;
}

function isVisible(character: string): boolean {
  return character > " " && character !== "\u00a0";
}
