/** Ids that are lent to a user: subuid(5). */
import { rangeIn } from "../../../src/image/rootless.ts";
import { equal, test } from "../../support/unit.ts";

test("the first range of the user's counts, by name or by number", () => {
  const text = "bob:100000:65536\n1000:200000:10\nalice:300000:65536\n";
  equal(rangeIn(text, ["1000", "alice"])?.first, 200_000);
  equal(rangeIn(text, ["1001", "alice"])?.first, 300_000);
  equal(rangeIn(text, ["1001", "carol"]), undefined);
});

test("a line that is none lends nothing", () => {
  for (const line of ["alice", "alice:1", "alice::5", "alice:x:5", "alice:1:0", "alice:1:-5", "alice:1:2:3"])
    equal(rangeIn(line, ["alice"]), undefined);
});
