/** What is rehearsed: every command that callers of a runtime wait for, as it goes when nothing is wrong. */
import type { State } from "../../src/container/state.ts";
import { store } from "../../src/mechanisms/seccomp-cache.ts";
import type { main } from "../../src/main.ts";
import type { Sys } from "../../src/sys/sys.ts";
import { BARE, DOCKER_LIKE } from "./configs.ts";
import { World, type Setting } from "./world.ts";

interface Scenario {
  readonly args: string;
  readonly setting: Setting;
  /** The exit status, or the program that the process becomes. */
  readonly ends: number | string;
  /** What is among the words printed. */
  readonly says?: string;
  /** What only such a command touches is kept apart: those of orchestrators have a bundle. */
  readonly ofImage?: boolean;
}

const INIT = 4243;
/** Of the compiled filter only the length matters. */
const FILTER = new Uint8Array(2384);

const STATE: State = {
  version: 1,
  id: "box",
  bundle: "/bundle",
  rootfs: "/bundle/rootfs",
  ociVersion: "1.3.0",
  created: "2023-11-14T22:13:20.123456789Z",
  annotations: {},
  cgroup: { mount: "/sys/fs/cgroup", path: "/engine/box" },
  boot: "50fca71c-0a83-4f30-9d0d-ba6218932259",
  pid: INIT,
  startTime: "1345365",
  hooks: { poststart: false, poststop: false },
  sharesPids: false,
  namespaces: 0x6e02_0000,
  newKeyring: true,
  owned: undefined,
};

function statOf(letter: string): string {
  return `${INIT} (init) ${letter} 1 1 1 0 -1 4194560 238 0 1 0 0 0 0 0 20 0 1 0 ${STATE.startTime} 4096 1`;
}

const ROOT_FILES = ["etc/passwd", "etc/resolv.conf", "etc/hostname", "etc/hosts", "proc/keys", "proc/timer_list"];
const ROOT_FOLDERS = [
  "",
  "dev/",
  "etc/",
  "proc/",
  "proc/bus/",
  "proc/fs/",
  "proc/irq/",
  "proc/sys/",
  "proc/acpi/",
  "sys/",
];
const CGROUP_FILES = ["cgroup.controllers", "cgroup.subtree_control"];

function filesBelow(folder: string, names: readonly string[], content: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${folder}/${name}`, content]));
}

/** The machine, and a bundle. */
function machine(config: string): Record<string, string> {
  return {
    "/proc/self/exe": "",
    "/proc/self/cgroup": "0::/engine/caller\n",
    "/proc/self/uid_map": "         0          0 4294967295\n",
    "/proc/sys/kernel/random/boot_id": `${STATE.boot}\n`,
    [`/proc/${INIT}/stat`]: statOf("S"),
    [`/proc/${INIT}/oom_score_adj`]: "0\n",
    "/dev/null": "",
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "/bin/true": "",
    "/run/": "",
    "/run/tsrun/": "",
    "/sys/fs/cgroup/": "",
    "/sys/fs/cgroup/engine/": "",
    ...filesBelow("/sys/fs/cgroup", CGROUP_FILES, "cpuset cpu io memory hugetlb pids\n"),
    "/sys/fs/cgroup/engine/cgroup.subtree_control": "cpu memory pids\n",
    ...filesBelow("/sys/fs/cgroup/engine/box", ["cgroup.events"], "populated 0\nfrozen 0\n"),
    ...filesBelow("/sys/fs/cgroup/engine/box", LIMITS, ""),
    ...filesBelow("/bundle/rootfs", [...ROOT_FILES, ...ROOT_FOLDERS], ""),
    ...filesBelow("/bundle/rootfs", ["sys/fs/cgroup/", "sys/firmware/"], ""),
    ...filesBelow("/mount/sys/net/ipv4", ["ip_unprivileged_port_start", "ping_group_range"], ""),
    ...filesBelow("/bundle", ["resolv.conf", "hostname", "hosts"], ""),
    "/bundle/config.json": config,
  };
}

const LIMITS = ["cgroup.kill", "memory.max", "memory.swap.max", "cpu.weight", "cpu.max", "cpu.max.burst", "pids.max"];

/** The machine with a container whose init is what `letter` of proc(5) says. */
function withContainer(config: string, letter: string, more: Record<string, string | Uint8Array> = {}): Setting {
  const folder = "/run/tsrun/box";
  const files = {
    ...machine(config),
    [`/proc/${INIT}/stat`]: statOf(letter),
    "/sys/fs/cgroup/engine/box/": "",
    [`${folder}/`]: "",
    [`${folder}/state.json`]: JSON.stringify(STATE),
    [`${folder}/config.json`]: config,
    ...more,
  };
  return { clone: INIT, messages: ["ready "], files };
}

/** Both sides of a command that makes a process. */
function bothSides(args: string, setting: Setting, messages: readonly string[]): Scenario[] {
  return [
    { args, setting: { ...setting, messages }, ends: 0 },
    { args, setting: { ...setting, clone: 0, messages: ["goOn", "goOn"] }, ends: "/bin/true" },
  ];
}

const FIFO = { "/run/tsrun/box/exec.fifo": "" };
const COMPILED = new Uint8Array(8 + FILTER.length);
COMPILED.set(new Uint8Array(Uint32Array.of(4, FILTER.length).buffer));

/** Commands that only look, or say a word. */
function shortOnes(config: string): Scenario[] {
  return [
    { args: "state box", setting: withContainer(config, "S"), ends: 0, says: '"status": "running"' },
    { args: "kill box KILL", setting: withContainer(config, "S"), ends: 0 },
    { args: "delete box", setting: withContainer(config, "Z"), ends: 0 },
    { args: "start box", setting: withContainer(config, "S", FIFO), ends: 0 },
  ];
}

function longOnes(config: string, filter: Record<string, Uint8Array>): Scenario[] {
  const setting: Setting = { clone: INIT, messages: [], files: machine(config) };
  return [
    ...bothSides("exec box true", withContainer(config, "S", filter), ["ready "]),
    ...bothSides("create --bundle /bundle box", setting, ["ready "]),
    ...bothSides("run --bundle /bundle box", setting, ["ready "]),
  ];
}

const LAYERS = [1, 2, 3].map((digit) => `${digit}`.repeat(64));
const CONFIG = "c".repeat(64);
const DIFF_IDS = LAYERS.map((hex) => `sha256:${hex}`);
const RECORD = {
  version: 1,
  name: "docker.io/library/box:latest",
  id: `sha256:${CONFIG}`,
  manifest: `sha256:${"d".repeat(64)}`,
  layers: DIFF_IDS,
  lower: LAYERS.map((hex) => `layers/${hex}/fs`),
  size: 100_000_000,
  created: "2023-11-14T22:13:20Z",
  loaded: "2023-11-14T22:13:20Z",
};
const IMAGE = {
  architecture: "amd64",
  os: "linux",
  config: { Env: ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"], Cmd: ["/bin/true"], WorkingDir: "/" },
  rootfs: { type: "layers", diff_ids: DIFF_IDS },
};

/** The machine, and an image in its store. */
function withImage(): Setting {
  const place = "/var/lib/tsrun";
  const files = {
    ...machine(BARE),
    "/proc/self/gid_map": "         0          0 4294967295\n",
    "/proc/self/setgroups": "allow\n",
    "/proc/swaps": "",
    "/etc/resolv.conf": "nameserver 192.0.2.1\n",
    [`${place}/containers/`]: "",
    [`${place}/refs/docker.io%library%box:latest.json`]: JSON.stringify(RECORD),
    [`${place}/blobs/sha256/${CONFIG}`]: JSON.stringify(IMAGE),
    ...filesBelow(
      place,
      RECORD.lower.map((path) => `${path}/`),
      "",
    ),
    ...filesBelow("/mount", [...ROOT_FILES, ...ROOT_FOLDERS], "root:x:0:0:root:/root:/bin/sh\n"),
    ...filesBelow("/mount", ["sys/fs/cgroup/", "sys/firmware/", "bin/true"], ""),
    ...filesBelow("/sys/fs/cgroup/box", ["cgroup.events"], "populated 0\nfrozen 0\n"),
  };
  return { clone: INIT, messages: [], files };
}

/** The earlier a scenario, the closer together lies what it touches. */
const SCENARIOS: readonly Scenario[] = [
  ...shortOnes(BARE),
  ...shortOnes(DOCKER_LIKE),
  { args: "--version", setting: { clone: 0, messages: [], files: machine(BARE) }, ends: 0, says: "tsrun version" },
  { args: "state nosuch", setting: withContainer(BARE, "S"), ends: 1, says: "does not exist" },
  { args: "list", setting: withContainer(BARE, "S"), ends: 0, says: "running" },
  ...longOnes(BARE, {}),
  ...longOnes(DOCKER_LIKE, { "/run/tsrun/box/seccomp.bpf": COMPILED }),
  ...bothSides("run --image box box", withImage(), ["ready "]).map((each) => ({ ...each, ofImage: true })),
];

let meet: ((native: Sys) => void) | undefined;
let current: { readonly scenario: Scenario; readonly world: World } | undefined;

/** Sets the stage for a scenario: 0 where there is none of that number, 1 for a usual one, 2 for one of an image. Called by the host. */
export function prepare(native: Sys, index: number): number {
  const scenario = SCENARIOS[index];
  if (scenario === undefined) {
    meet = STRANGERS[index - SCENARIOS.length];
    return meet === undefined ? 0 : 1;
  }
  const world = new World(native, scenario.setting);
  const [, profile] = native.cutJson(DOCKER_LIKE, ["linux", "seccomp"]) ?? [];
  store(world.sys, "/run/tsrun", { profile: profile ?? "", machine: "x86_64" }, { flags: 4, program: FILTER });
  current = { scenario, world };
  return scenario.ofImage === true ? 2 : 1;
}

/** Goes through it. Throws where it does not end as it should. */
export function play(program: typeof main, native: Sys): void {
  if (current === undefined) return meet?.(native);
  const { scenario, world } = current;
  const words = ["tsrun", ...scenario.args.split(" ")];
  let status: number | string;
  try {
    status = program(world.sys, words, ["PATH=/usr/bin:/bin", "HOME=/root", "USER=root", "TERM=xterm"]);
  } catch (error) {
    if (world.became === undefined) throw error;
    status = world.became;
  }
  if (status === scenario.ends && world.output.includes(scenario.says ?? "")) return;
  throw new Error(
    `the rehearsal of "tsrun ${scenario.args}" ended with ${status} instead of ${scenario.ends}: ${world.output}`,
  );
}

/**
 * What is met by chance. The engine looks up names and shapes of objects in hash tables, whose chains lead through any others,
 * and the hashes of shapes are made of addresses. So all names that can be met are to lie together, and all shapes.
 */
const STRANGERS: readonly ((native: Sys) => void)[] = [
  (native) => {
    const names = Object.keys(native);
    for (const first of names) for (const second of names) Object.assign({ [first]: 0 }, { [second]: 0 });
  },
  (native) => {
    for (let index = 0; index < 1 << 16; index++) if (`stranger${index}` in native) return;
  },
];
