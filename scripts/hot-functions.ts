/**
 * Writes native/host/hot.ld: which functions of the engine and the C library the rehearsed commands call, for the linker to put
 * them together. The kernel maps a program's file 64 KiB around each page that is touched (fault_around_bytes), so code that
 * is used here and there makes every process larger. The list need not be complete, nor always fresh.
 * Usage, after scripts/build: `node --import ./scripts/typescript.mjs scripts/hot-functions.ts`; needs valgrind.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Called by commands and by no rehearsal: for slices of strings, which the rehearsed arguments do not need. */
const BESIDES = ["string_get"];
const TARGET = "x86_64-unknown-linux-musl";
const folder = mkdtempSync(join(tmpdir(), "hot-functions-"));

/** The rehearsal, with its symbols. */
function buildRehearsal(): string {
  const target = join(folder, "target");
  execFileSync("cargo", ["build", "-q", "--release", "--bin", "tsrun-rehearse"], {
    cwd: "native",
    stdio: "inherit",
    env: {
      ...process.env,
      CARGO_TARGET_DIR: target,
      CARGO_PROFILE_RELEASE_STRIP: "false",
      TSRUN_BYTECODE: resolve("build/bytecode"),
    },
  });
  return join(target, TARGET, "release/tsrun-rehearse");
}

/** The functions that a process of callgrind's spent time in: a first mention has the name, later ones only its number. */
function functionsIn(profile: string): Set<string> {
  const names = new Map<string, string>();
  const found = new Set<string>();
  for (const [, call, number = "", name] of profile.matchAll(/^(c?)fn=\((\d+)\)(?: (.*))?$/gm)) {
    if (name !== undefined) names.set(number, name.replace(/'\d+$/, ""));
    if (call === "") found.add(names.get(number) ?? "");
  }
  return found;
}

/** What the host calls of the engine: not all of it in a rehearsal, whose native calls are others. */
function calledByHost(): string[] {
  const host = "native/host/src/sys";
  const names = readdirSync(host, { encoding: "utf8", recursive: true }).filter((name) => name.endsWith(".rs"));
  const sources = names.map((name) => readFileSync(join(host, name), "utf8"));
  return [
    ...new Set(sources.flatMap((source) => [...source.matchAll(/\bq::(JS_\w+)\(/g)].map(([, name = ""]) => name))),
  ].toSorted();
}

/** How many scenarios call each function. A scenario is a child, whose costs begin at zero after fork. */
function countCalls(): Map<string, number> {
  const options = [
    "--tool=callgrind",
    "--demangle=no",
    "--zero-before=fork",
    `--callgrind-out-file=${folder}/profile.%p`,
  ];
  execFileSync("valgrind", [...options, buildRehearsal(), "build/scenarios.qbc"], { stdio: "ignore" });
  const profiles = readdirSync(folder).filter((name) => name.startsWith("profile."));
  const [, ...children] = profiles.toSorted((one, other) => Number(one.slice(8)) - Number(other.slice(8)));
  const counts = new Map<string, number>();
  for (const name of children) {
    for (const each of functionsIn(readFileSync(join(folder, name), "utf8"))) {
      counts.set(each, (counts.get(each) ?? 0) + 1);
    }
  }
  return counts;
}

/** C only: Rust's names change with each compiler, and its functions are few. What GCC appends to a name (.constprop.0) may change. */
function namesOf(counts: ReadonlyMap<string, number>): string[] {
  const names = [...counts.keys()].filter(
    (name) => /^[A-Za-z_][\w.]*$/.test(name) && !/^_(ZN|R)/.test(name) && name !== "main",
  );
  const often = names.toSorted(
    (one, other) => (counts.get(other) ?? 0) - (counts.get(one) ?? 0) || (one < other ? -1 : 1),
  );
  return [...new Set([...often.map((name) => name.split(".")[0] ?? name), ...calledByHost(), ...BESIDES])];
}

try {
  const names = namesOf(countCalls());
  const rules = names.map((name) => `    *(.text.${name} .text.${name}.* .rodata.${name} .rodata.${name}.*)\n`);
  writeFileSync(
    "native/host/hot.ld",
    `/* What the commands use of the program's code lies together. Made by scripts/hot-functions.ts: do not edit. */
SECTIONS
{
  /* A gap of a page makes a segment: when the kernel maps what is around a page, it maps nothing of the others. */
  . = ALIGN(CONSTANT(MAXPAGESIZE)) + CONSTANT(MAXPAGESIZE);
  /* What Rust's library has for backtraces, and nothing of a command. */
  .cold :
  {
    *libunwind*:*(.text .text.*)
    *(.text._R*gimli* .text._R*addr2line* .text._R*backtrace* .text._R*rustc_demangle* .text._R*miniz_oxide*)
  }
  . = ALIGN(CONSTANT(MAXPAGESIZE)) + CONSTANT(MAXPAGESIZE);
  .hot :
  {
${rules.join("")}    *(.text.main .text._ZN* .text._R*_4core* .text._R*_5alloc* .text.unlikely._ZN* .text.unlikely._R*_5alloc*)
    *libc.a:*(.text .text.*)
    *crt1.o(.text)
    *crtbegin*.o(.text .text.*)
    KEEP(*(SORT_NONE(.init)))
    KEEP(*(SORT_NONE(.fini)))
  }
  . = ALIGN(CONSTANT(MAXPAGESIZE)) + CONSTANT(MAXPAGESIZE);
}
INSERT BEFORE .init;
SECTIONS
{
  . = ALIGN(CONSTANT(MAXPAGESIZE)) + CONSTANT(MAXPAGESIZE);
}
INSERT AFTER .rodata;
/* The memory of commands (.bss.growth, arena.rs) lies behind what is small, which shares a page with .data. */
SECTIONS
{
  .small : { *(.bss .bss.[!g]* COMMON) }
}
INSERT BEFORE .bss;
`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
