/** Devices by their names in the Container Device Interface. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type Box } from "../support/box.ts";
import { Store } from "./images.ts";

/** A directory with specifications; gives the flags that name it and these devices. */
function flagsFor(box: Box, specifications: Record<string, object>, ...names: string[]): string[] {
  const directory = box.file("cdi");
  for (const [name, content] of Object.entries(specifications))
    writeFileSync(join(directory, name), JSON.stringify(content));
  return ["--cdi-spec-dir", directory, ...names.flatMap((name) => ["--device", name])];
}

const COMMON = { cdiVersion: "0.7.0", kind: "vendor.com/gpu" };

test("a named device brings its node, files, variables, groups and hooks", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const library = box.file("library", "of the vendor\n");
  const told = box.path("told");
  const vendor = {
    ...COMMON,
    containerEdits: {
      env: ["VENDOR=all"],
      mounts: [{ hostPath: library, containerPath: "/usr/lib/libgpu.so", options: ["ro", "bind"] }],
      hooks: [
        { hookName: "createRuntime", path: "/bin/sh", args: ["sh", "-c", `cat > /dev/null; echo hook >> ${told}`] },
      ],
    },
    devices: [
      {
        name: "0",
        containerEdits: {
          deviceNodes: [{ path: "/dev/gpu0", hostPath: "/dev/fuse", permissions: "rw", fileMode: 0o640 }],
          env: ["GPU=0"],
          additionalGids: [44],
        },
      },
      { name: "1", containerEdits: { deviceNodes: [{ path: "/dev/gpu1", type: "c", major: 10, minor: 200 }] } },
      { name: "2" },
    ],
  };
  const flags = flagsFor(box, { "vendor.json": vendor }, "vendor.com/gpu=0", "vendor.com/gpu=1");
  assert.equal(
    store.says(
      "echo $VENDOR $GPU; id -G; cat /usr/lib/libgpu.so; stat -c '%n %a %t %T' /dev/gpu*; exec 3<> /dev/gpu0 && echo opened",
      ...flags,
    ),
    "all 0\n0 44\nof the vendor\n/dev/gpu0 640 a e5\n/dev/gpu1 666 a c8\nopened",
  );
  assert.equal(
    store.says(`ls ${told} 2>&1 | grep -c told; ls /dev/gpu* 2>/dev/null; true`, ...flags),
    "1\n/dev/gpu0\n/dev/gpu1",
  );
});

function device(value: string): object {
  return { ...COMMON, devices: [{ name: "0", containerEdits: { env: [`V=${value}`] } }] };
}

test(
  "a device that no specification has, or two have, is refused; a later directory has the last word",
  [],
  async (box) => {
    const store = new Store(box);
    await store.load();
    const flags = flagsFor(box, { "a.json": device("a"), "old.yaml": {} }, "vendor.com/gpu=0");
    assert.match(
      store.refuses("run", "--image", "it", ...flags.slice(0, 2), "--device", "vendor.com/gpu=9", box.id()),
      /no specification in/,
    );
    const later = box.file("later");
    writeFileSync(join(later, "b.json"), JSON.stringify(device("b")));
    assert.equal(store.says("echo $V", ...flags), "a");
    assert.equal(store.says("echo $V", ...flags, "--cdi-spec-dir", later), "b");
    writeFileSync(join(later, "c.json"), JSON.stringify(device("c")));
    assert.match(
      store.refuses("run", "--image", "it", ...flags, "--cdi-spec-dir", later, box.id()),
      /both .*b\.json and .*c\.json/,
    );
  },
);

test("a specification that is wrong, or asks for what is not done, is named with the place", [], async (box) => {
  const store = new Store(box);
  await store.load();
  for (const [edits, says] of [
    [{ netDevices: [{ name: "x" }] }, /x\.json: devices\[0\]\.containerEdits\.netDevices is not supported/],
    [{ hooks: [{ hookName: "never", path: "/x" }] }, /hookName must be one of/],
    [{ deviceNodes: [{ path: "/dev/x", hostPath: "/dev/none" }] }, /dev\/none.*no such file/],
  ] as const) {
    const flags = flagsFor(
      box,
      { "x.json": { ...COMMON, devices: [{ name: "0", containerEdits: edits }] } },
      "vendor.com/gpu=0",
    );
    assert.match(store.refuses("run", "--image", "it", ...flags, box.id()), says);
  }
});
