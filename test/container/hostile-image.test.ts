/**
 * A test for each published attack of ../shared/reference/security-rules.md that a hostile image makes on a runtime.
 * The sentence names the case; what must not happen is checked on the host.
 */

import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostile, replaceBy, victim } from "../support/attacks.ts";
import { test } from "../support/box.ts";
import { unmounted } from "../support/config.ts";
import { run } from "../support/runtime.ts";
import { Terminal } from "../support/terminal.ts";

for (const folder of ["proc", "sys"] as const) {
  for (const target of ["/etc", "/tmp", "../../..", "/proc"]) {
    test(
      `CVE-2019-19921, CVE-2023-27561, CVE-2025-54867: /${folder} that is a symlink to ${target} is refused`,
      [],
      (box) => {
        const { status, stdout } = hostile(box, "echo ran", replaceBy(target, folder));
        assert.notEqual(status, 0);
        assert.equal(stdout, "");
        assert.deepEqual(box.settled(), []);
      },
    );
  }
}

test("CVE-2019-16884: nothing but a proc file system is mounted on /proc", [], (box) => {
  const source = box.file("fake");
  for (const mount of [
    { destination: "/proc", type: "bind", source, options: ["bind"] },
    { destination: "/proc", type: "tmpfs", source: "tmpfs" },
    { destination: "/proc/self", type: "bind", source, options: ["bind"] },
  ]) {
    assert.equal(box.run("true", ({ mounts }) => void mounts.push(mount)).status, 1, mount.destination);
    assert.deepEqual(box.settled(), []);
  }
});

// runc 1.1.5 looks at binds only.
test("CVE-2025-52881: nor is a file system mounted inside /proc, also not behind a symlink", ["tsrun"], (box) => {
  for (const destination of ["/proc/sys", "/proc/self", "/proc/self/attr", "/proc/thread-self/attr", "/link/self"]) {
    const { status } = hostile(
      box,
      "true",
      (rootfs) => symlinkSync("proc", join(rootfs, "link")),
      ({ mounts }) => {
        mounts.push({ destination, type: "tmpfs", source: "tmpfs" });
      },
    );
    assert.equal(status, 1, destination);
    assert.deepEqual(box.settled(), []);
  }
});

test("files of lxcfs may be bound into /proc all the same", [], (box) => {
  const source = box.file("uptime", "1.00 1.00\n");
  const printed = box.prints("cat /proc/uptime", ({ mounts }) => {
    mounts.push({ destination: "/proc/uptime", type: "bind", source, options: ["bind"] });
  });
  assert.equal(printed, "1.00 1.00\n");
});

// runc 1.1.5 follows it.
test("CVE-2025-31133, CVE-2026-88265: a mask is never taken from the image's /dev/null", ["tsrun"], (box) => {
  for (const target of ["/visible", "/proc/sysrq-trigger", "../visible"]) {
    const { stdout } = hostile(
      box,
      "cat /secret 2>/dev/null; ls -l /secret",
      (rootfs) => {
        replaceBy(target, "dev/null")(rootfs);
        for (const name of ["visible", "secret"]) writeFileSync(join(rootfs, name), `${name}\n`);
      },
      (config) => {
        unmounted(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue");
        config.linux.maskedPaths = ["/secret"];
      },
    );
    assert.doesNotMatch(stdout, /^(visible|secret)/m, target);
  }
});

test("CVE-2026-41579, CVE-2026-47766: /dev that is a symlink does not lead out of the root", [], (box) => {
  const { path, untouched } = victim(box);
  for (const target of [path, `../../../../../../../..${path}`]) {
    hostile(box, "true", replaceBy(target, "dev"), (config) => {
      unmounted(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue");
    });
    untouched();
    hostile(box, "true", replaceBy(target, "dev"));
    untouched();
  }
});

for (const name of ["null", "ptmx", "console", "fd", "pts"]) {
  test(
    `CVE-2025-52565, CVE-2026-88264: /dev/${name} of the image that is a symlink changes nothing outside`,
    ["tool:python3"],
    async (box) => {
      const { path, untouched } = victim(box);
      for (const terminal of [false, true]) {
        const bundle = box.bundle("true", (config) => {
          unmounted(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue");
          if (name !== "pts")
            config.mounts.push({
              destination: "/dev/pts",
              type: "devpts",
              source: "devpts",
              options: ["newinstance", "ptmxmode=0666"],
            });
          config.process.terminal = terminal;
        });
        replaceBy(join(path, name), `dev/${name}`)(join(bundle, "rootfs"));
        const command = box.command("run", "--bundle", bundle, box.id());
        await Terminal.run(command, box.path(`tty${Number(terminal)}`), box.environment()).ended();
        untouched();
      }
    },
  );
}

test("CVE-2026-55686: a working folder is made inside, also behind a symlink of the image", [], (box) => {
  const { path, untouched } = victim(box);
  const spoil = (rootfs: string) => symlinkSync(path, join(rootfs, "link"));
  hostile(box, "true", spoil, ({ process }) => (process.cwd = "/link/made"));
  untouched();
});

test(
  "CVE-2024-45310, crun CVE-2019-18837: mount points are made inside, also behind a symlink of the image",
  [],
  (box) => {
    const { path, untouched } = victim(box);
    const source = box.file("source", "");
    for (const destination of ["/link/made/deep", "/link", "/link/ptmx/file", "/a/link/file"]) {
      const spoil = (rootfs: string) => {
        mkdirSync(join(rootfs, "a"));
        for (const link of ["link", "a/link"]) symlinkSync(path, join(rootfs, link));
      };
      hostile(box, "true", spoil, ({ mounts }) => void mounts.push({ destination, type: "tmpfs", source: "tmpfs" }));
      untouched();
      hostile(
        box,
        "true",
        spoil,
        ({ mounts }) => void mounts.push({ destination, type: "bind", source, options: ["bind"] }),
      );
      untouched();
    }
  },
);

// runc and crun wait for ever.
test("CVE-2026-47262: an /etc/passwd that is a pipe, endless, or far too long hangs nobody", ["tsrun"], (box) => {
  const spoilers: ((path: string) => void)[] = [
    (path) => void run(["mkfifo", path], box.dir),
    (path) => symlinkSync("/dev/zero", path),
    (path) => symlinkSync("passwd", path),
    (path) => {
      writeFileSync(path, "");
      truncateSync(path, 1 << 40);
    },
    (path) => writeFileSync(path, "root:x:0:0".repeat(200_000)),
    (path) => mkdirSync(path),
  ];
  for (const spoil of spoilers) {
    const began = Date.now();
    hostile(box, "echo ran", (rootfs) => {
      rmSync(join(rootfs, "etc/passwd"));
      spoil(join(rootfs, "etc/passwd"));
    });
    assert.ok(Date.now() - began < 5000);
    assert.deepEqual(box.settled(), []);
  }
});

test("CVE-2024-9676: the passwd of the image is read inside its root", [], (box) => {
  const path = box.file("passwd", "root:x:0:0:root:/of/the/host:/bin/sh\n");
  const { stdout } = hostile(box, ["env"], replaceBy(path, "etc/passwd"));
  assert.doesNotMatch(stdout, /of\/the\/host/);
});
