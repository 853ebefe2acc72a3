import { isSet, option, type Parsed } from "../../../src/commands/context.ts";
import { countOf, countsOf, parseArguments } from "../../../src/commands/parse.ts";
import type { Flag } from "../../../src/commands/table.ts";
import { deepEqual, equal, test, throws } from "../../support/unit.ts";

const FLAGS: readonly Flag[] = [
  { name: "format", short: "f", value: "FORMAT", help: "" },
  { name: "quiet", short: "q", help: "" },
  { name: "env", short: "e", value: "NAME=VALUE", help: "" },
  { name: "preserve-fds", value: "N", count: true, help: "" },
  { name: "apparmor", value: "PROFILE", help: "", refused: true },
];

function parse(...args: string[]): Parsed {
  return parseArguments(args, { flags: FLAGS, greedy: false });
}

function greedy(...args: string[]): Parsed {
  return parseArguments(args, { flags: FLAGS, greedy: true });
}

test("a long option has one dash or two, and its value after = or in the next argument", () => {
  for (const args of [
    ["--format", "json"],
    ["-format", "json"],
    ["--format=json"],
    ["-format=json"],
    ["-f", "json"],
    ["-f=json"],
  ]) {
    const parsed = parse(...args, "id");
    equal(option(parsed, "format"), "json", args.join(" "));
    deepEqual(parsed.operands, ["id"]);
  }
});

test("a value may be empty, begin with a dash, or hold another =", () => {
  equal(option(parse("--format="), "format"), "");
  equal(option(parse("--format", "-q"), "format"), "-q");
  equal(option(parse("-e", "A=B=C"), "env"), "A=B=C");
  equal(option(parse("--env=A=B"), "env"), "A=B");
});

test("an option that is true or false takes the words of Go after =, and never the next argument", () => {
  for (const word of ["true", "TRUE", "True", "t", "T", "1"])
    equal(isSet(parse(`--quiet=${word}`), "quiet"), true, word);
  for (const word of ["false", "FALSE", "False", "f", "F", "0"])
    equal(isSet(parse(`-q=${word}`), "quiet"), false, word);
  deepEqual(parse("--quiet", "false").operands, ["false"]);
  for (const word of ["maybe", "", "yes", "constructor"]) {
    throws(() => parse(`--quiet=${word}`), `invalid boolean value ${JSON.stringify(word)} for -quiet`);
  }
});

test("of several values all are kept, and the last one counts where one is asked for", () => {
  const parsed = parse("-e", "A=1", "--env=B=2", "-q", "-q=false");
  deepEqual(parsed.flags.get("env"), ["A=1", "B=2"]);
  equal(option(parsed, "env"), "B=2");
  equal(isSet(parsed, "quiet"), false);
});

test("short options are not bundled, and no value is glued to them", () => {
  throws(() => parse("-qf", "json"), "flag provided but not defined: -qf");
  throws(() => parse("-fjson"), "flag provided but not defined: -fjson");
});

test("what is no option of the command is refused by name", () => {
  throws(() => parse("--frobnicate"), "flag provided but not defined: -frobnicate");
  throws(() => parse("-x=1"), "flag provided but not defined: -x");
  for (const bad of ["---format", "-=x", "--=x"]) throws(() => parse(bad), `bad flag syntax: ${bad}`);
});

test("an option without its value says so in the words that podman looks for", () => {
  throws(() => parse("--format"), "flag needs an argument: -format");
  throws(() => parse("-f"), "flag needs an argument: -f");
});

test("options may follow operands", () => {
  const parsed = parse("id", "--quiet", "more");
  equal(isSet(parsed, "quiet"), true);
  deepEqual(parsed.operands, ["id", "more"]);
});

test("a greedy command takes everything from its first operand on as it is", () => {
  const parsed = greedy("-q", "id", "-9", "--", "--format", "x");
  equal(isSet(parsed, "quiet"), true);
  deepEqual(parsed.operands, ["id", "-9", "--", "--format", "x"]);
  deepEqual(parsed.rest, []);
});

test("what follows -- is no option, and is kept apart", () => {
  const parsed = parse("-q", "id", "--", "sh", "-c", "--", "x");
  deepEqual(parsed.operands, ["id"]);
  deepEqual(parsed.rest, ["sh", "-c", "--", "x"]);
  deepEqual(greedy("--", "-q").rest, ["-q"]);
});

test("a dash alone and an empty argument are operands", () => {
  deepEqual(parse("-", "").operands, ["-", ""]);
});

test("a count is digits only, and exact", () => {
  equal(countOf("12", "n"), 12);
  equal(countOf(undefined, "n"), 0);
  for (const text of ["", "-1", "1.5", "0x10", "1e3", " 1", "99999999999999999999"]) {
    throws(() => countOf(text, "n"), `invalid value ${JSON.stringify(text)} for flag -n`);
    throws(() => parse(`--preserve-fds=${text}`), "for flag -preserve-fds");
  }
});

test("an option that is not done yet is refused by name, unless it asks for nothing", () => {
  throws(() => parse("--apparmor", "docker-default"), "--apparmor is not supported yet");
  equal(option(parse("--apparmor="), "apparmor"), "");
});

test("how many operands there may be is what help shows", () => {
  deepEqual(countsOf(""), { least: 0, most: 0 });
  deepEqual(countsOf("ID"), { least: 1, most: 1 });
  deepEqual(countsOf("ID [SIGNAL]"), { least: 1, most: 2 });
  deepEqual(countsOf("ID [COMMAND [ARG...]]"), { least: 1, most: Infinity });
  deepEqual(countsOf("[create|run [OPTION...] ID]"), { least: 0, most: Infinity });
  deepEqual(countsOf("[REF...]"), { least: 0, most: Infinity });
  deepEqual(countsOf("REF..."), { least: 1, most: Infinity });
});
