import { COMMANDS, findCommand, GLOBAL_FLAGS, type Flag } from "../../../src/commands/table.ts";
import { IMAGE_FLAGS } from "../../../src/commands/image-flags.ts";
import { deepEqual, equal, ok, test } from "../../support/unit.ts";

/** runc's options, as its callers use them; "=" is a value. */
const RUNC: Readonly<Record<string, string>> = {
  create: `--bundle/-b= --console-socket= --pidfd-socket= --pid-file= --no-pivot --no-new-keyring --preserve-fds=`,
  start: "",
  run:
    "--bundle/-b= --console-socket= --pidfd-socket= --pid-file= --no-pivot --no-new-keyring --preserve-fds= --detach/-d --keep " +
    "--no-subreaper",
  exec:
    "--console-socket= --pidfd-socket= --cwd= --env/-e= --tty/-t --user/-u= --additional-gids/-g= --process/-p= --detach/-d " +
    "--pid-file= --process-label= --apparmor= --no-new-privs --cap/-c= --preserve-fds= --cgroup= --ignore-paused",
  kill: "--all/-a",
  delete: "--force/-f",
  state: "",
  list: "--format/-f= --quiet/-q",
  ps: "--format/-f=",
  spec: "--bundle/-b= --rootless",
  features: "",
  help: "",
};

/** What tsrun has beyond them: crun's, and what is for images. */
function isMore(flag: Flag): boolean {
  return flag.name === "config" || IMAGE_FLAGS.includes(flag);
}

function written({ name, short, value }: Flag): string {
  return `--${name}${short === undefined ? "" : `/-${short}`}${value === undefined ? "" : "="}`;
}

test("every command of runc has runc's options", () => {
  for (const [name, options] of Object.entries(RUNC)) {
    const flags = findCommand([name])?.command.flags.filter((flag) => !isMore(flag)) ?? [];
    deepEqual(
      flags.map(written).toSorted(),
      options
        .split(" ")
        .filter((each) => each !== "")
        .toSorted(),
      name,
    );
  }
});

test("the options before the command are runc's, crun's manager of cgroups, the store and its form", () => {
  deepEqual(
    GLOBAL_FLAGS.map(written).toSorted(),
    (
      "--root= --log= --log-format= --debug --systemd-cgroup --rootless= --criu= --help/-h --version/-v " +
      "--cgroup-manager= --store= --snapshotter="
    )
      .split(" ")
      .toSorted(),
  );
});

test("within a command no two options have the same name, and none takes -h from help", () => {
  for (const { name, flags } of COMMANDS) {
    const names = flags.flatMap((flag) => [flag.name, ...(flag.short === undefined ? [] : [flag.short])]);
    equal(new Set(names).size, names.length, name);
    ok(!names.includes("h") && !names.includes("help"), name);
  }
});

test("a command is found by its first word or its first two", () => {
  equal(findCommand(["state", "x"])?.command.name, "state");
  deepEqual(findCommand(["state", "x"])?.args, ["x"]);
  equal(findCommand(["h", "state"])?.command.name, "help");
  for (const words of [[], [""], ["frobnicate"], ["image"], ["constructor"]])
    equal(findCommand(words), undefined, words.join(" "));
});

test("help is one line for everything, in few words", () => {
  for (const { summary, flags } of COMMANDS) {
    for (const text of [summary, ...flags.map(({ help }) => help)]) {
      ok(
        text.length <= 120 && text !== "" && !text.endsWith(".") && text.charAt(0) === text.charAt(0).toLowerCase(),
        text,
      );
    }
  }
});
