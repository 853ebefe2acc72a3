/** --dns, --dns-search and --dns-option: lines of a container's /etc/resolv.conf, resolv.conf(5). Pure. */
import type { Parsed } from "../../commands/context.ts";
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { everyCharacter } from "../text.ts";
import { isAddress } from "./hosts.ts";

/** Undefined: as the host has it. */
export interface Resolver {
  readonly servers: readonly string[] | undefined;
  readonly search: readonly string[] | undefined;
  readonly options: readonly string[] | undefined;
}

/** Throws a Failure that names the flag. */
export function parseResolver({ flags }: Pick<Parsed, "flags">): Resolver {
  for (const server of flags.get("dns") ?? [])
    if (!isAddress(server)) throw new Failure(`--dns must be an address: current value is ${quote(server)}`);
  const search = wordsOf(flags, "dns-search");
  return {
    servers: flags.get("dns"),
    // As docker: "." alone is for a search in no domain.
    search: search?.length === 1 && search[0] === "." ? [] : search,
    options: wordsOf(flags, "dns-option"),
  };
}

function wordsOf(flags: Parsed["flags"], flag: string): readonly string[] | undefined {
  const words = flags.get(flag);
  for (const word of words ?? [])
    if (word === "" || !everyCharacter(word, (character) => character > " " && character !== "\u007f"))
      throw new Failure(`--${flag} must be a word: current value is ${quote(word)}`);
  return words;
}

/** The container's file: the host's, but for the kinds of lines that a flag speaks of, which take the place of all of their kind. */
export function resolvConf(host: string, { servers, search, options }: Resolver): string {
  const told = [
    { kinds: ["search", "domain"], lines: search && lineOf("search", search) },
    { kinds: ["nameserver"], lines: servers?.map((server) => `nameserver ${server}`) },
    { kinds: ["options"], lines: options && lineOf("options", options) },
  ].filter(({ lines }) => lines !== undefined);
  if (told.length === 0) return host;
  const replaced = told.flatMap(({ kinds }) => kinds);
  const kept = host.split("\n").filter((line) => line !== "" && !replaced.includes(kindOf(line)));
  return [...kept, ...told.flatMap(({ lines }) => lines ?? [])].map((line) => `${line}\n`).join("");
}

function lineOf(kind: string, words: readonly string[]): string[] {
  return words.length === 0 ? [] : [`${kind} ${words.join(" ")}`];
}

function kindOf(line: string): string {
  return line.replaceAll("\t", " ").split(" ")[0] ?? "";
}
