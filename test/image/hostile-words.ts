/** Archives that say what no honest one does: sizes, records, whiteouts, what overlayfs believes; each with its advisory. */
import { forged, recordsOf, type Forged } from "./forge.ts";
import { directory, link, NO_DIRECTORY, one, type Row } from "./hostile-rows.ts";

export const BAD_WORDS: readonly Row[] = [
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
    about: "an archive that ends in the middle",
    layers: () => [forged([{ name: "f", body: "x".repeat(5000) }]).subarray(0, 2000)],
    refused: /ends|truncated|early/,
  },
  {
    about: "a sparse file of an exabyte",
    layers: one({
      name: "f",
      pax: {
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
