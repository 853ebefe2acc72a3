/** Ids that are lent, and what containers get of them: subuid(5). */
import { freeIn, mapsOf, rangesIn, sizeFor } from "../../../src/image/lent.ts";
import { deepEqual, equal, test, throws } from "../../support/unit.ts";

test("the first range of the user's counts, by name or by number", () => {
  const text = "bob:100000:65536\n1000:200000:10\nalice:300000:65536\n";
  equal(rangesIn(text, ["1000", "alice"])[0]?.first, 200_000);
  equal(rangesIn(text, ["1001", "alice"])[0]?.first, 300_000);
  deepEqual(rangesIn(text, ["1001", "carol"]), []);
});

test("a line that is none lends nothing", () => {
  for (const line of ["alice", "alice:1", "alice::5", "alice:x:5", "alice:1:0", "alice:1:-5", "alice:1:2:3"])
    deepEqual(rangesIn(line, ["alice"]), []);
});

test("ids that another container has are not given again, and a gap that is large enough is used", () => {
  const lent = [{ first: 1000, count: 100 }];
  const taken = [
    { first: 1000, count: 10 },
    { first: 1040, count: 10 },
  ];
  equal(freeIn(lent, [], 100, "uid"), 1000);
  equal(freeIn(lent, taken, 30, "uid"), 1010);
  equal(freeIn(lent, taken, 31, "uid"), 1050);
  throws(() => freeIn(lent, taken, 51, "uid"), "no 51 uids in a row");
  equal(freeIn([...lent, { first: 5000, count: 60 }], taken, 51, "uid"), 5000);
});

test("fixed mappings are cut out of the others, which keep their places", () => {
  deepEqual(mapsOf(100, 5000, [{ containerID: 10, hostID: 1, size: 2 }]), [
    { containerID: 0, hostID: 5000, size: 10 },
    { containerID: 10, hostID: 1, size: 2 },
    { containerID: 12, hostID: 5012, size: 88 },
  ]);
  deepEqual(mapsOf(10, 5000, [{ containerID: 50, hostID: 1, size: 1 }]), [
    { containerID: 0, hostID: 5000, size: 10 },
    { containerID: 50, hostID: 1, size: 1 },
  ]);
});

test("an image needs the ids that its passwd and group name, but for nobody's, and those of its process", () => {
  equal(sizeFor({ passwd: "", group: "" }, [0]), 1024);
  equal(sizeFor({ passwd: "a:x:3000:4000:::\nnobody:x:65534:65534:::\n", group: "b:x:2000:7000\n" }, [0]), 4001);
  equal(sizeFor({ passwd: "a:x:4294967295:x\n#c:x:9000:1\n", group: "nogroup:x:65534:\n" }, [8000]), 8001);
});
