/** Archives byte by byte: also those that no honest program writes. */
import { gzipSync } from "node:zlib";
import type { Layer } from "../../scripts/fixtures.ts";

/** An entry, as its header says it. */
export interface Forged {
  readonly name: string | Buffer;
  /** The letter of its kind: a file's where nothing is said. */
  readonly flag?: string;
  readonly body?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds. */
  readonly mtime?: number | bigint;
  readonly link?: string | Buffer;
  readonly device?: readonly [major: number, minor: number];
  /** What the header says of the size, where that is a lie. */
  readonly size?: number;
  /** Records of an extended header before it. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
}

const BLOCK = 512;

/** The archive of these entries, with its end. */
export function forged(entries: readonly Forged[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryOf), Buffer.alloc(2 * BLOCK)]);
}

/** The layer with this archive. */
export function forgedLayer(entries: readonly Forged[] | Buffer): Layer {
  const tar = Buffer.isBuffer(entries) ? entries : forged(entries);
  return { tar, blob: gzipSync(tar, { level: 1 }), mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" };
}

function entryOf(entry: Forged): Buffer[] {
  const [name, link] = [Buffer.from(entry.name), Buffer.from(entry.link ?? "")];
  const pax = {
    ...(name.length > 100 ? { path: name } : {}),
    ...(link.length > 100 ? { linkpath: link } : {}),
    ...entry.pax,
  };
  const body = Buffer.from(entry.body ?? "");
  const own = [headerOf(entry, entry.size ?? body.length), padded(body)];
  if (Object.keys(pax).length === 0) return own;
  const records = recordsOf(pax);
  return [headerOf({ name: "pax", flag: "x" }, records.length), padded(records), ...own];
}

/** Records of an extended header: `LENGTH KEY=VALUE\n`, where the length counts itself. */
export function recordsOf(pax: Readonly<Record<string, string | Buffer>>): Buffer {
  const records = Object.entries(pax).map(([key, value]) => {
    const text = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
    let length = text.length + 1;
    while (String(length).length + text.length !== length) length++;
    return Buffer.concat([Buffer.from(String(length)), text]);
  });
  return Buffer.concat(records);
}

function headerOf(entry: Forged, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  Buffer.from(entry.name).copy(block, 0, 0, 100);
  const flag = entry.flag ?? "0";
  number(block, 100, 8, entry.mode ?? (flag === "5" ? 0o755 : 0o644));
  number(block, 108, 8, entry.uid ?? 0);
  number(block, 116, 8, entry.gid ?? 0);
  number(block, 124, 12, size);
  number(block, 136, 12, entry.mtime ?? 1_700_000_000);
  block.write(flag, 156, "latin1");
  Buffer.from(entry.link ?? "").copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  number(block, 329, 8, entry.device?.[0] ?? 0);
  number(block, 337, 8, entry.device?.[1] ?? 0);
  return summed(block);
}

/** With the right checksum. */
function summed(block: Buffer): Buffer {
  block.fill(" ", 148, 156);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** In octal digits, or as GNU's big-endian number where those do not reach. */
function number(block: Buffer, at: number, width: number, value: number | bigint): void {
  const digits = value >= 0 ? value.toString(8) : "";
  if (digits !== "" && digits.length < width) {
    block.write(digits.padStart(width - 1, "0"), at, "latin1");
    return;
  }
  for (let [index, rest] = [width - 1, BigInt(value)]; index >= 0; index--, rest >>= 8n)
    block[at + index] = Number(rest & 0xffn);
  block[at] = (block[at] ?? 0) | 0x80;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (BLOCK - 1))]);
}
