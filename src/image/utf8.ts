/** UTF-8, which the engine decodes only for whole files. */

/** A character for each byte; to be joined to lines and then decoded. */
export function rawText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

/** The text whose bytes are the characters of `raw`. What is no UTF-8 becomes U+FFFD. */
export function decodeUtf8(raw: string): string {
  let text = "";
  let plain = 0;
  for (let at = 0; at < raw.length;) {
    const first = raw.charCodeAt(at);
    if (first < 0x80) {
      at++;
      continue;
    }
    const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    text += raw.slice(plain, at) + character(raw, at, length);
    at += length;
    plain = at;
  }
  return plain === 0 ? raw : text + raw.slice(plain);
}

function character(raw: string, at: number, length: number): string {
  let code = raw.charCodeAt(at) & (0xff >> (length + 1));
  for (let index = 1; index < length; index++) {
    const next = raw.charCodeAt(at + index);
    if ((next & 0xc0) !== 0x80) return "\ufffd";
    code = (code << 6) | (next & 0x3f);
  }
  return code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code);
}
