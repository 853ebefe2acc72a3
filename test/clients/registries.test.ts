/** Registries, archives and layouts as what clients share: podman, dockerd and skopeo run what tsrun wrote, and it what they wrote. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import {
  addBlob,
  addImage,
  archiveOf,
  ARCHITECTURE,
  configOf,
  layoutOf,
  sha256,
  writeFiles,
  type Blobs,
} from "../../scripts/fixtures.ts";
import { BASE, filesLayer, layoutFiles } from "../image/images.ts";
import { PODMAN_SETTINGS } from "../support/podman-settings.ts";
import { eventually } from "../support/runtime.ts";
import { testsIn, TSRUN, World } from "../support/world.ts";

/** Debian's client; another one that stands before it on PATH may want more than this daemon has. */
const DOCKER = "/usr/bin/docker";

const REGISTRY = "localhost:5000";

/** What a container of the image says. */
const SAYS = "made by tsrun's tests\n";

const DOCKERD = {
  "default-ulimits": { nofile: { Name: "nofile", Hard: 1024, Soft: 1024 } },
  "storage-driver": "overlay2",
  iptables: false,
  bridge: "none",
};

const LAYERS = Promise.all([BASE, filesLayer({ "made/by": SAYS })]);

const { test, end } = testsIn(async () => {
  const world = await World.create("registries");
  const policy = '{"default":[{"type":"insecureAcceptAnything"}]}';
  const settings = world.file("containers.conf", PODMAN_SETTINGS);
  world.prints("sh", "-c", `cp ${settings} /etc/containers/; echo '${policy}' > /etc/containers/policy.json`);
  const storage = `storage: {filesystem: {rootdirectory: "${join(world.dir, "registry")}"}}`;
  const conf = `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n${storage}\nhttp: {addr: "127.0.0.1:5000"}\n`;
  world.daemon("docker-registry", "serve", world.file("registry.yml", conf));
  const config = world.file("config.toml", 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
  world.daemon("containerd", "--config", config);
  await eventually(() => world.run(["ctr", "version"]).status === 0, "containerd");
  const daemon = world.file("daemon.json", JSON.stringify(DOCKERD));
  world.daemon("dockerd", "--config-file", daemon, "--containerd", "/run/containerd/containerd.sock");
  await eventually(() => world.run([DOCKER, "info"]).status === 0, "dockerd");
  const files = layoutFiles({ layers: await LAYERS, process: { Cmd: ["cat", "/made/by"] }, name: "it:1" });
  writeFileSync(join(world.dir, "it.tar"), await archiveOf(files));
  world.prints(...tsrun(world, "image", "load", join(world.dir, "it.tar")));
  return world;
}, [
  "tool:podman",
  "tool:conmon",
  "tool:dockerd",
  "tool:containerd",
  "tool:runc",
  "tool:skopeo",
  "tool:docker-registry",
]);

after(end);

function tsrun(world: World, ...args: string[]): string[] {
  return [TSRUN, "--store", join(world.dir, "store"), ...args];
}

/** Who runs images, with its way to pull, load, tell the id of an image, run and forget it. */
const CLIENTS = {
  podman: {
    pull: (name: string) => ["podman", "pull", "-q", "--tls-verify=false", name],
    load: (path: string) => ["podman", "load", "-q", "-i", path],
    push: (name: string) => ["podman", "push", "-q", "--tls-verify=false", name],
    id: (name: string) => ["podman", "inspect", "--format", "sha256:{{.Id}}", name],
    run: (name: string) => ["podman", "--runtime", "runc", "run", "--rm", "--network", "none", "--pull", "never", name],
    remove: (name: string) => ["podman", "rmi", "--force", name],
  },
  docker: {
    pull: (name: string) => [DOCKER, "pull", "-q", name],
    load: (path: string) => [DOCKER, "load", "-q", "-i", path],
    push: (name: string) => [DOCKER, "push", "-q", name],
    id: (name: string) => [DOCKER, "inspect", "--format", "{{.Id}}", name],
    run: (name: string) => [DOCKER, "run", "--rm", "--network", "none", name],
    remove: (name: string) => [DOCKER, "rmi", "--force", name],
  },
} as const;

type Client = (typeof CLIENTS)[keyof typeof CLIENTS];

function idOf(world: World, name = "it:1"): string {
  const [only] = JSON.parse(world.prints(...tsrun(world, "image", "inspect", name))) as { Id: string }[];
  return only?.Id ?? "";
}

/** The client has the image of this id, which runs, and has it no more afterwards. */
function runsIn(world: World, client: Client, name: string, id = idOf(world)): void {
  assert.equal(world.prints(...client.id(name)).trim(), id, name);
  assert.equal(world.prints(...client.run(name)), SAYS, name);
  world.prints(...client.remove(name));
}

/** tsrun has the image of this id, which runs, and has it no more afterwards. */
function runsHere(world: World, name: string, id: string): void {
  assert.equal(idOf(world, name), id, name);
  assert.equal(
    world.prints(...tsrun(world, "run", "--rm", "--network", "none", "--pull", "never", "--image", name)),
    SAYS,
  );
  world.prints(...tsrun(world, "image", "rm", name));
}

/** Docker 20.10 knows no zstd. */
const PUSHES: readonly { readonly tag: string; readonly flags: string[]; readonly clients: readonly Client[] }[] = [
  { tag: "oci", flags: [], clients: Object.values(CLIENTS) },
  { tag: "none", flags: ["--compression", "none"], clients: Object.values(CLIENTS) },
  { tag: "zstd", flags: ["--compression", "zstd"], clients: [CLIENTS.podman] },
  { tag: "v2s2", flags: ["--format", "v2s2"], clients: Object.values(CLIENTS) },
];

for (const { tag, flags, clients } of PUSHES) {
  test(`podman, docker and skopeo pull what push has written, as ${tag}, and run it`, (world) => {
    const name = `${REGISTRY}/pushed-${tag}:1`;
    // From a store of its own: what another push has sent would do for this one too.
    const store = join(world.dir, `store-${tag}`);
    const own = (...args: string[]): string => world.prints(TSRUN, "--store", store, "image", ...args);
    own("load", join(world.dir, "it.tar"));
    own("push", "-q", ...flags, "it:1", name);
    for (const client of clients) {
      world.prints(...client.pull(name));
      runsIn(world, client, name);
    }
    const config = world.prints("skopeo", "inspect", "--tls-verify=false", "--raw", "--config", `docker://${name}`);
    assert.equal(sha256(config), idOf(world));
    world.prints("skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${name}`, `dir:${world.dir}/${tag}`);
  });
}

/** An index of an image for this machine and one for another, in a layout; gives the index. */
async function twoMachines(world: World): Promise<{ layout: string; index: string }> {
  const layers = await LAYERS;
  const blobs: Blobs = new Map();
  const image = (architecture: string): object => {
    const change = (config: Record<string, unknown>): unknown => Object.assign(config, { architecture });
    const config = configOf(layers, { Cmd: ["cat", "/made/by"] }, (made) => void change(made));
    return { ...addImage(blobs, layers, config), platform: { os: "linux", architecture } };
  };
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [image("s390x"), image(ARCHITECTURE)] });
  const layout = join(world.dir, "machines");
  const entry = { ...addBlob(blobs, index, mediaType), annotations: { "org.opencontainers.image.ref.name": "v1" } };
  writeFiles(layout, layoutOf(blobs, [entry]));
  return { layout: `oci:${layout}:v1`, index };
}

test("an index that was pulled whole is pushed whole: podman and docker run their image, skopeo copies all", async (world) => {
  const { layout, index } = await twoMachines(world);
  const [from, to] = [`${REGISTRY}/machines:1`, `${REGISTRY}/machines:2`];
  world.prints("skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", layout, `docker://${from}`);
  world.prints(...tsrun(world, "image", "pull", "-q", "--all-platforms", from));
  world.prints(...tsrun(world, "image", "push", "-q", from, to));
  const raw = (name: string): string =>
    world.prints("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${name}`);
  assert.equal(raw(to), index);
  const elsewhere = `${REGISTRY}/elsewhere:1`;
  world.prints(...tsrun(world, "image", "push", "-q", from, elsewhere));
  const id = idOf(world, from);
  for (const name of [to, elsewhere]) {
    for (const client of Object.values(CLIENTS)) {
      world.prints(...client.pull(name));
      runsIn(world, client, name, id);
    }
    const copy = `oci:${join(world.dir, `all-${name.replaceAll(/[:/]/g, "-")}`)}:v1`;
    world.prints("skopeo", "copy", "-q", "--all", "--src-tls-verify=false", `docker://${name}`, copy);
  }
  world.prints(...tsrun(world, "image", "rm", from));
});

test("tsrun pulls what podman push, docker push and skopeo copy have written, and runs it", (world) => {
  const archive = join(world.dir, "saved.tar");
  world.prints(...tsrun(world, "image", "tag", "it:1", `${REGISTRY}/theirs:1`));
  world.prints(...tsrun(world, "image", "save", "-o", archive, `${REGISTRY}/theirs:1`));
  world.prints(...tsrun(world, "image", "rm", `${REGISTRY}/theirs:1`));
  const id = idOf(world);
  const name = `${REGISTRY}/theirs:1`;
  const pulls = (): void => {
    world.prints(...tsrun(world, "image", "pull", "-q", name));
    runsHere(world, name, id);
  };
  for (const client of Object.values(CLIENTS)) {
    world.prints(...client.load(archive));
    world.prints(...client.push(name));
    pulls();
    if (client === CLIENTS.podman) {
      for (const flags of [
        ["--format", "v2s2"],
        ["--format", "oci", "--compression-format", "zstd"],
      ]) {
        world.prints(...client.push(name), ...flags);
        pulls();
      }
    }
    world.prints(...client.remove(name));
  }
  for (const flags of [[], ["--dest-compress-format", "zstd"], ["--format", "v2s2"]]) {
    const from = `docker-archive:${archive}`;
    world.prints("skopeo", "copy", "-q", "--dest-tls-verify=false", ...flags, from, `docker://${name}`);
    pulls();
  }
});

test("tsrun loads what docker save, podman save and skopeo copy have written, and runs it", (world) => {
  const saved = join(world.dir, "first.tar");
  const id = idOf(world);
  const name = "example.com/theirs:1";
  world.prints(...tsrun(world, "image", "tag", "it:1", name));
  world.prints(...tsrun(world, "image", "save", "-o", saved, name));
  world.prints(...tsrun(world, "image", "rm", name));
  for (const client of Object.values(CLIENTS)) world.prints(...client.load(saved));
  const path = (file: string): string => join(world.dir, `by-${file}`);
  const written = [`docker-archive:${path("docker")}`];
  world.prints(DOCKER, "save", "-o", path("docker"), name);
  for (const format of ["docker-archive", "oci-archive", "oci-dir"]) {
    world.prints("podman", "save", "-q", "--format", format, "-o", path(format), name);
    written.push(`${format === "oci-dir" ? "oci" : format}:${path(format)}`);
  }
  for (const to of [
    `oci:${path("o")}:${name}`,
    `oci-archive:${path("a")}:${name}`,
    `docker-archive:${path("d")}:${name}`,
  ]) {
    world.prints("skopeo", "copy", "-q", `docker-archive:${saved}:${name}`, to);
    written.push(to);
  }
  for (const place of written) {
    world.prints(...tsrun(world, "image", "load", place, "--name", "theirs:1"));
    runsHere(world, "theirs:1", id);
    world.prints(...tsrun(world, "image", "copy", "-q", place, `docker-archive:${path("again")}:theirs:1`));
    assert.equal(world.prints(...tsrun(world, "image", "load", path("again"))), "theirs:1\n");
    runsHere(world, "theirs:1", id);
  }
});

test("podman and docker load what save and copy have written, and run it", (world) => {
  const name = "example.com/ours:1";
  world.prints(...tsrun(world, "image", "tag", "it:1", name));
  const path = (file: string): string => join(world.dir, `ours-${file}`);
  world.prints(...tsrun(world, "image", "save", "-o", path("docker-archive"), name));
  world.prints(...tsrun(world, "image", "save", "-o", path("oci-archive"), "--format", "oci-archive", name));
  const copy = (to: string): string =>
    world.prints(...tsrun(world, "image", "copy", "-q", `oci-archive:${path("oci-archive")}`, to));
  copy(`docker-archive:${path("docker-copy")}:${name}`);
  copy(`oci-archive:${path("oci-copy")}:${name}`);
  for (const file of ["docker-archive", "docker-copy", "oci-archive", "oci-copy"])
    for (const client of Object.values(CLIENTS)) {
      // Docker 20.10 knows no layouts.
      if (client === CLIENTS.docker && file.startsWith("oci-")) continue;
      world.prints(...client.load(path(file)));
      runsIn(world, client, name);
    }
});
