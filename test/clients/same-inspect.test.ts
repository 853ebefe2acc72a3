/** `inspect` has docker's shape: the fields that scripts look at say the same of the same container, made by both. */

import assert from "node:assert/strict";
import { after } from "node:test";
import { DOCKER, testsBesideDocker, tsrun } from "../support/beside-docker.ts";
import type { World } from "../support/world.ts";

const { test, end } = testsBesideDocker("same-inspect");

after(end);

/** Nobody else's: other tests run beside this one. */
const ID = "seen";

/** Paths of fields; what is below one of them is compared whole. */
const FIELDS = [
  ..."Path Args State.Status State.Running State.Paused State.Restarting State.Dead".split(" "),
  ..."Hostname Domainname User Tty OpenStdin ExposedPorts Env Cmd Entrypoint Image Volumes WorkingDir StopSignal"
    .split(" ")
    .map((name) => `Config.${name}`),
  ...(
    "Binds NetworkMode PidMode UTSMode UsernsMode AutoRemove Privileged CapAdd CapDrop GroupAdd ExtraHosts Dns DnsOptions " +
    "DnsSearch OomScoreAdj ReadonlyRootfs ShmSize Memory MemorySwap MemoryReservation NanoCpus CpuShares CpuQuota CpuPeriod " +
    "CpusetCpus CpusetMems BlkioWeight PidsLimit"
  )
    .split(" ")
    .map((name) => `HostConfig.${name}`),
  ..."IPAddress Gateway MacAddress Ports".split(" ").map((name) => `NetworkSettings.${name}`),
];

type Json = { readonly [key: string]: unknown };

function at(json: Json, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as Json | undefined)?.[key], json);
}

/** What is seen, by the names of fields. */
function seen(world: World, runner: readonly string[]): Record<string, unknown> {
  const [json] = JSON.parse(world.prints(...runner, "inspect", ID)) as [Json];
  const fields = Object.fromEntries(FIELDS.map((path) => [path, at(json, path)]));
  const mounts = (json["Mounts"] as Json[])
    .map(({ Type, Name, Destination, Driver, RW, Propagation }) => ({
      Type,
      // docker makes up a name for a volume of the image.
      Name: typeof Name === "string" && Name.length > 60 ? undefined : Name,
      Destination,
      Driver,
      RW,
      Propagation,
    }))
    .toSorted((one, other) => String(one.Destination).localeCompare(String(other.Destination)));
  const networks = Object.keys(at(json, "NetworkSettings.Networks") as object);
  // What docker gives to every process is not in its list, and stands in tsrun's.
  const env = ((fields["Config.Env"] ?? []) as string[]).filter((entry) => !/^(PATH|HOSTNAME|TERM)=/.test(entry));
  // docker's are in no order.
  const binds = (fields["HostConfig.Binds"] as string[] | null)?.toSorted();
  return { ...fields, "HostConfig.Binds": binds, "Config.Env": env, mounts, networks };
}

/** The fields that differ, each with both values. */
function differences(world: World): string[] {
  const [docker, ours] = [seen(world, [DOCKER]), seen(world, tsrun(world))];
  return Object.keys(docker)
    .filter((key) => JSON.stringify(ours[key]) !== JSON.stringify(docker[key]))
    .map((key) => `${key}: ${JSON.stringify(ours[key])}, docker ${JSON.stringify(docker[key])}`);
}

interface Row {
  readonly flags: string;
  readonly image?: string;
  readonly command?: readonly string[];
}

/** What differs while it runs, and when it has ended. */
function outcome(world: World, { flags, image = "box", command = ["sleep", "1000"] }: Row): string[] {
  const words = flags.split(" ").map((word) => word.replace("DIR", world.dir));
  const own = [...tsrun(world, "run", "-d", ...words, "--image", image, ID, "--"), ...command];
  world.prints(DOCKER, "run", "-d", "--name", ID, ...words, image, ...command);
  world.prints("sh", "-c", '"$@" > /dev/null 2>&1 < /dev/null', "sh", ...own);
  try {
    const running = differences(world);
    world.prints(DOCKER, "kill", ID);
    world.prints(...tsrun(world, "kill", ID, "KILL"));
    world.prints("sh", "-c", "sleep 0.5");
    return [...running, ...differences(world)].map((each) => `${flags} ${image}: ${each}`);
  } finally {
    world.prints(DOCKER, "rm", "-f", ID);
    world.prints(...tsrun(world, "delete", "--force", ID));
  }
}

const BASE = "--network none --hostname box";

const ROWS: readonly Row[] = [
  { flags: BASE },
  { flags: `${BASE} -v DIR/bound:/bound:ro -v named:/named -v DIR/bound:/other` },
  { flags: `${BASE} --read-only --cap-add net_admin --cap-drop CHOWN --group-add 50 --oom-score-adj 5` },
  {
    flags: `${BASE} -u alice -w /tmp -e A=b --entrypoint sleep --stop-signal USR1 --domainname d`,
    image: "entry",
    command: ["1000"],
  },
  { flags: `${BASE} --shm-size 1m --add-host a:1.2.3.4 --dns 1.1.1.1 --dns-search x.y` },
  { flags: `${BASE} -i`, image: "full" },
  { flags: "--network host --pid host --uts host" },
];

test("inspect says the same of a container as docker's", (world) => {
  assert.deepEqual(
    ROWS.flatMap((row) => outcome(world, row)),
    [],
  );
});
