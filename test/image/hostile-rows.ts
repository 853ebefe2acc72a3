/** Published ways out of a layer by links, names and roots, and what must become of each: security advisories, by their numbers. */
import type { Forged } from "./forge.ts";

/** What an image of these layers must come to: a refusal that says so, or a tree that has these lines and none like those. */
export interface Row {
  readonly about: string;
  readonly layers: (canary: string) => readonly (readonly Forged[] | Buffer)[];
  readonly refused?: RegExp;
  readonly has?: readonly RegExp[];
  readonly lacks?: readonly RegExp[];
}

export const directory = (name: string, more: Partial<Forged> = {}): Forged => ({ name, flag: "5", ...more });
export const link = (name: string, to: string): Forged => ({ name, flag: "2", link: to });
const hard = (name: string, to: string): Forged => ({ name, flag: "1", link: to });
export const up = (path: string): string => `${"../".repeat(40)}${path.slice(1)}`;
export const one =
  (...entries: Forged[]): (() => readonly Forged[][]) =>
  () => [entries];

export const NO_DIRECTORY = /goes through something that is no directory of this layer/;

/** By names and links. */
export const WAYS_OUT: readonly Row[] = [
  // A link on the way: CVE-2018-15664, CVE-2019-10152, CVE-2019-18466, RUSTSEC-2018-0002, RUSTSEC-2021-0080.
  {
    about: "a file below a link to the host",
    layers: (at) => [[link("l", at), { name: "l/new", body: "x" }]],
    refused: NO_DIRECTORY,
  },
  {
    about: "a file below a link far up",
    layers: (at) => [[link("l", up(at)), { name: "l/new" }]],
    refused: NO_DIRECTORY,
  },
  {
    about: "a directory below a link to the host",
    layers: (at) => [[link("l", at), directory("l/made/")]],
    refused: NO_DIRECTORY,
  },
  {
    about: "a file below a link to the root, which is the layer's own",
    layers: one(link("l", "../../.."), { name: "l/inside", body: "x" }, link("m", "/"), { name: "m/too" }),
    has: [/^"inside" f/, /^"too" f/],
  },
  {
    about: "a file below a link of a lower layer",
    layers: (at) => [[link("l", at)], [{ name: "l/new", body: "x" }]],
    has: [/^"l" d/, /^"l\/new" f/],
  },
  {
    about: "a chain of links that ends at the host",
    layers: (at) => [[link("a", "b"), link("b", "c"), link("c", at), { name: "a/new" }]],
    refused: NO_DIRECTORY,
  },
  {
    about: "links in a circle",
    layers: one(link("a", "b"), link("b", "a"), { name: "a/x" }),
    refused: /too many links/,
  },
  {
    about: "links one after another without an end",
    layers: () => [
      [...Array.from({ length: 60 }, (_, n) => link(`l${n}`, `l${n + 1}`)), directory("l60"), { name: "l0/x" }],
    ],
    refused: /too many links/,
  },
  { about: "a name with a parent step", layers: (at) => [[{ name: up(`${at}/new`) }]], refused: /has a step '\.\.'/ },
  {
    about: "a name with a parent step that stays inside",
    layers: one(directory("a"), { name: "a/../b" }),
    refused: /has a step '\.\.'/,
  },
  {
    about: "an absolute name, which is the layer's own",
    layers: (at) => [[{ name: `${at}/secret`, body: "x" }]],
    has: [/canary\/secret" f/],
  },
  // CVE-2021-29136.
  ...["0", "1", "2", "3", "6"].flatMap((flag) =>
    ["./", "/", ".", "///./"].map((name): Row => ({
      about: `a root "${name}" of kind ${flag}`,
      layers: (at) => [[{ name, flag, link: at, device: [1, 3] }]],
      // The name of a directory makes a directory of a file: POSIX, in archives older than it.
      ...(flag === "0" && name !== "." ? { has: [/^"\." d/] } : { refused: /the root|root is not a directory/ }),
    })),
  ),
  { about: "a root that a whiteout removes", layers: one({ name: ".wh.." }), refused: /names no file/ },
  // Attributes through a link: CVE-2021-32760, RUSTSEC-2026-0067 (CVE-2026-33056).
  {
    about: "a directory in the place of a link to the host, with attributes",
    layers: (at) => [[link("l", `${at}/dir`), directory("l/", { mode: 0o777, uid: 7, mtime: 1 })]],
    has: [/^"l" d 777 7:0 1000000000 /],
  },
  {
    about: "attributes of a link",
    layers: (at) => [
      [
        {
          ...link("l", `${at}/secret`),
          mode: 0o4777,
          uid: 7,
          gid: 7,
          mtime: 5,
          pax: { "SCHILY.xattr.trusted.x": "y" },
        },
      ],
    ],
    has: [/^"l" l - 7:7 5000000000 .* \{"trusted.x": "79"\}$/],
  },
  {
    about: "attributes of a second name of a link",
    layers: (at) => [[link("l", `${at}/secret`), { ...hard("h", "l"), mode: 0o777, uid: 9 }]],
    has: [/^"l" l .*"h"|^"h" l/],
  },
  // CVE-2025-47290: what was a directory is a link later.
  {
    about: "a directory that becomes a link in the middle",
    layers: (at) => [[directory("d/"), { name: "d/a" }, link("d", at), { name: "d/new" }]],
    refused: NO_DIRECTORY,
  },
  {
    about: "a directory that becomes a link, again and again",
    layers: (at) => [
      [directory("d/e/"), { name: "d/e/a" }, link("d/e", at), directory("d/e/"), { name: "d/e/b" }, link("d", at)],
    ],
    has: [/^"d" l/],
  },
  // Hard links: CVE-2026-17106, CVE-2026-50162, CVE-2026-50163, CVE-2026-26960, CVE-2026-29786.
  {
    about: "a hard link to a file of the host",
    layers: (at) => [[hard("h", `${at}/secret`)]],
    refused: /not in this layer/,
  },
  { about: "a hard link far up", layers: (at) => [[hard("h", up(`${at}/secret`))]], refused: /has a step '\.\.'/ },
  {
    about: "a hard link below a link",
    layers: (at) => [[link("l", at), hard("h", "l/secret")]],
    refused: NO_DIRECTORY,
  },
  { about: "a hard link to a directory", layers: one(directory("d"), hard("h", "d")), refused: /it is a directory/ },
  {
    about: "a hard link in the place of the directory that its target is in",
    layers: one(directory("d"), directory("d/e"), { name: "d/e/f", body: "x" }, hard("d", "d/e/f")),
    refused: /hard link to d\/e\/f: it is in the directory whose place the link takes/,
  },
  { about: "a hard link to the root", layers: one(hard("h", "/")), refused: /it is the root/ },
  {
    about: "a hard link to a file of a lower layer",
    layers: () => [[{ name: "f" }], [hard("h", "f")]],
    refused: /not in this layer/,
  },
  {
    about: "a hard link to what the layer removes",
    layers: one({ name: ".wh.f" }, hard("h", "f")),
    refused: /this layer removes it/,
  },
  { about: "a hard link to nothing", layers: one(hard("h", "")), refused: /it is the root/ },
  {
    about: "a hard link to itself, and links of links",
    layers: one({ name: "f", body: "x" }, hard("f", "f"), hard("g", "f"), hard("h", "g"), hard("g", "h")),
    has: [/^"f" f/, /^"g" f .* "f" \{\}$/, /^"h" f .* "f" \{\}$/],
  },
  {
    about: "a file in the place of a second name of a link to the host",
    layers: (at) => [[link("l", `${at}/secret`), hard("h", "l"), { name: "h", body: "x" }, { name: "l", body: "y" }]],
    has: [/^"h" f/, /^"l" f/],
  },
];
