/** Base64 (RFC 4648, 4), which the engine has not. */
import { decodeUtf8 } from "./utf8.ts";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The base64 of bytes, with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (const shift of [18, 12, 6, 0]) text += DIGITS.charAt((group >> shift) & 63);
  }
  const padding = (3 - (bytes.length % 3)) % 3;
  return `${text.slice(0, text.length - padding)}${"=".repeat(padding)}`;
}

/** The text whose UTF-8 `text` is the base64 of; undefined where it is none. */
export function decodeBase64(text: string): string | undefined {
  let digits = text.trim();
  while (digits.endsWith("=")) digits = digits.slice(0, -1);
  let raw = "";
  let bits = 0;
  let held = 0;
  for (const digit of digits) {
    const value = DIGITS.indexOf(digit);
    if (value < 0) return undefined;
    held = (held << 6) | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    raw += String.fromCharCode((held >> bits) & 0xff);
    held &= (1 << bits) - 1;
  }
  return decodeUtf8(raw);
}
