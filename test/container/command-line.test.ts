import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "../support/box.ts";
import { run, TSRUN } from "../support/runtime.ts";

const COMMANDS = ["create", "start", "run", "exec", "kill", "delete", "state", "list", "ps", "spec", "features"];

test("--version prints the name and the word version first, then the version of the specification", [], (box) => {
  for (const flag of ["--version", "-v"]) {
    const { stdout } = run([TSRUN, flag], box.dir);
    assert.match(stdout, /^\w+ version \S+\n/);
    assert.match(stdout, /^spec: 1\.\d+\.\d+/m);
  }
});

test("help is printed by help, h, --help, -h and no command at all, with 0", [], (box) => {
  for (const args of [["help"], ["h"], ["--help"], ["-h"], []]) {
    const { status, stdout } = run([TSRUN, ...args], box.dir);
    assert.equal(status, 0, args.join(" "));
    for (const command of COMMANDS) assert.match(stdout, new RegExp(`\\b${command}\\b`));
  }
});

for (const command of COMMANDS) {
  test(`${command} has help of its own`, [], (box) => {
    for (const args of [
      [command, "--help"],
      [command, "-h"],
      ["help", command],
    ]) {
      const { status, stdout } = run([TSRUN, ...args], box.dir);
      assert.equal(status, 0, args.join(" "));
      assert.match(stdout, new RegExp(`\\b${command}\\b`));
    }
  });
}

test("an unknown command ends with 3", [], (box) => {
  const { status, stdout, stderr } = run([TSRUN, "frobnicate"], box.dir);
  assert.equal(status, 3);
  assert.match(stdout + stderr, /No help topic for 'frobnicate'/);
});

test("an unknown flag is an error", [], (box) => {
  for (const args of [
    ["--frobnicate", "list"],
    ["list", "--frobnicate"],
    ["delete", "-qf", "x"],
  ]) {
    assert.equal(box.tsrun(args).status, 1, args.join(" "));
  }
});

test("a wrong number of arguments is an error that says how many are wanted", [], (box) => {
  for (const command of ["create", "start", "run", "delete", "state"]) {
    const { status, stderr } = box.tsrun([command]);
    assert.equal(status, 1, command);
    assert.match(stderr, new RegExp(`"${command}\\\\?" requires exactly 1 argument`));
  }
  assert.match(box.tsrun(["state", "a", "b"]).stderr, /requires exactly 1 argument/);
});

test("an id of other characters, and . and .., are refused", [], (box) => {
  const bundle = box.bundle("true");
  for (const id of ["a/b", "../x", ".", "..", "a b", "é", "a\nb", "a:b", "*"]) {
    const { status, stderr } = box.tsrun(["create", "--bundle", bundle, id]);
    assert.equal(status, 1, id);
    assert.match(stderr, /invalid container ID format/, id);
  }
  assert.match(
    box.tsrun(["create", "--bundle", bundle, ""]).stderr,
    /container id cannot be empty|invalid container ID/i,
  );
});

test("a strange id is refused by every command before it touches a file", [], (box) => {
  box.file("victim/state.json", undefined);
  for (const command of [["delete", "--force"], ["state"], ["start"], ["kill"], ["ps"]]) {
    const { status } = box.tsrun([...command, "../victim"]);
    assert.equal(status, 1, command.join(" "));
  }
  assert.ok(existsSync(box.path("victim")));
});

test("long flags take one or two dashes, and a value after = or after a blank", [], (box) => {
  const bundle = box.bundle("true");
  for (const flags of [
    ["-bundle", bundle],
    [`-bundle=${bundle}`],
    [`--bundle=${bundle}`],
    ["-b", bundle],
    [`-b=${bundle}`],
  ]) {
    const { status, stderr } = box.tsrun(["run", ...flags, box.id()]);
    assert.equal(status, 0, `${flags.join(" ")}: ${stderr}`);
  }
});

test("a flag that is true or false takes =true and =false", [], (box) => {
  const { id } = box.started("sleep 100");
  assert.equal(box.tsrun(["delete", "--force=false", id]).status, 1);
  box.ok("delete", "--force=true", id);
});

// runc 1.1.5 takes it; refused since 1.5.
test("--root / is refused, however it is written", ["tsrun"], (box) => {
  for (const root of ["/", "", "../../../../../../..", "/tmp/.."]) {
    const { status, stderr } = run([TSRUN, "--root", root, "list"], box.dir, { cwd: "/tmp" });
    assert.equal(status, 1, root);
    assert.match(stderr, /root/);
  }
});

test("--log-format takes text and json, and nothing else", [], (box) => {
  const { status, stderr } = box.tsrun(["--log-format", "xml", "list"]);
  assert.equal(status, 1);
  assert.match(stderr, /invalid log-format/);
});

test("--log takes the error as one JSON line, and stderr has it in words", [], (box) => {
  const log = box.path("log.json");
  const { status, stderr } = box.tsrun(["--log", log, "--log-format", "json", "state", box.id()]);
  assert.equal(status, 1);
  assert.match(stderr, /container does not exist/);
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  assert.equal(lines.length, 1);
  const entry = JSON.parse(lines[0] ?? "") as Record<string, string>;
  assert.equal(entry["level"], "error");
  assert.match(entry["msg"] ?? "", /container does not exist/);
  assert.match(entry["time"] ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
});

test("--log is appended to, and the last --log wins", [], (box) => {
  const log = box.file("log", "before\n");
  box.tsrun(["--log", box.path("other"), "--log", log, "state", box.id()]);
  assert.match(readFileSync(log, "utf8"), /^before\n.*level=error msg="?container does not exist"?\n$/);
});

test("without --log an error of text is one line on stderr, with level and msg", [], (box) => {
  const { stderr } = box.tsrun(["state", box.id()]);
  assert.match(stderr, /^time="[^"]+" level=error msg="container does not exist"\n$/);
});

test("create that succeeds writes no word", [], (box) => {
  const log = box.path("log");
  const { id } = box.create("true");
  box.ok("--log", log, "--log-format", "json", "start", id);
  assert.equal(readFileSync(log, "utf8"), "");
});

test("a bundle without a config.json, or one that is no JSON, gives one line and no stack", [], (box) => {
  const bundle = box.bundle("true");
  const log = box.path("log.json");
  for (const [text, why] of [
    [undefined, /no such file|config.json/i],
    ["", /./],
    ["{", /./],
    ["[]", /./],
    ['{"ociVersion":"1.0.2"}', /./],
    ['{"ociVersion":"1.0.2","process":{"args":"sh"}}', /./],
    ["[".repeat(100_000), /./],
  ] as const) {
    const config = join(bundle, "config.json");
    run(["rm", "-f", config, log], box.dir);
    if (text !== undefined) box.file(config.slice(box.dir.length), text);
    const { status, stderr } = box.tsrun(["--log", log, "create", "--bundle", bundle, box.id()]);
    assert.equal(status, 1, text);
    assert.match(stderr, why);
    assert.ok(stderr.trimEnd().split("\n").length <= 2, stderr);
    assert.doesNotMatch(stderr, /^\s+at |goroutine|panicked|QuickJS/m);
  }
  assert.deepEqual(box.leftovers(), []);
});

test("spec writes a config.json that runs, and does not overwrite one", [], (box) => {
  const bundle = box.bundle("true");
  const config = join(bundle, "config.json");
  assert.equal(box.tsrun(["spec", "--bundle", bundle]).status, 1, "one is there");
  run(["rm", config], box.dir);
  box.ok("spec", "--bundle", bundle);
  assert.match(readFileSync(config, "utf8"), /^\{\n\t"ociVersion": "1\./);
  assert.ok(statSync(config).size > 1000);
  const written = JSON.parse(readFileSync(config, "utf8"));
  assert.deepEqual(written.process.args, ["sh"]);
  assert.equal(written.process.terminal, true);
  box.writeConfig(bundle, { ...written, process: { ...written.process, terminal: false, args: ["echo", "ran"] } });
  assert.equal(box.tsrun(["run", "--bundle", bundle, box.id()]).stdout, "ran\n");
});
