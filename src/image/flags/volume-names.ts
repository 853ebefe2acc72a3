/** What a volume may be called: docker's rule, which keeps names apart from paths. */
import { isDigit } from "../text.ts";

export const VOLUME_NAME = "a volume is called by two letters or digits at least, and . _ - after the first";

/** More would not fit into a file's name with what is put around it. */
const LONGEST = 200;

export function isVolumeName(text: string): boolean {
  if (text.length < 2 || text.length > LONGEST) return false;
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    if (!isWordCharacter(character) && (index === 0 || !"._-".includes(character))) return false;
  }
  return true;
}

function isWordCharacter(character: string): boolean {
  return isDigit(character) || (character >= "a" && character <= "z") || (character >= "A" && character <= "Z");
}
