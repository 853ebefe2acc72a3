import { helpOf, hintForOption } from "../../../src/commands/help.ts";
import { COMMANDS } from "../../../src/commands/table.ts";
import type { Sys } from "../../../src/sys/sys.ts";
import { equal, ok, test, throws } from "../../support/unit.ts";

/** As much of a Sys as tells the width of the terminal, if there is one. */
function stdoutOf(columns: number): Sys {
  const fd = { number: 1, take: () => fd, [Symbol.dispose]: () => undefined };
  const sys: Partial<Sys> = { inherited: () => fd, isTerminal: () => columns > 0, windowSize: () => [columns, 24] };
  return sys as Sys;
}

const PIPE = stdoutOf(0);

test("a command's help has its operands, what it does, and its options under each other", () => {
  equal(
    helpOf(PIPE, ["delete"]),
    `Usage: tsrun delete [options] ID

delete a container

Options:
  -f, --force  kill it first; fine if there is none
  -h, --help   show help
`,
  );
  equal(
    helpOf(PIPE, ["spec"]),
    `Usage: tsrun spec [options]

write a config.json to begin with

Options:
  -b, --bundle <DIR>  the bundle's directory (default: the working directory)
      --rootless      for a user without privileges
  -h, --help          show help
`,
  );
});

test("hidden options are hidden, and what is not done yet says so", () => {
  ok(!helpOf(PIPE, ["kill"]).includes("--all"));
  ok(!helpOf(PIPE, []).includes("--criu"));
  ok(helpOf(PIPE, ["exec"]).includes("its AppArmor profile (not supported yet)"));
});

test("the help of all has every command with its operands", () => {
  const text = helpOf(PIPE, []);
  ok(text.startsWith("Usage: tsrun [global options] COMMAND [options] [arguments]\n"));
  const words = text.split(/\s+/).join(" ");
  for (const { name, operands, summary } of COMMANDS)
    ok(words.includes(` ${`${name} ${operands}`.trim()} ${summary}`), name);
});

test("what is for images stands apart, and so do the operands with one", () => {
  const [usage, second] = helpOf(PIPE, ["run"]).split("\n");
  equal(usage, "Usage: tsrun run [options] ID");
  equal(second, "       tsrun run --image IMAGE [options] [ID] [-- COMMAND [ARG...]]");
  const [plain = "", images = ""] = helpOf(PIPE, ["run"]).split("Options with an image:");
  ok(plain.includes("--pid-file") && !plain.includes("--volume") && images.includes("--volume"));
});

test("every command has help, which its lines keep within the terminal", () => {
  for (const { name } of COMMANDS) {
    const text = helpOf(stdoutOf(72), name.split(" "));
    ok(text.startsWith(`Usage: tsrun ${name}`), name);
    ok(
      text.split("\n").every((line) => line.length <= 72),
      text,
    );
  }
});

test("a topic that does not exist is refused, with what was probably meant", () => {
  throws(() => helpOf(PIPE, ["frobnicate"]), "No help topic for 'frobnicate'");
  throws(() => helpOf(PIPE, ["delet"]), "No help topic for 'delet' (did you mean delete?)");
  equal(hintForOption(["delete"], "forse"), " (did you mean --force?)");
  equal(hintForOption(["delete"], "frobnicate"), "");
  equal(hintForOption([], "rot"), " (did you mean --root?)");
  equal(hintForOption([], ""), "");
});
