/** What tsrun makes for the mounts of a container is no change of the container's. */
import { withoutPlaces } from "../../../src/image/diff.ts";
import { deepEqual, test } from "../../support/unit.ts";

type Line = readonly [kind: "A" | "C" | "D", path: string, same?: boolean];

function kept(lines: readonly Line[], ...places: string[]): string[] {
  const changes = lines.map(([kind, path, same = false]) => ({ kind, path, same }));
  return withoutPlaces(changes, places).map(({ kind, path }) => `${kind} ${path}`);
}

test("a place goes, and with it what had to be made or touched on the way there", () => {
  deepEqual(
    kept(
      [
        ["C", "/etc", true],
        ["A", "/etc/hosts"],
        ["A", "/a"],
        ["A", "/a/b"],
        ["A", "/a/b/c"],
      ],
      "/etc/hosts",
      "/a/b/c",
    ),
    [],
  );
});

test("what is changed beside it stays, with the directories that it is in", () => {
  deepEqual(
    kept(
      [
        ["C", "/etc", true],
        ["A", "/etc/hosts"],
        ["A", "/etc/mine"],
      ],
      "/etc/hosts",
    ),
    ["C /etc", "A /etc/mine"],
  );
  deepEqual(
    kept(
      [
        ["C", "/etc", false],
        ["A", "/etc/hosts"],
      ],
      "/etc/hosts",
    ),
    ["C /etc"],
  );
  deepEqual(
    kept(
      [
        ["C", "/etc", true],
        ["A", "/etc/hosts2"],
      ],
      "/etc/hosts",
    ),
    ["C /etc", "A /etc/hosts2"],
  );
});

test("what was deleted was deleted by the container", () => {
  deepEqual(
    kept(
      [
        ["C", "/d", true],
        ["D", "/d/e"],
      ],
      "/d/e/f",
    ),
    ["C /d", "D /d/e"],
  );
});
