/**
 * Options of a mount, as strings, sorted by what the kernel does with them: attributes of the one mount
 * (mount_setattr(2)), flags of the superblock (fsconfig(2)), propagation, and data of the file system.
 * config-linux#configMounts; the names are runc's (`runc features`, mountOptions).
 */

import type { Mount, MountAttr, Propagation } from "./spec.ts";

/** Of <linux/mount.h>; see mount_setattr(2). */
const RDONLY = 0x1;
const NOSUID = 0x2;
const NODEV = 0x4;
const NOEXEC = 0x8;
/** The times are one number in this field, not bits: whoever sets one must clear the whole field. */
const ATIME_FIELD = 0x70;
const RELATIME = 0x00;
const NOATIME = 0x10;
const STRICTATIME = 0x20;
const NODIRATIME = 0x80;
const NOSYMFOLLOW = 0x200000;

interface Attr {
  readonly does: "set" | "clear" | "chooseTime" | "undoTime";
  readonly bits: number;
}

type Option =
  | { readonly kind: "attr"; readonly attr: Attr; readonly recursive: boolean; readonly flag: Flag | undefined }
  | { readonly kind: "flag"; readonly flag: Flag }
  | { readonly kind: "bind"; readonly bind: "single" | "recursive" }
  | { readonly kind: "propagation"; readonly type: Propagation; readonly recursive: boolean }
  | { readonly kind: "tmpcopyup" | "remount" | "nothing" }
  | { readonly kind: "idmap"; readonly depth: "single" | "recursive" };

/** A flag of the superblock, switched on or off. */
interface Flag {
  readonly name: string;
  readonly on: boolean;
}

const ATTRS: Readonly<Record<string, Attr>> = {
  ro: { does: "set", bits: RDONLY },
  rw: { does: "clear", bits: RDONLY },
  nosuid: { does: "set", bits: NOSUID },
  suid: { does: "clear", bits: NOSUID },
  nodev: { does: "set", bits: NODEV },
  dev: { does: "clear", bits: NODEV },
  noexec: { does: "set", bits: NOEXEC },
  exec: { does: "clear", bits: NOEXEC },
  nodiratime: { does: "set", bits: NODIRATIME },
  diratime: { does: "clear", bits: NODIRATIME },
  nosymfollow: { does: "set", bits: NOSYMFOLLOW },
  symfollow: { does: "clear", bits: NOSYMFOLLOW },
  relatime: { does: "chooseTime", bits: RELATIME },
  noatime: { does: "chooseTime", bits: NOATIME },
  strictatime: { does: "chooseTime", bits: STRICTATIME },
  atime: { does: "undoTime", bits: NOATIME },
  nostrictatime: { does: "undoTime", bits: STRICTATIME },
  // relatime is what the kernel does by itself, so there is nothing to go back to: mount(2).
  norelatime: { does: "set", bits: 0 },
};

const FLAGS: Readonly<Record<string, Flag>> = {
  sync: { name: "sync", on: true },
  async: { name: "sync", on: false },
  dirsync: { name: "dirsync", on: true },
  lazytime: { name: "lazytime", on: true },
  nolazytime: { name: "lazytime", on: false },
  mand: { name: "mand", on: true },
  nomand: { name: "mand", on: false },
  iversion: { name: "iversion", on: true },
  noiversion: { name: "iversion", on: false },
};

/** ro and rw speak of both, as with mount(2): the mount and, where it is a new one, the file system below it. */
const ALSO_FLAGS: Readonly<Record<string, Flag>> = {
  ro: { name: "ro", on: true },
  rw: { name: "ro", on: false },
};

const OTHERS: Readonly<Record<string, Option>> = {
  bind: { kind: "bind", bind: "single" },
  rbind: { kind: "bind", bind: "recursive" },
  private: { kind: "propagation", type: "private", recursive: false },
  rprivate: { kind: "propagation", type: "private", recursive: true },
  shared: { kind: "propagation", type: "shared", recursive: false },
  rshared: { kind: "propagation", type: "shared", recursive: true },
  slave: { kind: "propagation", type: "slave", recursive: false },
  rslave: { kind: "propagation", type: "slave", recursive: true },
  unbindable: { kind: "propagation", type: "unbindable", recursive: false },
  runbindable: { kind: "propagation", type: "unbindable", recursive: true },
  tmpcopyup: { kind: "tmpcopyup" },
  remount: { kind: "remount" },
  idmap: { kind: "idmap", depth: "single" },
  ridmap: { kind: "idmap", depth: "recursive" },
  defaults: { kind: "nothing" },
  // They only speak of kernel messages about the mount, and fsconfig(2) has no word for them.
  silent: { kind: "nothing" },
  loud: { kind: "nothing" },
};

function buildOptions(): Map<string, Option> {
  const options = new Map<string, Option>(Object.entries(OTHERS));
  for (const [name, flag] of Object.entries(FLAGS)) options.set(name, { kind: "flag", flag });
  for (const [name, attr] of Object.entries(ATTRS)) {
    options.set(name, { kind: "attr", attr, recursive: false, flag: ALSO_FLAGS[name] });
    options.set(`r${name}`, { kind: "attr", attr, recursive: true, flag: undefined });
  }
  return options;
}

/** A Map, not an object: "constructor" is an option like any other unknown one. */
const KNOWN: ReadonlyMap<string, Option> = buildOptions();

/** The names that are known, in alphabetical order: for `tsrun features`. */
export function knownMountOptions(): string[] {
  return [...KNOWN.keys()].toSorted();
}

/** What `rootfsPropagation` may be: the eight words that options of mounts know too. */
export function propagationOf(word: string): NonNullable<Mount["propagation"]> | undefined {
  const option = KNOWN.get(word);
  return option?.kind === "propagation" ? { type: option.type, recursive: option.recursive } : undefined;
}

/** The options of one mount, sorted. */
export interface SortedOptions {
  bind: Mount["bind"];
  readonly attr: { -readonly [K in keyof MountAttr]: MountAttr[K] };
  flags: string[];
  readonly data: (readonly [key: string, value: string | undefined])[];
  propagation: Mount["propagation"];
  tmpcopyup: boolean;
  remount: boolean;
  /** Whether ids are to be mapped, and how deep. */
  idmap: "no" | "single" | "recursive";
}

/** Sorts `options`; of two that contradict each other the later counts. */
export function sortOptions(options: readonly string[]): SortedOptions {
  const sorted: SortedOptions = {
    bind: "no",
    attr: { set: 0, clear: 0, recursiveSet: 0, recursiveClear: 0 },
    flags: [],
    data: [],
    propagation: undefined,
    tmpcopyup: false,
    remount: false,
    idmap: "no",
  };
  for (const text of options) {
    const option = KNOWN.get(text);
    if (option === undefined) addData(sorted, text);
    else apply(sorted, option);
  }
  return sorted;
}

function apply(sorted: SortedOptions, option: Option): void {
  switch (option.kind) {
    case "attr":
      applyAttr(sorted.attr, option.attr, option.recursive);
      if (option.flag !== undefined) switchFlag(sorted, option.flag);
      break;
    case "flag":
      switchFlag(sorted, option.flag);
      break;
    case "bind":
      if (sorted.bind !== "recursive") sorted.bind = option.bind;
      break;
    case "propagation":
      sorted.propagation = { type: option.type, recursive: option.recursive };
      break;
    case "tmpcopyup":
    case "remount":
      sorted[option.kind] = true;
      break;
    case "idmap":
      sorted.idmap = option.depth;
      break;
    case "nothing":
      break;
    default:
      option satisfies never;
  }
}

function applyAttr(attr: SortedOptions["attr"], { does, bits }: Attr, recursive: boolean): void {
  let set = recursive ? attr.recursiveSet : attr.set;
  let clear = recursive ? attr.recursiveClear : attr.clear;
  if (does === "set") {
    set |= bits;
    clear &= ~bits;
  } else if (does === "clear") {
    set &= ~bits;
    clear |= bits;
  } else if (does === "chooseTime") {
    set = (set & ~ATIME_FIELD) | bits;
    clear |= ATIME_FIELD;
  } else if ((set & ATIME_FIELD) === bits || (clear & ATIME_FIELD) === 0) {
    // Back to relatime. "atime" after "strictatime" undoes nothing.
    set &= ~ATIME_FIELD;
    clear |= ATIME_FIELD;
  }
  if (recursive) {
    attr.recursiveSet = set;
    attr.recursiveClear = clear;
  } else {
    attr.set = set;
    attr.clear = clear;
  }
}

function switchFlag(sorted: SortedOptions, flag: Flag): void {
  if (sorted.flags.includes(flag.name) === flag.on) return;
  const others = sorted.flags.filter((name) => name !== flag.name);
  if (flag.on) others.push(flag.name);
  sorted.flags = others;
}

/**
 * mount(2) takes the data of all options as one text and splits it at commas, so "mode=755,size=1m" may stand in
 * one option. Texts with quotes or backslashes (SELinux contexts, overlay directories) have rules of their own.
 */
function addData(sorted: SortedOptions, text: string): void {
  const whole = !text.includes(",") || text.includes('"') || text.includes("\\");
  if (whole) addParameter(sorted, text);
  else for (const part of text.split(",")) addParameter(sorted, part);
}

function addParameter(sorted: SortedOptions, text: string): void {
  if (text === "") return;
  const equals = text.indexOf("=");
  sorted.data.push(equals === -1 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)]);
}
