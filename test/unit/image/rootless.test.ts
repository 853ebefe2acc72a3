/** Ids that are lent, and what containers get of them: subuid(5). */
import { freeIn, mapsOf, rangesIn, sizeFor } from "../../../src/image/lent.ts";
import { fitInside, isMapped } from "../../../src/image/rootless.ts";
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

const LENT = {
  uids: "0 54321 1\n         1     700000      65536",
  gids: "0 54321 1\n1 700000 1000",
  setgroups: "allow",
};
const ALONE = { uids: "0 54321 1", gids: "0 54321 1", setgroups: "deny" };

test("an id is in a map from the first of a line to the last", () => {
  const ids = [0, 1, 65_536, 65_537];
  deepEqual(
    ids.filter((id) => isMapped(LENT.uids, id)),
    [0, 1, 65_536],
  );
  equal(isMapped("", 0), false);
});

test("a process can be who has an id in the user namespace", () => {
  const alice = { uid: 1000, gid: 1000, additionalGids: [50] };
  deepEqual(fitInside(alice, ["staff"], LENT), alice);
  throws(() => fitInside({ ...alice, uid: 65_537 }, [], LENT), "cannot be uid 65537");
  throws(() => fitInside({ ...alice, gid: 1001 }, [], LENT), "cannot be gid 1001");
  throws(() => fitInside(alice, [], ALONE), "cannot be uid 1000");
});

test("where groups may not be set, those of the image go, and one that is asked for is refused", () => {
  const root = { uid: 0, gid: 0, additionalGids: [0, 10] };
  deepEqual(fitInside(root, [], ALONE), { ...root, additionalGids: [] });
  throws(() => fitInside(root, ["staff"], ALONE), "cannot have the group staff");
});
