/** Who a container's process is. */
import { resolveUser } from "../../../src/image/users.ts";
import { deepEqual, equal, test, throws } from "../../support/unit.ts";

const PASSWD = [
  "root:x:0:0:root:/root:/bin/sh",
  "# a comment",
  "",
  "alice:x:1000:1001::/home/alice:/bin/sh",
  "1234:x:0:0:named like a number:/:/bin/sh",
  "toolarge:x:4294967296:0::/:",
  "negative:x:-1:0::/:",
  "empty:x:::/:",
  "short:x",
  "last:x:4294967294:4294967294::/:",
].join("\n");
const GROUP = "root:x:0:\nwheel:x:10:root,alice\nstaff:x:50:alice\nbad:x:99999999999:alice\n77:x:0:\n";
const FILES = { passwd: () => PASSWD, group: () => GROUP };
const NONE = { passwd: () => "", group: () => "" };

test("nobody in particular is root, with root's groups", () => {
  deepEqual(resolveUser("", FILES), { uid: 0, gid: 0, additionalGids: [0, 10] });
  deepEqual(resolveUser("", NONE), { uid: 0, gid: 0, additionalGids: [0] });
});

test("a name has its ids, and the groups that list it", () => {
  deepEqual(resolveUser("alice", FILES), { uid: 1000, gid: 1001, additionalGids: [1001, 10, 50] });
});

test("a number is a number, whatever the image calls so (CVE-2016-3697)", () => {
  deepEqual(resolveUser("1234", FILES), { uid: 1234, gid: 0, additionalGids: [0] });
  deepEqual(resolveUser("1000", FILES), { uid: 1000, gid: 1001, additionalGids: [1001, 10, 50] });
  deepEqual(resolveUser("5:77", FILES), { uid: 5, gid: 77, additionalGids: [77] });
});

test("a group that is named is the only one", () => {
  deepEqual(resolveUser("alice:staff", FILES), { uid: 1000, gid: 50, additionalGids: [50] });
  deepEqual(resolveUser(":10", FILES), { uid: 0, gid: 10, additionalGids: [10] });
});

test("the largest id is two less than 2^32 (CVE-2024-40635)", () => {
  equal(resolveUser("4294967294", NONE).uid, 4294967294);
  equal(resolveUser("last", FILES).uid, 4294967294);
  for (const user of [
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "9".repeat(400),
    "0:4294967295",
    "0:99999999999",
  ]) {
    throws(() => resolveUser(user, FILES), "is no id");
  }
});

test("what is neither a number nor a name in the image is nobody, least of all root", () => {
  for (const user of [
    "bob",
    "-1",
    "+1",
    "0x0",
    "1e3",
    " 0",
    "0 ",
    "1.0",
    "alice ",
    "toolarge",
    "negative",
    "empty",
    "short",
    "٠",
  ]) {
    throws(() => resolveUser(user, FILES), "no user");
  }
  for (const group of ["0:none", "0:bad", "0:-1", "0:1:2"]) throws(() => resolveUser(group, FILES), "no group");
});
