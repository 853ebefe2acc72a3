import { readDocument } from "../../../src/spec/document.ts";
import { SpecError } from "../../../src/spec/error.ts";
import * as read from "../../../src/spec/reader.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

test("an error begins with the JSON path, and says what is and what should be", () => {
  const object = { destination: "proc", list: ["a", 1], size: 1.5, flag: "yes" };
  throws(
    () => read.absolutePathIn(object, "destination", "mounts[2]"),
    'mounts[2].destination must be an absolute path: current value is "proc"',
  );
  throws(() => read.stringsIn(object, "list", "mounts[2]"), "mounts[2].list[1] must be a string: current value is 1");
  throws(
    () => read.integerIn(object, "size", "x", read.UINT32),
    "x.size must be an integer from 0 to 4294967295: current value is 1.5",
  );
  throws(() => read.booleanIn(object, "flag", ""), 'flag must be true or false: current value is "yes"');
  throws(() => read.objectIn(object, "list", ""), "list must be an object: current value is an array");
  throws(() => read.arrayIn({ a: {} }, "a", ""), "a must be an array: current value is an object");
  throws(() => read.requiredStringIn({ a: "" }, "a", ""), "a must not be empty");
  throws(() => read.requiredStringIn({}, "a", ""), "a is required");
  throws(() => read.stringMapIn({ m: { "a b": 1 } }, "m", ""), 'm["a b"] must be a string: current value is 1');
});

test("an error carries its path", () => {
  try {
    read.asObject(1, "process");
  } catch (error) {
    ok(error instanceof SpecError);
    equal(error instanceof SpecError ? error.at : "", "process");
  }
});

test("null is the same as absence", () => {
  const object = { a: null };
  equal(read.objectIn(object, "a", ""), undefined);
  deepEqual(read.arrayIn(object, "a", ""), []);
  equal(read.stringIn(object, "a", ""), "");
  equal(read.booleanIn(object, "a", ""), false);
  equal(read.integerIn(object, "a", "", read.UINT32), undefined);
  equal(read.uint64In(object, "a", ""), undefined);
  deepEqual(read.stringMapIn(object, "a", ""), {});
});

test("a range holds both of its ends", () => {
  equal(read.integerIn({ a: 0 }, "a", "", read.ID), 0);
  equal(read.integerIn({ a: 4294967294 }, "a", "", read.ID), 4294967294);
  throws(() => read.integerIn({ a: 4294967295 }, "a", "", read.ID), "from 0 to 4294967294");
  throws(() => read.integerIn({ a: -1 }, "a", "", read.ID), "from 0 to 4294967294");
  ok(Object.is(read.integerIn({ a: -0 }, "a", "", read.ID), 0), "-0 becomes 0");
});

const read64 = (text: string): bigint | undefined => readDocument(text, (object) => read.uint64In(object, "a", ""));

test("64 bits are exact", () => {
  equal(read64('{"a":18446744073709551615}'), 18446744073709551615n);
  equal(read64('{"a":18446744073709551614}'), 18446744073709551614n);
  equal(read64('{"a":1.8446744073709551615e19}'), 18446744073709551615n);
  equal(read64('{"a":7}'), 7n);
  throws(
    () => read64('{"a":18446744073709551616}'),
    "from 0 to 18446744073709551615: current value is 18446744073709551616",
  );
  throws(() => read64('{"a":1e999}'), "a must be an integer that fits its field");
  throws(() => read64('{"a":-1}'), "from 0 to");
  equal(
    readDocument('{"a":-9223372036854775808}', (object) => read.int64In(object, "a", "")),
    -(2n ** 63n),
  );
  throws(
    () => readDocument('{"a":9223372036854775808}', (object) => read.int64In(object, "a", "")),
    "to 9223372036854775807",
  );
});

test("NUL is refused wherever it stands, with its place", () => {
  throws(
    () => readDocument('{"a":{"b":["x\\u0000"]}}', (object) => object),
    'a.b[0] must not contain NUL: current value is "x\\u0000"',
  );
  throws(() => readDocument('{"a":{"b\\u0000":1}}', (object) => object), "a must not contain NUL");
  deepEqual(
    readDocument('{"a":"\\\\u0000"}', (object) => object),
    { a: "\\u0000" },
  );
});

test("a quoted text is one short line without what a terminal obeys", () => {
  equal(read.quote('a"b\n\u001b\u007f\u009b'), '"a\\"b\\n\\u001b\\u007f\\u009b"');
  ok(read.quote("x".repeat(100000)).length < 130);
});
