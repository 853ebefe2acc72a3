/** `--userns auto`: a container with ids of its own, of an image that belongs to nobody in particular. */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { layerOf } from "../../scripts/fixtures.ts";
import { test, type Box } from "../support/box.ts";
import { eventually, run } from "../support/runtime.ts";
import { Store } from "./images.ts";

const AUTO = ["--userns", "auto"] as const;

/** The ids of the host that uid 0 inside and so on are: the lines of uid_map. */
function mapOf(text: string): number[][] {
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/ +/).map(Number));
}

/** A store with an image that has files of several owners. */
async function storeOf(box: Box, process: object = {}): Promise<Store> {
  const store = new Store(box);
  const layer = await layerOf([
    { name: "of-root", content: "1" },
    { name: "of-alice", content: "2", uid: 1000, gid: 1001 },
    { name: "bin/chown", type: "symlink", linkname: "busybox", mode: 0o777 },
    { name: "bin/su", content: readFileSync("/bin/busybox"), mode: 0o4755 },
    { name: "etc/passwd", content: "root::0:0:root:/root:/bin/sh\nalice:x:1000:1001:Alice:/:/bin/sh\n" },
    { name: "etc/shadow", content: "root::1::::::\n" },
  ]);
  await store.load(process, layer);
  return store;
}

/** Starts a container with ids of its own that waits; gives its id and the first of its ids. */
async function waiting(
  box: Box,
  store: Store,
  script = "true",
  ...flags: string[]
): Promise<{ id: string; first: number }> {
  const id = box.id();
  const args = ["run", "--detach", "--image", "it", ...AUTO, ...flags, id, "--", "sh", "-c"];
  const { status, stderr } = store.tsrun([...args, `${script}; touch /tmp/.done; exec sleep 100`], {
    output: box.path(id),
  });
  assert.equal(status, 0, stderr + readFileSync(`${box.path(id)}.err`, "utf8"));
  await eventually(() => store.tsrun(["exec", id, "test", "-e", "/tmp/.done"]).status === 0, "the script's end");
  const [[, first = 0] = []] = mapOf(store.prints("exec", id, "cat", "/proc/self/uid_map"));
  return { id, first };
}

test(
  "files of the image belong inside to whom they belong on the disk, where nothing changes",
  ["userns"],
  async (box) => {
    const store = await storeOf(box);
    const [owners = "", map = ""] = store
      .says("stat -c '%u:%g' /of-root /of-alice /etc/hosts | tr '\\n' ' '; echo; cat /proc/self/uid_map", ...AUTO)
      .split("\n");
    assert.equal(owners.trim(), "0:0 1000:1001 0:0");
    const [[inside, outside = 0, count] = []] = mapOf(map);
    assert.deepEqual([inside, count], [0, 1024]);
    assert.ok(outside > 65_536, `${outside} is nobody's`);
    // Who has no ids of his own sees what is on the disk, in whatever form layers are kept.
    assert.equal(store.says("stat -c '%n %u:%g' /of-*"), "/of-alice 1000:1001\n/of-root 0:0");
    if (process.env["TSRUN_SNAPSHOTTER"] === "erofs") return;
    const layers = store.names("layers").map((name) => join(store.path, "layers", name));
    const owned = run(["find", ...layers, "-name", "of-*", "-printf", "%f %U:%G\n"], box.dir).stdout;
    assert.deepEqual(owned.trim().split("\n").toSorted(), ["of-alice 1000:1001", "of-root 0:0"]);
  },
);

test(
  "what is written is on the disk as the inside sees it, and its process is an id of its own outside",
  ["userns"],
  async (box) => {
    const store = await storeOf(box);
    const script = "echo 1 > /new; echo 2 >> /of-alice; mkdir /d; chown 1000:1001 /d; rm /of-root; mknod /pipe p";
    const { id, first } = await waiting(box, store, script);
    const { pid } = box.state(id);
    assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), new RegExp(`^Uid:\t${first}\t${first}\t`, "m"));
    const [token = ""] = store.names("containers");
    const owner = (name: string): number[] => {
      const { uid, gid } = statSync(join(store.path, "containers", token, "upper", name));
      return [uid, gid];
    };
    assert.deepEqual(
      [owner("new"), owner("of-alice"), owner("d")],
      [
        [0, 0],
        [1000, 1001],
        [1000, 1001],
      ],
    );
    assert.deepEqual(
      store
        .prints("diff", id)
        .split("\n")
        .filter((line) => !line.includes("tmp")),
      ["A /d", "A /new", "C /of-alice", "D /of-root", "A /pipe", ""],
    );
  },
);

test("a program of root with set-user-ID is root's inside, and only there", ["userns"], async (box) => {
  const store = await storeOf(box);
  assert.equal(store.says("/bin/su -c 'id -u; cat /of-root'", ...AUTO, "--user", "alice"), "0\n1");
});

test("devices, a user of the image and a read-only root are as without it", ["userns"], async (box) => {
  const store = await storeOf(box);
  assert.equal(store.says("echo x > /dev/null; head -c 3 /dev/zero | wc -c", ...AUTO), "3");
  assert.equal(
    store.says("id -u; id -g; echo x 2>/dev/null > /of-root || echo denied", ...AUTO, "-u", "alice"),
    "1000\n1001\ndenied",
  );
  assert.match(store.says("echo x 2>&1 > /of-root || true", ...AUTO, "--read-only"), /Read-only file system/);
  assert.match(store.says("mknod /dev/x c 1 3 2>&1 || true", ...AUTO), /not permitted/);
  for (const flags of [["--network", "host"], ["--pid", "host"], ["--ipc", "host"], ["--privileged"], ["--init"]])
    assert.equal(store.says("echo there", ...AUTO, ...flags), "there", flags.join(" "));
});

test("volumes belong inside to whom they belong on the disk, with or without such ids", ["userns"], async (box) => {
  const store = await storeOf(box, { Volumes: { "/of": {} } });
  const flags = [...AUTO, "-v", "data:/data", "-v", "/anonymous"];
  store.says("touch /data/x /anonymous/x /of/x; chown 1000:1001 /data/x; stat -c %u /data", ...flags);
  assert.equal(store.says("stat -c %u:%g /data /data/x", ...flags), "0:0\n1000:1001");
  assert.equal(store.says("stat -c %u:%g /data /data/x", "-v", "data:/data"), "0:0\n1000:1001");
});

test("a path of the host shows its owners only where it is idmapped", ["userns"], async (box) => {
  const store = await storeOf(box);
  const path = box.file("shared");
  box.file("shared/x", "1");
  assert.equal(store.says("stat -c %u /x/x", ...AUTO, "-v", `${path}:/x`), "65534");
  assert.equal(store.says("stat -c %u /x/x; echo 2 > /x/y", ...AUTO, "-v", `${path}:/x:idmap`), "0");
  assert.equal(statSync(join(path, "y")).uid, 0);
});

test("two containers share no ids, and ids are free again when their container is gone", ["userns"], async (box) => {
  const store = await storeOf(box);
  const one = await waiting(box, store);
  const two = await waiting(box, store);
  assert.ok(Math.abs(one.first - two.first) >= 1024, `${one.first} and ${two.first}`);
  await box.remove(one.id);
  const three = await waiting(box, store);
  assert.equal(three.first, one.first);
  const runs = Array.from({ length: 6 }, () =>
    store.begin(["run", "--image", "it", ...AUTO, box.id(), "--", "sh", "-c", "cat /proc/self/uid_map; sleep 1"]),
  );
  const firsts = (await Promise.all(runs.map(({ ended }) => ended))).map(
    ({ stdout, stderr }) => mapOf(stdout)[0]?.[1] ?? stderr,
  );
  assert.equal(new Set([two.first, three.first, ...firsts]).size, 8, firsts.join(" "));
});

test(
  "as many ids as the image and its process need, or as are asked for, some of them certain ones",
  ["userns"],
  async (box) => {
    const store = await storeOf(box);
    const count = (...flags: string[]): number[][] => mapOf(store.says("cat /proc/self/uid_map", ...flags));
    assert.equal(count(...AUTO, "--user", "5000")[0]?.[2], 5001);
    assert.equal(count("--userns", "auto:size=70000")[0]?.[2], 70_000);
    const maps = count("--userns", "auto:size=2000,uidmapping=1000:12345:1,gidmapping=1000:12345:1");
    assert.deepEqual(
      maps.map(([inside, , size]) => [inside, size]),
      [
        [0, 1000],
        [1000, 1],
        [1001, 999],
      ],
    );
    assert.equal(maps[1]?.[1], 12_345);
    assert.match(
      store.refuses("run", "--image", "it", "--userns", "auto:size=4294967290", box.id()),
      /no 4294967290 uids in a row/,
    );
    assert.match(
      store.refuses("run", "--image", "it", "--userns", "auto:size=10", "-u", "1000", box.id()),
      /must be an id that the mappings/,
    );
    assert.match(store.refuses("run", "--image", "it", "--userns", "keep-id", box.id()), /only root can do/);
    assert.match(
      store.refuses("run", "--image", "it", "--userns", "auto:colour=red", box.id()),
      /unknown option "colour"/,
    );
    assert.deepEqual(store.names("containers"), []);
  },
);

test("the number of ids is read inside the image, whatever its passwd is (CVE-2024-9676)", ["userns"], async (box) => {
  const store = new Store(box);
  const secret = box.file("secret", "a:x:60000:60000::/:\n");
  await store.load(
    {},
    await layerOf([{ name: "etc/passwd", type: "symlink", linkname: `../../../../../..${secret}` }]),
  );
  assert.match(store.says("cat /proc/self/uid_map", ...AUTO), / 1024$/);
  await store.load({}, await layerOf([{ name: "etc/passwd", type: "fifo" }]));
  assert.match(store.refuses("run", "--image", "it", ...AUTO, box.id()), /is not a regular file/);
});

test("cp reads and writes such a container's files, running or stopped, with its owners", ["userns"], async (box) => {
  const store = await storeOf(box);
  const { id } = await waiting(box, store, "true", "-v", "data:/data");
  const path = box.file("in", "from outside");
  const look = (): string => store.prints("exec", id, "stat", "-c", "%u:%g", "/tmp/in", "/data/in");
  for (const place of ["/tmp/in", "/data/in"]) store.prints("cp", path, `${id}:${place}`);
  assert.equal(look(), "0:0\n0:0\n");
  store.prints("cp", `${id}:/of-alice`, box.path("out"));
  assert.equal(readFileSync(box.path("out"), "utf8"), "2");
  box.ok("kill", id, "KILL");
  await box.reaches(id, "stopped");
  store.prints("cp", path, `${id}:/tmp/later`);
  store.prints("cp", `${id}:/tmp/later`, box.path("again"));
  assert.equal(readFileSync(box.path("again"), "utf8"), "from outside");
  const [token = ""] = store.names("containers");
  assert.equal(statSync(join(store.path, "containers", token, "upper/tmp/later")).uid, 0);
});

test("explain tells of the ids, and inspect shows them", ["userns"], async (box) => {
  const store = await storeOf(box);
  const told = store.prints("explain", "run", "--image", "it", ...AUTO, "-v", "data:/data", box.id());
  assert.match(told, /idmapped: uid 0 to 1023 on the disk are \d+ to \d+ of the host/);
  assert.match(told, /its files have the owners that the user namespace makes of those on the disk/);
  const { id } = await waiting(box, store);
  const [seen] = JSON.parse(store.prints("inspect", id)) as { HostConfig: { Namespaces: { type: string }[] } }[];
  assert.ok(seen?.HostConfig.Namespaces.some(({ type }) => type === "user"));
});
