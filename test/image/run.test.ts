/** Containers from images: what the flags do, and what a container leaves. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layerOf } from "../../scripts/fixtures.ts";
import { test } from "../support/box.ts";
import { eventually } from "../support/runtime.ts";
import { BASE, filesLayer, Store } from "./images.ts";

test("a container of an image is pid 1 with everything of its own", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.equal(store.says("echo $$; hostname", "--hostname", "h1"), "1\nh1");
  for (const kind of ["pid", "net", "mnt", "uts", "ipc", "cgroup"]) {
    const inside = store.says(`ls -l /proc/self/ns/${kind}`);
    assert.ok(!inside.includes(readlinkSync(`/proc/self/ns/${kind}`)), inside);
  }
});

test("what a container writes is its own, and goes with it", [], async (box) => {
  const store = new Store(box);
  await store.load();
  store.says("echo changed > /etc/passwd; rm /etc/group; mkdir /new");
  assert.equal(
    store.says("head -1 /etc/passwd; ls -d /etc/group /new 2>&1 | grep -c No"),
    "root:x:0:0:root:/root:/bin/sh\n1",
  );
  assert.deepEqual(store.names("containers"), []);
});

test("a container is created, started, entered, killed and deleted by hand", [], async (box) => {
  const store = new Store(box);
  await store.load({ Cmd: ["sh", "-c", "echo started; sleep 100"] });
  const id = box.id();
  const output = box.path("output");
  const created = store.tsrun(["create", "--image", "it", id], { output });
  assert.equal(created.status, 0, created.stderr);
  assert.equal(box.state(id).status, "created");
  assert.equal(box.state(id).bundle, join(store.path, "containers", store.names("containers")[0] ?? ""));
  assert.ok(existsSync(join(box.state(id).bundle, "config.json")));
  box.ok("start", id);
  await eventually(() => readFileSync(`${output}.out`, "utf8").includes("started"), "output");
  assert.equal(box.ok("exec", id, "sh", "-c", "echo in > /file; cat /file; id -u").stdout, "in\n0\n");
  await box.remove(id);
  assert.deepEqual(store.names("containers"), []);
});

test("an image in use keeps its layers when its name goes, and loses them afterwards", [], async (box) => {
  const store = new Store(box);
  await store.load({ Cmd: ["sleep", "100"] });
  const id = box.id();
  store.tsrun(["run", "--image", "it", "-d", id], { output: box.path("out") });
  store.prints("image", "rm", "--force", "it");
  assert.equal(store.names("layers").length, 1);
  assert.equal(box.ok("exec", id, "cat", "/etc/group").stdout.split("\n").length, 4);
  await box.remove(id);
  store.prints("image", "load", await store.archive("x.tar", { layers: [await filesLayer({ x: "1" })] }));
  assert.equal(store.names("layers").length, 1, "only those of the other image");
});

test("users and groups are those of the image", [], async (box) => {
  const store = new Store(box);
  await store.load({ User: "alice" });
  assert.equal(store.says("id -u; id -g; id -G; echo $HOME"), "1000\n1001\n1001 50\n/home/alice");
  assert.equal(store.says("id -u; id -G", "-u", "root"), "0\n0");
  assert.equal(store.says("id -u; id -G", "-u", "5:6"), "5\n6");
  assert.equal(store.says("id -u; id -G", "-u", "alice:staff"), "1000\n50");
});

test("who is not root has no capabilities, and root has docker's", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const sets = "sed -n 's/^Cap\\(...\\):\\t/\\1 /p' /proc/self/status";
  const none = "0000000000000000";
  const docker = "00000000a80425fb";
  assert.equal(store.says(sets), `Inh ${none}\nPrm ${docker}\nEff ${docker}\nBnd ${docker}\nAmb ${none}`);
  assert.equal(store.says(sets, "-u", "alice"), `Inh ${none}\nPrm ${none}\nEff ${none}\nBnd ${docker}\nAmb ${none}`);
  assert.match(store.says(sets, "--cap-drop", "ALL", "--cap-add", "chown"), /Eff 0000000000000001/);
  assert.match(store.says("sed -n 's/^Seccomp:\\t//p;s/^NoNewPrivs:\\t//p' /proc/self/status"), /^0\n2$/);
  assert.match(
    store.says(
      "sed -n 's/^Seccomp:\\t//p;s/^NoNewPrivs:\\t//p' /proc/self/status",
      "--security-opt",
      "seccomp=unconfined",
      "--security-opt",
      "no-new-privileges",
    ),
    /^1\n0$/,
  );
});

test("a profile of one's own is in force", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const profile = box.file(
    "profile.json",
    JSON.stringify({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
    }),
  );
  assert.match(store.says("mkdir /x 2>&1 || true", "--security-opt", `seccomp=${profile}`), /not supported/);
  assert.match(
    store.refuses("run", "--image", "it", "--security-opt", "seccomp=/missing", box.id()),
    /cannot read the seccomp profile/,
  );
});

test("environment, directory, command and entrypoint are the image's and the caller's", [], async (box) => {
  const store = new Store(box);
  await store.load({
    Env: ["A=1", "B=2"],
    WorkingDir: "/work",
    Entrypoint: ["sh", "-c"],
    Cmd: ["echo $A $B $C $D; pwd"],
  });
  const run = (args: string[], env: Record<string, string> = {}): string =>
    store.tsrun(["run", "--image", "it", ...args], { env }).stdout;
  assert.equal(run([box.id()]), "1 2\n/work\n");
  assert.equal(run(["-e", "A=x", "-e", "C", "-e", "D", "-w", "/tmp", box.id()], { C: "caller" }), "x 2 caller\n/tmp\n");
  assert.equal(run([box.id(), "--", "echo other"]), "other\n");
  assert.equal(run(["--entrypoint", "echo", box.id(), "--", "-n", "a", "--", "b"]), "a -- b");
});

test("a host's directory is mounted, for reading only if so asked", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const source = box.file("data");
  assert.equal(store.says("echo x > /data/a; cat /data/a", "-v", `${source}:/data`), "x");
  assert.match(store.sh("echo y > /data/a", ["-v", `${source}:/data:ro`]).stderr, /Read-only/);
  assert.equal(readFileSync(join(source, "a"), "utf8"), "x\n");
  const file = box.file("one", "file");
  assert.equal(store.says("cat /etc/one", "-v", `${file}:/etc/one:ro`), "file");
  assert.match(
    store.refuses("run", "--image", "it", "-v", `${box.path("missing")}:/x`, box.id()),
    /missing on \/x.*no such file/,
  );
  assert.deepEqual(store.names("containers"), []);
});

test("a tmpfs is empty and of the size that is asked for", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.match(
    store.says("ls /etc | wc -l; grep ' /etc ' /proc/mounts", "--tmpfs", "/etc:size=1m"),
    /^0\n.*noexec.*size=1024k/,
  );
});

test("a read-only image can be written nowhere but in volumes and tmpfs", [], async (box) => {
  const store = new Store(box);
  await store.load({ Volumes: { "/data": {} } });
  assert.equal(
    store.says(
      "touch /x 2>/dev/null || echo no; touch /data/x /dev/shm/x /run/x && echo yes",
      "--read-only",
      "--tmpfs",
      "/run",
    ),
    "no\nyes",
  );
});

test("a volume of the image begins with what the image has there, with its owner and mode", [], async (box) => {
  const store = new Store(box);
  const layer = await layerOf([
    { name: "data/", type: "directory", mode: 0o750, uid: 1000, gid: 50 },
    { name: "data/seed", content: "1", mode: 0o640, uid: 1000, gid: 50 },
  ]);
  await store.load({ Volumes: { "/data": {}, "/none": {} } }, layer);
  assert.equal(
    store.says("stat -c '%a %u %g' /data /data/seed /none; cat /data/seed; grep -c ' /data ' /proc/mounts"),
    "750 1000 50\n640 1000 50\n755 0 0\n11",
  );
  assert.deepEqual(store.names("containers"), []);
});

test("without --interactive there is nothing to read", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const input = "from outside\n";
  assert.equal(store.sh("cat; echo end", [], { input }).stdout, "end\n");
  assert.equal(store.sh("cat; echo end", ["-i"], { input }).stdout, "from outside\nend\n");
});

test("the host's network is there when it is asked for", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const host = readdirSync("/sys/class/net").toSorted().join("\n");
  assert.equal(store.says("ls /sys/class/net | sort", "--network", "host"), host);
  // Tunnels of the kernel itself, such as sit0, are in every namespace.
  assert.match(store.says("ls /sys/class/net", "--network", "none"), /^lo(\n\w+0)*$/);
});

test("a container finds its own name, and with the host's network those that the host finds", [], async (box) => {
  const store = new Store(box);
  await store.load();
  assert.equal(
    store.says("cat /etc/hostname; grep -c h1 /etc/hosts; grep -c localhost /etc/hosts", "--hostname", "h1"),
    "h1\n1\n2",
  );
  assert.equal(
    store.says("cat /etc/resolv.conf", "--network", "host"),
    readFileSync("/etc/resolv.conf", "utf8").trimEnd(),
  );
  const own = box.file("hosts", "1.2.3.4 mine\n");
  assert.equal(store.says("cat /etc/hosts", "-v", `${own}:/etc/hosts`), "1.2.3.4 mine");
});

test("an image outside of the store is loaded on the way, once", [], async (box) => {
  const store = new Store(box);
  const archive = await store.archive("there.tar", { layers: [await BASE], process: { Cmd: ["echo", "hello"] } });
  for (const reference of [`oci-archive:${archive}`, archive, `oci-archive:${archive}`]) {
    assert.equal(store.prints("run", "--image", reference, box.id()), "hello\n");
  }
  assert.match(store.prints("image", "ls"), /there +latest/);
  const record = store.text("refs/docker.io%library%there:latest.json");
  store.prints("run", "--image", archive, box.id());
  assert.equal(store.text("refs/docker.io%library%there:latest.json"), record, "it was not loaded again");
  assert.equal(store.prints("run", "--image", "there", box.id()), "hello\n");
});

test("what cannot run leaves nothing", [], async (box) => {
  const store = new Store(box);
  await store.load({ Cmd: ["/missing"] });
  const id = box.id();
  assert.match(store.refuses("run", "--image", "it", id), /no such file or directory/);
  assert.match(store.refuses("create", "--image", "it", id, "--", "nonsense"), /executable file not found/);
  for (const flags of [
    ["-u", "bob"],
    ["-w", "x"],
    ["--tmpfs", "/proc"],
    ["--hostname", "h".repeat(65)],
    ["--tmpfs", "/x:nonsense=1"],
    ["-d", "-t"],
  ]) {
    store.refuses("run", "--image", "it", ...flags, id);
  }
  assert.deepEqual(store.names("containers"), []);
});

test("a container whose id is taken leaves nothing of the second one", [], async (box) => {
  const store = new Store(box);
  await store.load({ Cmd: ["sleep", "100"] });
  const id = box.id();
  assert.equal(store.tsrun(["create", "--image", "it", id], { output: box.path("out") }).status, 0);
  assert.match(store.refuses("create", "--image", "it", id), /already exists/);
  assert.equal(store.names("containers").length, 1);
  box.ok("delete", "--force", id);
  assert.deepEqual(store.names("containers"), []);
});

test("files of containers that nobody answers for are swept by the next writer", [], async (box) => {
  const store = new Store(box);
  const id = await store.load();
  const left = join(store.path, "containers", "left");
  mkdirSync(join(left, "upper"), { recursive: true });
  writeFileSync(
    join(left, "image.json"),
    JSON.stringify({ id, lower: [], root: box.root, container: "gone", maker: { pid: 1, startTime: "0", boot: "x" } }),
  );
  mkdirSync(join(store.path, "layers", ".tmp-0123456789abcdef", "fs"), { recursive: true });
  mkdirSync(join(store.path, "trash", "x", "y"), { recursive: true });
  await store.load();
  assert.deepEqual([store.names("containers"), store.names("trash"), store.names("layers").length], [[], [], 1]);
});

test("a container as deep as it likes is deleted", [], async (box) => {
  const store = new Store(box);
  await store.load();
  store.says("i=0; while [ $i -lt 1900 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done; echo done");
  assert.deepEqual(store.names("containers"), []);
});

test("a container whose files have names of any bytes is deleted", [], async (box) => {
  const store = new Store(box);
  await store.load();
  const odd = "$(printf 'a\\377\\n-b')";
  store.says(`cd /tmp && touch -- "${odd}" && mkdir -p "d${odd}/e${odd}" && ln -s / "d${odd}/l${odd}"`);
  assert.deepEqual(store.names("containers"), []);
});
