/** Text, character by character: regular expressions are not for outside text, and not in the engine. And counts in words. */

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

/** "1 rule", "2 rules". */
export function countOf(count: number, noun: string, several = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : several}`;
}
