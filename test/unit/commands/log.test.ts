import { Log, type LogOptions } from "../../../src/commands/log.ts";
import { Failure } from "../../../src/sys/failure.ts";
import type { Fd, Sys } from "../../../src/sys/sys.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

interface Written {
  readonly stderr: string[];
  readonly file: string[];
}

function logWith(
  options: Partial<LogOptions>,
  { terminal = false, opens = true } = {},
): { log: Log; written: Written } {
  const written: Written = { stderr: [], file: [] };
  const fd = (number: number): Fd => ({ number, take: () => fd(number), [Symbol.dispose]: () => undefined });
  const sys: Partial<Sys> = {
    inherited: fd,
    isTerminal: () => terminal,
    openat: () => {
      if (opens) return fd(3);
      throw new Error("no such file or directory");
    },
    writeText: ({ number }, text) => void (number === 2 ? written.stderr : written.file).push(text),
    clockRealtime: () => [1_700_000_000, 5],
  };
  return { log: new Log(sys as Sys, { path: "", format: "text", debug: false, ...options }), written };
}

test("without --log a failure is logrus's line on standard error", () => {
  const { log, written } = logWith({});
  log.fatal('no "x"\nhere');
  deepEqual(written, { stderr: ['time="2023-11-14T22:13:20Z" level=error msg="no \\"x\\" here"\n'], file: [] });
});

test("on a terminal it is for a person", () => {
  const { log, written } = logWith({}, { terminal: true });
  log.fatal("no such thing");
  deepEqual(written.stderr, ["tsrun: no such thing\n"]);
});

test("with --log it is one line in the file, and plain words on standard error", () => {
  const { log, written } = logWith({ path: "/l", format: "json" });
  log.fatal("no such thing");
  deepEqual(written, {
    stderr: ["no such thing\n"],
    file: ['{"level":"error","msg":"no such thing","time":"2023-11-14T22:13:20Z"}\n'],
  });
});

test("with --debug it says where in the program it comes from, and nothing else changes", () => {
  const { log, written } = logWith({ path: "/l", format: "json", debug: true });
  log.fatal("x", new Failure("x"));
  equal(written.file.length, 1);
  const entry = JSON.parse(written.file[0] ?? "") as Record<string, string>;
  deepEqual(Object.keys(entry), ["file", "func", "level", "msg", "time"]);
  ok(entry["func"] !== "Failure" && entry["func"] !== "");
  deepEqual(written.stderr, ["x\n"]);
});

test("a file that cannot be opened is a failure before anything is done, which standard error hears of", () => {
  const { log, written } = logWith({ path: "/no/l", format: "json" }, { opens: false });
  throws(() => log.open(), "cannot open the log /no/l: no such file or directory");
  log.fatal("told");
  deepEqual(written, { stderr: ['{"level":"error","msg":"told","time":"2023-11-14T22:13:20Z"}\n'], file: [] });
});

test("a warning is never in the file, and never JSON: podman reads a log of one line", () => {
  for (const path of ["", "/l"]) {
    const text = logWith({ path });
    text.log.warn("careful");
    deepEqual(text.written, { stderr: ['time="2023-11-14T22:13:20Z" level=warning msg="careful"\n'], file: [] });
    const json = logWith({ path, format: "json" });
    json.log.warn("careful");
    deepEqual(json.written, { stderr: [], file: [] });
  }
});

test("another format is refused", () => {
  throws(() => logWith({ format: "xml" }), "invalid log-format: xml");
});
