/**
 * Compiled seccomp filters, kept below the state's root. Engines give every container the same profile, which is most of
 * config.json, and compiling it is most of a start: a profile that was seen before is neither parsed nor compiled.
 *
 * The key is the whole input: machine and compiler are in the file's name, and the profile's JSON text is compared letter by
 * letter; its hash only finds the file (crun's key left parts out, so that two profiles could share a filter).
 */
import { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../sys/constants.ts";
import { makeDirectories, openDirectory, replaceFile, statOf } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import type { Seccomp } from "../spec/spec.ts";

/** A digest of the compiler's own source: the build puts it here. */
declare const SECCOMP_COMPILER: string;

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

/** What a filter depends on. */
export interface Key {
  readonly profile: string;
  readonly machine: string;
}

/** Names the file of an entry: all of the key in it but the profile, of which it has a hash. */
function nameOf(sys: Sys, { profile, machine }: Key): string {
  return `${sys.hashText(profile)}-${machine}-${SECCOMP_COMPILER}`;
}

/** The filter of a key that was stored before. Anything that is wrong with the cache is as good as no entry. */
export function lookUp(sys: Sys, root: string, key: Key): Entry | undefined {
  try {
    return read(sys, root, key);
  } catch {
    return undefined;
  }
}

function read(sys: Sys, root: string, key: Key): Entry | undefined {
  const opened = sys.openIfAny(null, `${root}/${CACHE_FOLDER}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (opened === undefined) return undefined;
  using folder = opened;
  const { uid, mode } = statOf(sys, folder);
  if (uid !== sys.geteuid() || (mode & 0o022) !== 0) return undefined;
  const found = sys.openIfAny(folder, nameOf(sys, key), O_RDONLY | O_NOFOLLOW);
  if (found === undefined) return undefined;
  using file = found;
  return parseEntry(sys, sys.readBytes(file, LIMIT), key.profile);
}

/** An entry is its flags, the lengths of profile and program, the profile and the program. */
const HEADER = 12;

function parseEntry(sys: Sys, bytes: Uint8Array, profile: string): Entry | undefined {
  if (bytes.length < HEADER) return undefined;
  const [flags = 0, profileLength = 0, length = 0] = new Uint32Array(bytes.slice(0, HEADER).buffer);
  if (bytes.length !== HEADER + profileLength + length || length === 0 || length % 8 !== 0) return undefined;
  if (!sys.sameText(bytes.subarray(HEADER, HEADER + profileLength), profile)) return undefined;
  return { flags, program: bytes.slice(HEADER + profileLength) };
}

/** Keeps a filter. A cache that cannot be written is no failure. */
export function store(sys: Sys, root: string, key: Key, { flags, program }: Entry): void {
  try {
    makeDirectories(sys, `${root}/${CACHE_FOLDER}`, 0o700);
    using folder = openDirectory(sys, null, `${root}/${CACHE_FOLDER}`);
    const names = sys.readDirectory(folder);
    if (names.length >= MOST) for (const name of names) sys.unlinkIfAny(folder, name, 0);
    const text = sys.bytesOf(key.profile);
    const entry = new Uint8Array(HEADER + text.length + program.length);
    entry.set(new Uint8Array(Uint32Array.of(flags, text.length, program.length).buffer));
    entry.set(text, HEADER);
    entry.set(program, HEADER + text.length);
    replaceFile(sys, folder, nameOf(sys, key), entry, 0o600);
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
