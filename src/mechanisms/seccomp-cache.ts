/**
 * Compiled seccomp filters, kept below the state's root. Engines give every container the same profile, which is most of
 * config.json, and compiling it is most of a start: a profile that was seen before is neither parsed nor compiled.
 *
 * The key is the whole input, compared letter by letter: the profile's JSON text, the machine and the version of the
 * compiler. The hash only names the file (crun's key left parts out, so that two profiles could share a filter).
 */
import { O_RDONLY } from "../sys/constants.ts";
import { makeDirectories, openDirectory, replaceFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import type { Seccomp } from "../spec/spec.ts";

declare const VERSION: string;

/** A name that no container can have. */
export const CACHE_FOLDER = "~seccomp";
/** More profiles than this are no host's daily bread: the folder is emptied and begins anew. */
const MOST = 64;
const LIMIT = 4 << 20;

export interface Entry {
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  readonly program: Uint8Array;
}

/** What a filter depends on, in one text. */
export function keyOf(profile: string, machine: string): string {
  return `${VERSION} ${machine}\n${profile}`;
}

/** The filter of a key that was stored before. Anything that is wrong with the cache is as good as no entry. */
export function lookUp(sys: Sys, root: string, key: string): Entry | undefined {
  const file = sys.openIfAny(null, `${root}/${CACHE_FOLDER}/${sys.hashText(key)}`, O_RDONLY);
  if (file === undefined) return undefined;
  using opened = file;
  const bytes = sys.readBytes(opened, LIMIT);
  const [flags, keyLength, ...more] = new Uint32Array(bytes.slice(0, 8).buffer);
  if (flags === undefined || keyLength === undefined || more.length > 0) return undefined;
  if (!sys.sameText(bytes.subarray(8, 8 + keyLength), key)) return undefined;
  return { flags, program: bytes.slice(8 + keyLength) };
}

/** Keeps a filter. A cache that cannot be written is no failure. */
export function store(sys: Sys, root: string, key: string, { flags, program }: Entry): void {
  try {
    makeDirectories(sys, `${root}/${CACHE_FOLDER}`, 0o700);
    using folder = openDirectory(sys, null, `${root}/${CACHE_FOLDER}`);
    const names = sys.readDirectory(folder);
    if (names.length >= MOST) for (const name of names) sys.unlinkIfAny(folder, name, 0);
    const text = sys.bytesOf(key);
    const entry = new Uint8Array(8 + text.length + program.length);
    entry.set(new Uint8Array(Uint32Array.of(flags, text.length).buffer));
    entry.set(text, 8);
    entry.set(program, 8 + text.length);
    replaceFile(sys, folder, sys.hashText(key), entry, 0o600);
  } catch {
    // The container does not need it.
  }
}

/** A profile whose filter is known: parsed only when somebody asks for more than its flags. */
export function knownSeccomp(flags: number, parse: () => Seccomp | undefined): Seccomp {
  let parsed: Seccomp | undefined;
  const whole = (): Seccomp => {
    parsed ??= parse();
    if (parsed === undefined) throw new Error("the profile is gone from config.json");
    return parsed;
  };
  return {
    flags,
    get defaultAction() {
      return whole().defaultAction;
    },
    get architectures() {
      return whole().architectures;
    },
    get rules() {
      return whole().rules;
    },
  };
}
