/** Looking at text, without regular expressions. */
export { everyCharacter, isDigit, isDigits } from "../spec/text.ts";

/** What is before and after the first `separator`; undefined for the latter where there is none. */
export function cutAtFirst(text: string, separator: string): [before: string, after: string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
