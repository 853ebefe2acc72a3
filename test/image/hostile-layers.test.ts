/**
 * Layers that mean harm, a row for each way that has been published: refused with one line, or kept to their own tree. Whatever
 * becomes of them, nothing beside the store changes.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test, type Box } from "../support/box.ts";
import { random } from "../support/random.ts";
import { treeOf } from "../support/tree.ts";
import { forged, forgedLayer, recordsOf, type Forged } from "./forge.ts";
import { EMPTY, Store } from "./images.ts";
import { thorough } from "./thorough.ts";

/** Files beside the store that a layer would like to reach. */
class Canary {
  readonly path: string;
  readonly #before: string[];

  constructor(box: Box) {
    this.path = box.file("canary");
    mkdirSync(join(this.path, "dir"));
    for (const name of ["secret", "dir/inner", "dir/.wh.x"]) writeFileSync(join(this.path, name), "canary");
    symlinkSync("secret", join(this.path, "link"));
    chmodSync(join(this.path, "secret"), 0o600);
    for (const name of ["secret", "dir/inner", "dir", "."]) utimesSync(join(this.path, name), 1e9, 1e9);
    this.#before = this.#look();
  }

  assertUntouched(what: string): void {
    assert.deepEqual(this.#look(), this.#before, what);
  }

  /** In this process: there are thousands of looks. */
  #look(): string[] {
    return ["", ...readdirSync(this.path, { recursive: true, encoding: "utf8" }).toSorted()].map((name) => {
      const path = join(this.path, name);
      const { mode, uid, gid, size, nlink, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
      const text = lstatSync(path).isFile() ? readFileSync(path, "utf8") : "";
      return [name, mode, uid, gid, size, nlink, mtimeNs, ctimeNs, text].join(" ");
    });
  }
}

/** What an image of these layers must come to: a refusal that says so, or a tree that has these lines and none like those. */
interface Row {
  readonly about: string;
  readonly layers: (canary: string) => readonly (readonly Forged[] | Buffer)[];
  readonly refused?: RegExp;
  readonly has?: readonly RegExp[];
  readonly lacks?: readonly RegExp[];
}

const directory = (name: string, more: Partial<Forged> = {}): Forged => ({ name, flag: "5", ...more });
const link = (name: string, to: string): Forged => ({ name, flag: "2", link: to });
const hard = (name: string, to: string): Forged => ({ name, flag: "1", link: to });
const up = (path: string): string => `${"../".repeat(40)}${path.slice(1)}`;
const one =
  (...entries: Forged[]): (() => readonly Forged[][]) =>
  () => [entries];

const NO_DIRECTORY = /goes through something that is no directory of this layer/;

const ROWS: readonly Row[] = [
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
  // CVE-2025-62518, RUSTSEC-2026-0068, -0112, -0145: two sizes.
  {
    about: "a size in the extended header that covers a smuggled entry",
    layers: () => {
      const smuggled = forged([{ name: "smuggled" }]).subarray(0, 512);
      return [forged([{ name: "f", body: smuggled, size: 0, pax: { size: "512" } }])];
    },
    has: [/^"f" f .* 512 /],
    lacks: [/smuggled/],
  },
  {
    about: "a size beyond the end",
    layers: one({ name: "f", body: "x", pax: { size: "99999999" } }),
    refused: /ends|truncated|early/,
  },
  ...["-1", "1e3", "99999999999999999999", "0x10", "1 "].map((size): Row => ({
    about: `the size "${size}"`,
    layers: one({ name: "f", pax: { size } }),
    refused: /is not a number/,
  })),
  {
    about: "a record that is shorter than it says",
    layers: one({ name: "x", flag: "x", body: "99 path=a\n" }, { name: "f" }),
    refused: /malformed record/,
  },
  {
    about: "a record without a key",
    layers: one({ name: "x", flag: "x", body: "6 =ab\n" }, { name: "f" }),
    refused: /malformed record/,
  },
  { about: "a NUL in a name", layers: one({ name: "f", pax: { path: "a\0b" } }), refused: /is not a name/ },
  {
    about: "a NUL in a target",
    layers: one({ name: "f", flag: "2", pax: { linkpath: "a\0b" } }),
    refused: /is not a name/,
  },
  {
    about: "a name in a global header",
    layers: one({ name: "g", flag: "g", body: recordsOf({ path: "evil" }) }, { name: "f" }),
    refused: /global extended header/,
  },
  { about: "an entry of an unknown kind", layers: one({ name: "f", flag: "V" }), refused: /unknown type/ },
  // CVE-2017-14992, CVE-2023-25153, CVE-2020-1702: too much.
  {
    about: "an extended header of 2 MiB",
    layers: one({ name: "f", pax: { comment: Buffer.alloc(2 << 20, "x") } }),
    refused: /at most 1048576 are read/,
  },
  { about: "a step of 256 bytes", layers: one({ name: "n".repeat(256) }), refused: /longer than 255 bytes/ },
  {
    about: "a name of 5000 bytes",
    layers: one({ name: `${"n".repeat(200)}/`.repeat(25) }),
    refused: /longer than 4095 bytes/,
  },
  { about: "300 directories in each other", layers: one({ name: `${"d/".repeat(300)}f` }), refused: /deeper than 255/ },
  {
    about: "300 directories in each other by way of links",
    layers: () => {
      const steps = Array.from({ length: 10 }, (_, n): Forged[] => [
        directory(`${n === 0 ? "" : `l${n - 1}/`}${"d/".repeat(30)}`),
        link(`l${n}`, `${n === 0 ? "" : `l${n - 1}/`}${"d/".repeat(30)}`),
      ]);
      return [[...steps.flat(), { name: "l9/f" }]];
    },
    refused: /deeper than 255|too many links|no directory/,
  },
  {
    about: "100,001 directories without an entry",
    layers: () => [Array.from({ length: 100_001 }, (_, n): Forged => ({ name: `${n}/f` }))],
    refused: /100000 directories have no entry/,
  },
  {
    about: "an archive that ends in the middle",
    layers: () => [forged([{ name: "f", body: "x".repeat(5000) }]).subarray(0, 2000)],
    refused: /ends|truncated|early/,
  },
  {
    about: "a sparse file of an exabyte",
    layers: one({
      name: "f",
      pax: {
        "GNU.sparse.major": "0",
        "GNU.sparse.map": "0,0",
        "GNU.sparse.size": "1152921504606846976",
        "GNU.sparse.numblocks": "1",
      },
    }),
    refused: /size of 1152921504606846976|extended header/,
  },
  // Whiteouts: containerd 384d46d8, umoci 635306a3.
  ...[".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh...", ".wh.a/b", "a/.wh.b/.wh.c"].map((name): Row => ({
    about: `the whiteout ${name}`,
    layers: one(directory("a"), { name }),
    refused: /names no file|as a directory/,
  })),
  {
    about: "a whiteout below a link to the host",
    layers: (at) => [[link("l", at), { name: "l/.wh.secret" }]],
    refused: NO_DIRECTORY,
  },
  {
    about: "an opaque mark below a link to the host",
    layers: (at) => [[link("l", at), { name: "l/.wh..wh..opq" }]],
    refused: NO_DIRECTORY,
  },
  {
    about: "a whiteout below a link of a lower layer",
    layers: (at) => [
      [link("l", at), { name: "kept" }],
      [{ name: "l/.wh.secret" }, { name: "l/.wh..wh..opq" }],
    ],
    has: [/^"kept" f/],
  },
  {
    about: "whiteouts of what the layer has, of nothing, and with data",
    layers: () => [
      [{ name: "old" }],
      [
        { name: "mine", body: "x" },
        { name: ".wh.mine" },
        { name: ".wh.nothing" },
        { name: ".wh.old", body: "data" },
        directory(".wh.dir/"),
      ],
    ],
    has: [/^"mine" f/],
    lacks: [/"old"|nothing|\.wh\./],
  },
  {
    about: "files of aufs",
    layers: one(directory(".wh..wh.plnk/"), { name: ".wh..wh.plnk/1.2" }, { name: ".wh..wh.aufs" }, { name: "f" }),
    has: [/^"f" f/],
    lacks: [/\.wh\./],
  },
  // What overlayfs believes: storage 3543e368 and 30636358.
  ...["trusted", "user"].flatMap((space) =>
    ["opaque", "redirect", "metacopy", "whiteout", "origin", "impure", "uuid"].map((name): Row => ({
      about: `${space}.overlay.${name}`,
      layers: () => [
        [directory("d/"), { name: "d/lower", body: "x" }],
        [
          directory("d/", { pax: { [`SCHILY.xattr.${space}.overlay.${name}`]: "y" } }),
          { name: "d/f", pax: { [`LIBARCHIVE.xattr.${space}.overlay%2E${name}`]: "eQ==" } },
        ],
      ],
      has: [/^"d\/lower" f/, /^"d\/f" f/],
      lacks: [/overlay/],
    })),
  ),
  {
    about: "the device 0:0",
    layers: one({ name: "f", flag: "3", device: [0, 0] }),
    refused: /0:0 is overlayfs's sign/,
  },
  {
    about: "the device 4096:0, which is 0:0 to the kernel",
    layers: one({ name: "f", flag: "3", device: [4096, 0] }),
    refused: /out of range/,
  },
  {
    about: "the device 0:1048576, which is 0:0 too",
    layers: one({ name: "f", flag: "3", device: [0, 1 << 20] }),
    refused: /out of range/,
  },
  {
    about: "the owner 4294967295, which means none",
    layers: one({ name: "f", uid: 0xffff_ffff }),
    refused: /out of range/,
  },
  {
    about: "the owner 4294967296, which is root to 32 bits",
    layers: one({ name: "f", pax: { uid: "4294967296" } }),
    refused: /out of range/,
  },
  {
    about: "an attribute without a name",
    layers: one({ name: "f", pax: { "SCHILY.xattr.": "x" } }),
    refused: /is not a name/,
  },
  {
    about: "an attribute of no kind that there is",
    layers: one({ name: "f", pax: { "SCHILY.xattr.nonsense": "x" } }),
    refused: /Cannot set the extended attribute 'nonsense'/,
  },
  {
    about: "times from the beginning to the end, and beyond",
    layers: one(
      { name: "negative", mtime: -1n },
      { name: "least", mtime: -(1n << 62n) },
      { name: "most", mtime: (1n << 62n) + 5n },
      { name: "fraction", pax: { mtime: "-9223372036854775807.999999999" } },
      directory("directory/", { pax: { mtime: "9223372036854775807" } }),
    ),
    has: [/^"negative" f 644 0:0 -1000000000 /, /^"least" f/, /^"most" f/, /^"fraction" f/, /^"directory" d/],
  },
];

for (const { about, layers, refused, has = [], lacks = [] } of ROWS) {
  test(`${about} ${refused === undefined ? "stays inside" : "is refused"}`, ["tool:python3"], async (box) => {
    const canary = new Canary(box);
    const store = new Store(box);
    const image = { layers: layers(canary.path).map((layer) => forgedLayer(layer)), process: { Cmd: ["x"] } };
    const archive = await store.archive("it.tar", image);
    if (refused === undefined) {
      store.prints("image", "load", archive);
      assert.match(store.prints("image", "check"), / 0 faults\n$/);
      store.prints("image", "unpack", "it", box.path("bundle"));
      const tree = treeOf(`${box.path("bundle")}/rootfs`);
      for (const line of has)
        assert.ok(
          tree.some((each) => line.test(each)),
          `${String(line)}: ${tree.join("\n")}`,
        );
      for (const line of lacks) assert.ok(!tree.some((each) => line.test(each)), `${String(line)}: ${tree.join("\n")}`);
      store.prints("image", "rm", "it");
    } else assert.match(store.refuses("image", "load", archive), refused);
    canary.assertUntouched(about);
    assert.deepEqual(store.contents(), EMPTY);
  });
}

const rounds = thorough(60, 2000);

test(
  `of ${rounds} layers made of ill will at random, none changes anything outside or breaks the store`,
  ["tool:python3"],
  async (box) => {
    const canary = new Canary(box);
    const store = new Store(box);
    let loaded = 0;
    for (let seed = 1; seed <= rounds; seed++) {
      const dice = random(seed);
      const layers = Array.from({ length: 1 + dice.below(3) }, () => illWill(dice, canary.path));
      const what = `seed ${seed}: ${JSON.stringify(layers)}`;
      const archive = await store.archive("it.tar", {
        layers: layers.map((layer) => forgedLayer(layer)),
        process: { Cmd: ["x"] },
      });
      const { status, stderr } = store.tsrun(["image", "load", archive]);
      assert.ok(status === 0 || (status === 1 && /^[^\n]{1,4096}\n$/.test(stderr)), `${status} ${stderr} ${what}`);
      if (status === 0) {
        loaded++;
        assert.match(store.prints("image", "check"), / 0 faults\n$/, what);
        store.prints("image", "unpack", "it", box.path(`bundle${seed}`));
        store.prints("image", "rm", "it");
      }
      canary.assertUntouched(what);
      assert.deepEqual(store.contents(), EMPTY, what);
    }
    assert.ok(
      loaded > rounds / 10 && loaded < rounds,
      `${loaded} were loaded: the dice make neither only good ones nor only bad ones`,
    );
    assert.ok(!existsSync(join(canary.path, "new")));
  },
);

/** Entries of which each may be the one that a check forgets. */
function illWill(dice: ReturnType<typeof random>, canary: string): Forged[] {
  const steps = ["a", "b", "l", "a/b", "l/x", "a/l/y", "b/l"];
  const name = (): string =>
    dice.below(25) === 0
      ? dice.pick([
          "..",
          "a/../b",
          "../x",
          "/",
          ".",
          "",
          ".wh.",
          ".wh..",
          "x".repeat(256),
          up(`${canary}/new`),
          "d/".repeat(260),
          "a\nb",
          "\u0007",
        ])
      : `${dice.pick(["", "", "./", "/"])}${dice.pick(steps)}${dice.pick(["", "", "", "/", "//c"])}`;
  const marked = (): string => {
    const [path, mark] = [dice.pick(steps), dice.pick([".wh.b", ".wh.l", ".wh..wh..opq", ".wh.secret", ".wh..wh.x"])];
    return `${path}/${mark}`;
  };
  const target = (): string =>
    dice.pick([
      canary,
      `${canary}/secret`,
      up(canary),
      "..",
      "../..",
      "/",
      ".",
      "a",
      "l",
      "/a/b",
      "b/l",
      "../a",
      "/proc/self/root",
      "/proc/self/fd/3",
    ]);
  return Array.from({ length: 2 + dice.below(10) }, (): Forged => {
    const flag = dice.pick(["0", "0", "0", "1", "1", "2", "2", "2", "3", "5", "5", "6"]);
    const attributes =
      dice.below(8) === 0
        ? { pax: { "SCHILY.xattr.trusted.overlay.redirect": "/", "SCHILY.xattr.trusted.overlay.opaque": "y" } }
        : {};
    return {
      name: dice.below(7) === 0 ? marked() : name(),
      flag,
      link: flag === "1" && dice.below(4) > 0 ? dice.pick(steps) : target(),
      body: flag === "0" ? "x".repeat(dice.below(20)) : "",
      mode: dice.pick([0o644, 0o7777, 0]),
      uid: dice.pick([0, 0, 1000, 0xffff_fffe]),
      device: dice.pick([
        [1, 3],
        [1, 3],
        [5, 1],
        [0, 1],
      ] as const),
      ...attributes,
    };
  });
}
