/**
 * Who the process is: the image's `User`, or --user. Numbers are numbers, whatever the image's passwd calls so (CVE-2016-3697);
 * names are looked up in the image's own files, in the way of moby/sys/user.
 */
import { quote } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { isDigits } from "./text.ts";

/** `process.user` of config.json. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

/** The image's files; asked for only when needed. */
export interface Databases {
  /** "" where there is none. */
  passwd(): string;
  group(): string;
}

/** 2^32-1 means "leave as it is" to the kernel: setresuid(2), CVE-2024-40635. */
const MAX_ID = 0xfffffffe;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The ids for "", USER, UID, USER:GROUP, UID:GID and so on. Throws a Failure. */
export function resolveUser(text: string, databases: Databases): Identity {
  const colon = text.indexOf(":");
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? "" : text.slice(colon + 1);
  const entry = findUser(user, databases);
  const uid = entry?.uid ?? numberOf(user === "" ? "0" : user);
  if (uid === undefined) throw new Failure(`no user ${quote(user)} in the image's /etc/passwd`);
  if (group !== "") {
    const gid = findGroup(group, databases);
    return { uid, gid, additionalGids: [gid] };
  }
  const gid = entry?.gid ?? 0;
  // The primary group among the others, or a file that denies a group its rights does not deny them: CVE-2022-2990.
  return { uid, gid, additionalGids: [...new Set([gid, ...groupsOf(entry?.name, databases)])] };
}

/** The ids of further groups, given by name or number. Throws a Failure. */
export function resolveGroups(groups: readonly string[], databases: Databases): number[] {
  return groups.map((group) => findGroup(group, databases));
}

function findUser(user: string, databases: Databases): PasswdEntry | undefined {
  const number = numberOf(user === "" ? "0" : user);
  const isMeant = (entry: PasswdEntry): boolean => (number === undefined ? entry.name === user : entry.uid === number);
  for (const fields of linesOf(databases.passwd())) {
    const entry = entryOf(fields);
    if (entry !== undefined && isMeant(entry)) return entry;
  }
  return undefined;
}

/** A line whose ids are none is passed over: they must not become root's (CVE-2026-46680). */
function entryOf([name = "", , uidText = "", gidText = ""]: readonly string[]): PasswdEntry | undefined {
  const uid = idOf(uidText);
  const gid = idOf(gidText);
  return uid === undefined || gid === undefined ? undefined : { name, uid, gid };
}

function findGroup(group: string, databases: Databases): number {
  const number = numberOf(group);
  if (number !== undefined) return number;
  for (const [name, , gidText = ""] of linesOf(databases.group())) {
    const gid = idOf(gidText);
    if (name === group && gid !== undefined) return gid;
  }
  throw new Failure(`no group ${quote(group)} in the image's /etc/group`);
}

function groupsOf(name: string | undefined, databases: Databases): number[] {
  if (name === undefined || name === "") return [];
  return linesOf(databases.group()).flatMap(([, , gidText = "", members = ""]) => {
    const gid = idOf(gidText);
    return gid !== undefined && members.split(",").includes(name) ? [gid] : [];
  });
}

/** What is all digits must be an id; the rest is a name. Throws a Failure. */
function numberOf(text: string): number | undefined {
  if (!isDigits(text)) return undefined;
  const id = idOf(text);
  if (id === undefined) throw new Failure(`${quote(text)} is no id of a user or group: ids go from 0 to ${MAX_ID}`);
  return id;
}

function idOf(text: string): number | undefined {
  const id = Number(text);
  return isDigits(text) && id <= MAX_ID ? id : undefined;
}

function linesOf(text: string): string[][] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.trim().split(":"));
}
