/** What a container from an image is like inside, flag by flag; the meanings are docker's. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { hostname } from "node:os";
import { test } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { Store } from "./images.ts";

test(
  "variables and labels come from files, and what the command line says itself has the last word",
  [],
  async (box) => {
    const store = new Store(box);
    await store.load({ Env: ["A=image", "B=image"], Labels: { l: "image" } });
    const file = box.file("env", "# of the file\nA=file\nC=file one # two\nCALLER\nNOBODY\n");
    assert.equal(
      store.tsrun(
        [
          "run",
          "--image",
          "it",
          "--env-file",
          file,
          "-e",
          "C=line",
          box.id(),
          "--",
          "sh",
          "-c",
          "echo $A $B $C $CALLER ${NOBODY-none}",
        ],
        {
          env: { CALLER: "caller" },
        },
      ).stdout,
      "file image line caller none\n",
    );
    const labels = box.file("labels", "l=file\nm=file\n");
    const id = box.id();
    const args = ["create", "--image", "it", "--label-file", labels, "-l", "m=line", "--annotation", "n=x", id];
    assert.equal(store.tsrun(args, { output: box.path("out") }).status, 0);
    const { annotations } = JSON.parse(box.ok("state", id).stdout) as { annotations: Record<string, string> };
    assert.deepEqual([annotations["l"], annotations["m"], annotations["n"]], ["file", "line", "x"]);
    box.ok("delete", "--force", id);
  },
);

test("limits of the process, its umask, its groups and its score are as asked", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const flags = [
    "--ulimit",
    "nofile=100:200",
    "--ulimit",
    "core=-1",
    "--umask",
    "077",
    "--group-add",
    "staff",
    "--group-add",
    "7",
    "--oom-score-adj",
    "500",
  ];
  assert.equal(
    store.says("ulimit -n; ulimit -Hn; ulimit -c; umask; id -G; cat /proc/self/oom_score_adj", ...flags),
    "100\n200\nunlimited\n0077\n0 7 50\n500",
  );
  assert.match(store.refuses("run", "--image", "it", "--group-add", "none", box.id()), /no group "none" in the image/);
});

test("names, hosts and sysctls are the container's own", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const flags = [
    "--hostname",
    "h1",
    "--domainname",
    "d1",
    "--add-host",
    "other:10.0.0.1",
    "--sysctl",
    "net.ipv4.ip_forward=1",
  ];
  assert.equal(
    store.says(
      "hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward; tail -n 2 /etc/hosts",
      ...flags,
    ),
    "h1\nd1\n1\n127.0.1.1\th1.d1 h1\n10.0.0.1\tother",
  );
  assert.match(
    store.refuses("run", "--image", "it", "--sysctl", "vm.swappiness=1", box.id()),
    /not separate for a container/,
  );
});

test("with the host's network or name a container is called as the host", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.equal(store.says("hostname", "--network", "host"), hostname());
  assert.equal(store.says("hostname; echo $HOSTNAME", "--uts", "host"), `${hostname()}\n${hostname()}`);
});

test("a namespace is shared that is asked for, and no other one", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const types = ["cgroup", "ipc", "net", "pid", "uts"];
  const inside = (...flags: string[]): string[] =>
    store.says(`for type in ${types.join(" ")}; do readlink /proc/self/ns/$type; done`, ...flags).split("\n");
  const host = types.map((type) => readlinkSync(`/proc/self/ns/${type}`));
  for (const [flag, type] of [
    ["--cgroupns", "cgroup"],
    ["--ipc", "ipc"],
    ["--network", "net"],
    ["--pid", "pid"],
    ["--uts", "uts"],
  ] as const) {
    assert.deepEqual(
      inside(flag, "host").map((name, index) => name === host[index]),
      types.map((each) => each === type),
      flag,
    );
  }
});

test("a mount says by keys what it is, and is read-only all the way down", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const source = box.file("a,b");
  writeFileSync(join(source, "f"), "text\n");
  const bind = `type=bind,"source=${source}",destination=/data`;
  assert.equal(store.says("cat /data/f; echo x > /data/g; cat /data/g", "--mount", bind), "text\nx");
  assert.match(store.sh("echo x > /data/f", ["--mount", `${bind},ro`]).stderr, /Read-only/);
  assert.equal(
    store.says("grep ' /t ' /proc/mounts; stat -c %a /t", "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0750"),
    "tmpfs /t tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=750 0 0\n750",
  );
  assert.match(
    store.refuses("run", "--image", "it", "--mount", `type=bind,src=${box.path("missing")},dst=/x`, box.id()),
    /no such file/,
  );
});

test("a relative source is the caller's, a word is a volume", [], async (box) => {
  const store = new Store(box);
  await store.load();
  mkdirSync(box.path("here"));
  writeFileSync(box.path("here/f"), "here\n");
  assert.equal(store.says("cat /x/f", "-v", `./${relative(process.cwd(), box.path("here"))}:/x`), "here");
});

test("shared memory has the size that is asked for", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.match(store.says("grep ' /dev/shm ' /proc/mounts", "--shm-size", "2m"), /size=2048k/);
});

test("a read-only image leaves /run, /tmp and /var/tmp writable where that is asked for", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const touch = "for d in /run /tmp /var/tmp /etc; do touch $d/x 2>/dev/null && echo $d; done; true";
  assert.equal(store.says(touch, "--read-only"), "");
  assert.equal(store.says(touch, "--read-only", "--read-only-tmpfs"), "/run\n/tmp\n/var/tmp");
});

test("a device of the host is there, under the name and with the rights that are asked for", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const fuse = "/dev/fuse:/dev/other";
  assert.equal(store.says("stat -c '%F %t %T' /dev/other", "--device", fuse), "character special file a e5");
  assert.equal(store.says("exec 3<> /dev/other && echo opened", "--device", fuse), "opened");
  assert.equal(store.says("exec 3< /dev/other && echo opened", "--device", `${fuse}:r`), "opened");
  assert.match(store.sh("exec 3> /dev/other", ["--device", `${fuse}:r`]).stderr, /not permitted/);
  const made = "mknod /dev/other c 10 229 && exec 3< /dev/other && echo opened";
  assert.match(store.sh(made).stderr, /not permitted/);
  assert.equal(store.says(made, "--device-cgroup-rule", "c 10:229 r"), "opened");
  assert.match(store.refuses("run", "--image", "it", "--device", "/etc/passwd", box.id()), /is no device/);
  assert.match(store.refuses("run", "--image", "it", "--device", "/dev/none", box.id()), /no such file/);
});

test(
  "who is privileged has the caller's capabilities and devices, no filter, and nothing hidden or read-only",
  [],
  async (box) => {
    const store = new Store(box);
    await store.load();
    const all = /CapBnd:\t(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
    const look =
      "sed -n 's/^CapEff:\\t//p;s/^Seccomp:\\t//p' /proc/self/status; mkdir /sys/fs/cgroup/x && echo made; ls /dev/kmsg";
    assert.equal(store.says(look, "--privileged"), `${all}\n0\nmade\n/dev/kmsg`);
    assert.equal(store.says("mkdir /m && mount -t tmpfs x /m && echo mounted", "--privileged"), "mounted");
    assert.equal(
      store.says("grep -c ' /proc/[a-z]' /proc/mounts || true", "--security-opt", "systempaths=unconfined"),
      "0",
    );
    assert.match(
      store.refuses("run", "--image", "it", "--security-opt", "apparmor=docker-default", box.id()),
      /no AppArmor profile/,
    );
  },
);

test("an id can be given by --name, is told, and is written to --cidfile, which must be new", [], async (box) => {
  const store = new Store(box);
  await store.load({ Cmd: ["sleep", "100"] });
  const [id, file] = [box.id(), box.path("cid")];
  const create = (...flags: string[]): string =>
    store.tsrun(["create", "--image", "it", ...flags], { output: box.path("out") }).stderr;
  create("--name", id, "--cidfile", file);
  assert.equal(readFileSync(file, "utf8"), id);
  assert.equal(readFileSync(`${box.path("out")}.out`, "utf8"), `${id}\n`);
  assert.match(store.refuses("create", "--image", "it", "--cidfile", file, box.id()), /is there already/);
  assert.match(store.refuses("create", "--image", "it", "--name", "x", box.id()), /exclude each other/);
  assert.match(store.refuses("create", "--image", "it", "--name", "a/b"), /ID|id/);
  box.ok("delete", "--force", id);
  assert.ok(existsSync(file), "it is the caller's to remove");
});

test(
  "an image for another platform than the one that is asked for is refused where nothing may be pulled",
  [],
  async (box) => {
    const store = new Store(box);
    const id = await store.load();
    assert.equal(store.says("echo yes", "--platform", "linux/amd64"), "yes");
    const refuses = (...image: string[]): string =>
      store.refuses("run", "--platform", "linux/arm64", "--image", ...image, box.id());
    assert.equal(
      refuses("it", "--pull", "never"),
      'image "it" in the store is for linux/amd64, and --platform asks for linux/arm64 ' +
        '("tsrun image pull --platform linux/arm64 it" brings that)',
    );
    assert.match(
      refuses(`oci-archive:${box.path("it.tar")}`),
      /is for linux\/amd64, and --platform asks for linux\/arm64$/,
    );
    for (const text of [id, id.slice(7), id.slice(7, 19)])
      assert.match(refuses(text), /asks for linux\/arm64 \(an id is of one platform: give a name\)$/);
  },
);

test("kill without a signal sends what the container wants to be stopped with", [], async (box) => {
  const store = new Store(box);
  await store.load({ StopSignal: "SIGUSR1" });
  for (const [flags, signal] of [
    [[], "USR1"],
    [["--stop-signal", "SIGUSR2"], "USR2"],
  ] as const) {
    const id = box.id();
    const script = "trap 'echo USR1; exit' USR1; trap 'echo USR2; exit' USR2; echo ready; while :; do sleep 0.1; done";
    const running = store.begin(["run", "--image", "it", ...flags, id, "--", "sh", "-c", script]);
    await eventually(() => running.read().stdout === "ready\n", "a container that listens");
    store.prints("kill", id);
    assert.equal((await running.ended).stdout, `ready\n${signal}\n`);
  }
});

test(
  "exit codes are docker's: 125 for a failure of the runtime, 126 for what cannot be run, 127 for what is not there",
  [],
  async (box) => {
    const store = new Store(box);
    await store.load();
    const code = (...args: string[]): number => store.tsrun(["run", "--image", "it", ...args]).status;
    assert.equal(code("-w", "x", box.id()), 125);
    assert.equal(code("--no-such-flag", box.id()), 125);
    assert.equal(code("--gpus", "all", box.id()), 125);
    assert.equal(code("one", "two"), 125);
    assert.equal(store.tsrun(["run", "--no-such-flag", box.id()]).status, 1, "of a bundle they are runc's");
    assert.equal(code("-v", "/none:/x", box.id()), 125);
    assert.equal(code(box.id(), "--", "/etc"), 126);
    assert.equal(code(box.id(), "--", "/etc/passwd"), 126);
    assert.equal(code(box.id(), "--", "/none"), 127);
    assert.equal(code(box.id(), "--", "none"), 127);
    assert.equal(code(box.id(), "--", "sh", "-c", "exit 3"), 3);
  },
);
