/** Looking at text character by character, without regular expressions. */

/** Whether all characters of `text` pass, as in an array. */
export function everyCharacter(text: string, passes: (character: string) => boolean): boolean {
  for (const character of text) if (!passes(character)) return false;
  return true;
}

/** Of ASCII only. */
export function isDigit(character: string): boolean {
  return character >= "0" && character <= "9" && character.length === 1;
}

/** Whether `text` is digits, and at least one. */
export function isDigits(text: string): boolean {
  return text !== "" && everyCharacter(text, isDigit);
}

/** What is before and after the first `separator`; undefined for the latter where there is none. */
export function cutAtFirst(text: string, separator: string): [before: string, after: string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
