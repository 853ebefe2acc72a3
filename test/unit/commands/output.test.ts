import { onlyRowsOf } from "../../../src/commands/ps.ts";
import { table } from "../../../src/commands/text-table.ts";
import { equal, test, throws } from "../../support/unit.ts";

test("a table has columns at least 12 wide with three blanks between, and nothing after the last", () => {
  equal(table([["ID", "PID", "OWNER"]]), "ID          PID         OWNER\n");
  equal(
    table([
      ["ID", "PID", "OWNER"],
      ["a-long-identifier", "7", "root"],
    ]),
    "ID                  PID         OWNER\na-long-identifier   7           root\n",
  );
});

const PS = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:01 init 42
root          42       1  0 10:00 ?        00:00:00 sleep 1
`;

test("ps keeps the header and the rows of the container's processes", () => {
  equal(
    onlyRowsOf([42], PS),
    PS.split("\n")
      .filter((_, index) => index !== 1)
      .join("\n"),
  );
  equal(onlyRowsOf([], PS), `${PS.split("\n")[0] ?? ""}\n`);
});

test("ps finds the column wherever it is, and says when there is none", () => {
  equal(onlyRowsOf([7], "CMD   PID\nsh      7\nsh      8\n"), "CMD   PID\nsh      7\n");
  throws(() => onlyRowsOf([7], "CMD\nsh\n"), "couldn't find PID field in ps output");
});
