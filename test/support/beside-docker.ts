/** A world with dockerd and runc, and the same images in docker's store and in one of tsrun's: what is the same with both? */

import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "./runtime.ts";
import { rootfsTar, testsIn, TSRUN, World } from "./world.ts";

/** Debian's client; another one that stands before it on PATH may want more than this daemon has. */
export const DOCKER = "/usr/bin/docker";

/** What the images have besides busybox: who is who, and places to mount on. */
const MORE = `
  printf 'root:x:0:0:root:/root:/bin/sh\\nalice:x:1000:1001::/home/alice:/bin/sh\\nhomeless:x:1002:1002:::\\n' > etc/passwd
  printf 'root:x:0:\\nalice:x:1001:\\nstaff:x:50:alice\\ntty:x:5:\\n' > etc/group
  mkdir -p home/alice vol/deep run var/tmp own && echo seed > vol/deep/seed && echo file > own/file
  ln -s deep vol/link && chmod 0750 vol && chmod 0711 own && chmod 1777 tmp
  printf '#!/bin/sh\\nexit 3\\n' > script && printf 'exit 4\\n' > noexec && chmod 755 script
  tar --sort=name --owner=0 --group=0 --exclude=./vol --exclude=./own -cf ../more.tar .
  tar --sort=name --owner=1000 --group=50 -rf ../more.tar ./vol ./own`;

/** Each image's configuration, in the words of a Dockerfile. */
const IMAGES = {
  box: ["CMD sh"],
  entry: ['ENTRYPOINT ["echo", "entry"]', 'CMD ["image"]', "ENV A=image", "ENV EMPTY="],
  shell: ["ENTRYPOINT echo shell $0", 'CMD ["image"]'],
  full: ["USER alice", "WORKDIR /work/here", "VOLUME /vol", "VOLUME /new", 'CMD ["sh"]'],
} as const;

/** Tests that share such a world. */
export function testsBesideDocker(name: string): ReturnType<typeof testsIn> {
  return testsIn(() => besideDocker(name), ["tool:dockerd", "tool:containerd"]);
}

/** Starts containerd and dockerd in a world, with more of dockerd's settings. */
export async function startDocker(world: World, more: object = {}): Promise<void> {
  const settings = {
    ...more,
    "default-ulimits": { nofile: { Name: "nofile", Hard: 1024, Soft: 1024 } },
    "storage-driver": "overlay2",
    iptables: false,
    bridge: "none",
  };
  await startContainerd(world);
  const file = world.file("daemon.json", JSON.stringify(settings));
  world.daemon("dockerd", "--config-file", file, "--containerd", "/run/containerd/containerd.sock");
  await eventually(() => world.run([DOCKER, "info"]).status === 0, "dockerd");
}

export async function startContainerd(world: World): Promise<void> {
  const file = world.file("config.toml", 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
  world.daemon("containerd", "--config", file);
  await eventually(() => world.run(["ctr", "version"]).status === 0, "containerd");
}

async function besideDocker(name: string): Promise<World> {
  const world = await World.create(name);
  await startDocker(world);
  rootfsTar(world);
  world.prints("sh", "-c", `cd ${world.dir}/root && ${MORE}`);
  for (const [image, changes] of Object.entries(IMAGES)) {
    const flags = changes.flatMap((change) => ["--change", change]);
    world.prints(DOCKER, "import", ...flags, join(world.dir, "more.tar"), image);
    world.prints(DOCKER, "save", "-o", join(world.dir, `${image}.tar`), image);
    world.prints(...tsrun(world, "image", "load", join(world.dir, `${image}.tar`), "--name", image));
  }
  for (const [file, text] of Object.entries(FILES)) world.file(file, text);
  world.prints("sh", "-c", `cd ${world.dir} && mkdir bound && echo bound > bound/file && chown 1000:50 bound/file`);
  world.prints("sh", "-c", `mkdir ${world.dir}/bound/below && mount -t tmpfs below ${world.dir}/bound/below`);
  return world;
}

/** A command line of tsrun with the world's store. */
export function tsrun(world: World, ...args: string[]): string[] {
  return [TSRUN, "--store", join(world.dir, "store"), ...args];
}

/** Files of the caller's, beside which the commands run. */
const FILES = {
  variables: '# comment\n\nA=file\n  B=indented\nTERM\nNOT_SET\nQ="quoted" # kept\nE=\nX=a=b\n',
  labels: "# comment\nl=file\nalone\n",
};

export interface Row {
  /** Separated by spaces; DIR is where the files are. */
  readonly flags: string;
  readonly image?: keyof typeof IMAGES;
  /** A shell's script; or the very command, perhaps none. */
  readonly says: string | readonly string[];
  /** Why it is not the same. */
  readonly differs?: string;
}

function outcome(world: World, runner: readonly string[], separator: readonly string[], row: Row): string {
  const { flags, image = "box", says } = row;
  const words = flags.split(" ").filter((word) => word !== "");
  const given = words.map((word) => word.replaceAll("DIR", world.dir).replaceAll("~", " "));
  const command = typeof says === "string" ? ["sh", "-c", says] : says;
  const named = words.some((word) => ["--network", "--uts", "--hostname", "-h"].includes(word.split("=")[0] ?? ""));
  const base = named ? [] : ["--hostname", "box"];
  const isDocker = runner[0] === DOCKER;
  const network = words.some((word) => word.startsWith("--net")) ? [] : ["--network", "none"];
  const args = isDocker
    ? [...runner, "run", "--rm", ...network, ...base, ...given, image, ...command]
    : [...runner, "run", "--rm", ...network, ...base, ...given, "--image", image, ...separator, ...command];
  const { status, stdout } = world.run(args);
  return `${status}\n${stdout}`;
}

export function sameIn(test: ReturnType<typeof testsIn>["test"], sentence: string, rows: readonly Row[]): void {
  test(sentence, (world) => {
    for (const row of rows) {
      const own = outcome(world, tsrun(world), ["--"], row);
      const first = outcome(world, [DOCKER], [], row);
      // A loaded machine makes this docker fail now and then to start a container, but not twice in a row.
      const docker = first === own ? first : outcome(world, [DOCKER], [], row);
      const what = `${row.flags} ${JSON.stringify(row.says)}`;
      if (row.differs === undefined) assert.equal(own, docker, what);
      else assert.notEqual(own, docker, `${what} is the same now: ${row.differs}`);
    }
  });
}

/** Why docker 20.10 is no model everywhere. */
export const OLD = "newer versions of docker do as tsrun";

/** Says how the mount at a path is made. */
export const AT = (path: string): string =>
  `grep ' ${path} ' /proc/self/mountinfo | cut -d' ' -f 6- | sed 's/\\(shared\\|master\\):[0-9]*/\\1:N/; s/ - tmpfs.*//'`;
