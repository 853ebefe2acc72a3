import { basename, cleanPath, dirname, isAbsolute, isWithin, join, resolve } from "../../../src/spec/paths.ts";
import { equal, test } from "../../support/unit.ts";

const CLEAN: readonly (readonly [path: string, clean: string])[] = [
  ["", "."],
  [".", "."],
  ["/", "/"],
  ["//", "/"],
  ["/..", "/"],
  ["/../../a", "/a"],
  ["/a/b", "/a/b"],
  ["/a/b/", "/a/b"],
  ["/a//b", "/a/b"],
  ["/a/./b", "/a/b"],
  ["/a/../b", "/b"],
  ["/a/b/../..", "/"],
  ["/a/..b", "/a/..b"],
  ["/.a", "/.a"],
  ["a/..", "."],
  ["../a", "../a"],
  ["../../a", "../../a"],
  ["a/../../b", "../b"],
  ["a/b/", "a/b"],
];

for (const [path, clean] of CLEAN) {
  test(`cleanPath of "${path}" is "${clean}", as in Go`, () => equal(cleanPath(path), clean));
}

test("join cleans, and does not ask whether the second is absolute", () => {
  equal(join("/a", "b"), "/a/b");
  equal(join("/a", "../b"), "/b");
  equal(join("/a", "/b"), "/a/b");
  equal(join("", "b/"), "b");
  equal(join("/a/", ""), "/a");
  equal(join("", ""), "");
});

test("resolve leaves an absolute path where it is", () => {
  equal(resolve("/bundle", "rootfs"), "/bundle/rootfs");
  equal(resolve("/bundle", "/rootfs/"), "/rootfs");
});

test("dirname and basename cut at the last slash", () => {
  equal(dirname("/a/b"), "/a");
  equal(dirname("/a"), "/");
  equal(dirname("a"), ".");
  equal(basename("/a/b"), "b");
  equal(basename("/a/b/"), "b");
  equal(basename("a"), "a");
  equal(basename("/"), "/");
  equal(basename(""), ".");
});

test("isWithin looks at components, not at letters", () => {
  equal(isWithin("/proc/a", "/proc"), true);
  equal(isWithin("/proc", "/proc"), true);
  equal(isWithin("/process", "/proc"), false);
  equal(isWithin("/a", "/"), true);
});

test("a path is absolute when it begins at the root", () => {
  equal(isAbsolute("/a"), true);
  equal(isAbsolute("a"), false);
  equal(isAbsolute(""), false);
});
