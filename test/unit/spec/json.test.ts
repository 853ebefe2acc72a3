import { parseAcceptedJson, parseExactJson, parseJson, writeJson } from "../../../src/spec/json.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

const MALFORMED: readonly (readonly [text: string, message: string])[] = [
  ["", "line 1, column 1: expected a value but found the end of the text"],
  ["{", "line 1, column 2: expected a property name in quotes but found the end of the text"],
  ['{"a":1,}', 'line 1, column 8: expected a property name in quotes but found "}"'],
  ["[1,]", 'line 1, column 4: expected a value but found "]"'],
  ['{"a" 1}', 'expected ":" but found "1"'],
  ['{"a":1 "b":2}', 'expected "," or "}" but found "\\""'],
  ['{\n  "a": tru\n}', "line 2, column 8: expected a value"],
  ["[1 2]", 'expected "," or "]" but found "2"'],
  ["1 2", 'expected the end of the text but found "2"'],
  ['"abc', "expected a closing quote for the string"],
  ['"abc\\', "expected a closing quote for the string"],
  ['"a\nb"', "control characters in strings must be escaped"],
  ['"\\x"', "the string has a wrong escape"],
  ["-", "expected a digit but found the end of the text"],
  ["1.", "expected a digit"],
  ["1e", "expected a digit"],
  ["01", 'expected the end of the text but found "1"'],
  ["+1", 'expected a value but found "+"'],
  ["NaN", 'expected a value but found "N"'],
  ["\ufeff{}", "expected a value"],
  ["{'a':1}", 'expected a property name in quotes but found "\'"'],
  ["// no\n{}", 'expected a value but found "/"'],
];

for (const [text, message] of MALFORMED) {
  test(`the text ${JSON.stringify(text)} is refused with its place`, () => throws(() => parseJson(text), message));
}

const TEXTS: readonly string[] = [
  '{"a":[1,2.5,-3e2,0,-0.5],"b":{"c":null,"d":true,"e":false},"":"x"}',
  " [ ] ",
  '{"a":{},"b":[[]]}',
  '"\\u00e9\\n\\"\\\\\\/ \\ud83d\\ude00 é"',
  '{"a":1,"a":2}',
  "12",
];

for (const text of TEXTS) {
  test(`all parsers read ${text} alike`, () => {
    deepEqual(parseExactJson(text), JSON.parse(text));
    deepEqual(parseAcceptedJson(text), JSON.parse(text));
  });
}

test("integers beyond 2^53 are exact, however they are written", () => {
  equal(parseExactJson("18446744073709551615"), 18446744073709551615n);
  equal(parseExactJson("-9223372036854775808"), -9223372036854775808n);
  equal(parseExactJson("9007199254740993"), 9007199254740993n);
  equal(parseExactJson("9007199254740991"), 9007199254740991);
  equal(parseExactJson("1e19"), 10000000000000000000n);
  equal(parseExactJson("1.8446744073709551615E+19"), 18446744073709551615n);
  equal(parseExactJson("184467440737095516150e-1"), 18446744073709551615n);
});

test("numbers that no field can hold stay numbers, without work for their digits", () => {
  equal(parseExactJson("1e400"), Infinity);
  equal(parseExactJson("9007199254740993.5"), 9007199254740994);
  equal(typeof parseExactJson("9".repeat(100000)), "number");
});

test("__proto__ is a name like any other", () => {
  const value = Object(parseExactJson('{"__proto__":{"x":1}}'));
  ok(Object.hasOwn(value, "__proto__"));
  equal(Object.getPrototypeOf(value), Object.prototype);
});

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

test("nesting is refused beyond 128 levels and not before", () => {
  ok(Array.isArray(parseJson(nested(128))));
  throws(() => parseJson(nested(129)), "nesting must not be deeper than 128 levels");
  throws(() => parseJson(`{"a":`.repeat(129) + "1" + "}".repeat(129)), "nesting must not be deeper than 128 levels");
});

test("very deep nesting is an error, not a stack overflow", () => {
  for (const open of ["[", '{"a":', '[{"a":', '"]]]]",[']) {
    throws(() => parseJson(open.repeat(1000000)), "JSON");
    throws(() => parseExactJson(open.repeat(1000000)), "JSON");
  }
});

test("many brackets side by side are no nesting", () => {
  ok(Array.isArray(parseJson(`[${"[],".repeat(5000)}{}]`)));
});

test("an error is one short line, whatever the text holds", () => {
  let message = "";
  try {
    parseJson(`{"a":\u009b\n}`);
  } catch (error) {
    message = error instanceof Error ? error.message : "";
  }
  ok(message.includes("\\u009b"), message);
  ok(!message.includes("\n"));
});

test("what is written is read again, with every digit and without what is undefined", () => {
  const plain = { list: [1, "two", null], none: undefined, text: '"\\\u2028' };
  equal(writeJson(plain), JSON.stringify(plain));
  equal(
    writeJson({ ...plain, most: 2n ** 64n - 1n }),
    `${JSON.stringify(plain).slice(0, -1)},"most":18446744073709551615}`,
  );
});
