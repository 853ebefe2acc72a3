/** What people read. */
import { ageOf, secondsOf, sizeText } from "../../../src/image/words.ts";
import { decodeUtf8, rawText } from "../../../src/image/utf8.ts";
import { equal, test } from "../../support/unit.ts";

test("sizes have three digits and a decimal unit", () => {
  const cases: Record<string, number> = {
    "0B": 0,
    "999B": 999,
    "1kB": 1000,
    "1.98MB": 1_983_217,
    "41.5MB": 41_500_000,
    "187MB": 187_000_000,
    "1.2GB": 1_200_000_000,
  };
  for (const [text, bytes] of Object.entries(cases)) equal(sizeText(bytes), text);
});

test("ages are in the largest unit that fits", () => {
  const now = secondsOf("2026-11-24T12:00:00Z") ?? 0;
  const cases: Record<string, string> = {
    "2026-11-24T12:00:00Z": "just now",
    "2026-11-24T11:59:59Z": "1 second ago",
    "2026-11-24T11:00:00Z": "1 hour ago",
    "2026-11-21T11:00:00Z": "3 days ago",
    "2026-01-01T00:00:00Z": "10 months ago",
    "2020-01-01T00:00:00Z": "6 years ago",
    "2030-01-01T00:00:00Z": "just now",
    "": "N/A",
    yesterday: "N/A",
  };
  for (const [time, text] of Object.entries(cases)) equal(ageOf(time, now), text, time);
});

test("times of RFC 3339 are counted from 1970", () => {
  equal(secondsOf("1970-01-01T00:00:00Z"), 0);
  equal(secondsOf("2000-02-29T12:34:56.789Z"), 951_827_696);
  equal(secondsOf("2026-11-24T14:00:00+02:00"), secondsOf("2026-11-24T12:00:00Z"));
  equal(secondsOf("2026-11-24"), undefined);
});

test("UTF-8 is put together again", () => {
  const text = "a\u00e4\u20ac\u{1f600}z";
  const bytes = Uint8Array.of(0x61, 0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0x7a);
  equal(decodeUtf8(rawText(bytes)), text);
  equal(decodeUtf8("plain"), "plain");
  equal(decodeUtf8("\xc3"), "\ufffd");
});
