import { cpuWeight, parseResourcesFile } from "../../../src/spec/parse-resources.ts";
import { deepEqual, equal, test, throws } from "../../support/unit.ts";
import { parseWith, refuses } from "./example.ts";
import type { Json } from "./example.ts";

/** What `resources` writes, one "file = value" each. */
function written(resources: Json): string[] {
  return parseWith("linux.resources", resources).cgroup.settings.map(({ file, value }) => `${file} = ${value}`);
}

const R = "linux.resources";

test("an empty or zero value asks for nothing", () => {
  const nothing = {
    memory: {},
    cpu: { shares: 0, quota: 0, period: 0, cpus: "", mems: "", realtimeRuntime: 0, realtimePeriod: 0 },
    blockIO: { weight: 0, leafWeight: 0, weightDevice: [] },
    pids: {},
    hugepageLimits: [],
    rdma: {},
    unified: {},
    network: { classID: 0, priorities: [] },
    devices: [],
  };
  deepEqual(written(nothing), []);
  deepEqual(written({ memory: null, cpu: null }), []);
  deepEqual(written({ memory: { limit: 0, swap: 0, reservation: 0, kernel: 0, disableOOMKiller: false } }), []);
});

const MEMORY: readonly (readonly [memory: Json, files: readonly string[]])[] = [
  [{ limit: 100 }, ["memory.max = 100"]],
  [{ limit: -1 }, ["memory.swap.max = max", "memory.max = max"]],
  [{ limit: 100, swap: 300 }, ["memory.swap.max = 200", "memory.max = 100"]],
  [{ limit: 100, swap: 100 }, ["memory.swap.max = 0", "memory.max = 100"]],
  [{ limit: 100, swap: -1 }, ["memory.swap.max = max", "memory.max = 100"]],
  [{ limit: -1, swap: 300 }, ["memory.swap.max = 300", "memory.max = max"]],
  [{ swap: -1 }, ["memory.swap.max = max"]],
  [{ reservation: 50 }, ["memory.low = 50"]],
  [{ limit: 9007199254740991 }, ["memory.max = 9007199254740991"]],
];

for (const [memory, files] of MEMORY) {
  test(`memory ${JSON.stringify(memory)} writes ${files.join(", ")}`, () => deepEqual(written({ memory }), [...files]));
}

test("swap is a limit of both together, so it needs the other and is not lower", () => {
  refuses(`${R}.memory`, { swap: 5 }, `${R}.memory.swap needs a limit of memory too`);
  refuses(
    `${R}.memory`,
    { limit: 10, swap: 5 },
    `${R}.memory.swap must be at least the limit of memory 10: current value is 5`,
  );
  refuses(`${R}.memory`, { limit: -2 }, `${R}.memory.limit must be a number of bytes, or -1 for no limit`);
});

const missing = (memory: Json) => parseWith(`${R}.memory`, memory).cgroup.settings[0]?.whenMissing;

test("without swap in the kernel, no swap and any swap are true already", () => {
  equal(missing({ limit: 100, swap: 100 }), "skip");
  equal(missing({ swap: -1 }), "skip");
  equal(missing({ limit: 100, swap: 300 }), undefined);
});

test("settings of cgroup v1 are ignored with a warning where runc does so, else refused", () => {
  deepEqual(parseWith(`${R}.memory`, { kernel: 1, kernelTCP: 1 }).warnings, [
    `${R}.memory.kernel is ignored: cgroup v2 counts kernel memory as memory`,
    `${R}.memory.kernelTCP is ignored: cgroup v2 counts kernel memory as memory`,
  ]);
  deepEqual(parseWith(`${R}.memory`, { swappiness: 0 }).warnings?.length, 1);
  refuses(`${R}.memory`, { swappiness: 60 }, `${R}.memory.swappiness is not possible: cgroup v2 has no such setting`);
  refuses(`${R}.memory`, { disableOOMKiller: true }, `${R}.memory.disableOOMKiller is not possible`);
  refuses(`${R}.cpu`, { realtimeRuntime: 1 }, `${R}.cpu.realtimeRuntime is not possible`);
  refuses(`${R}.network`, { classID: 1 }, `${R}.network.classID is not possible`);
  refuses(`${R}.network`, { priorities: [{ name: "eth0", priority: 1 }] }, `${R}.network.priorities is not possible`);
  refuses(`${R}.blockIO`, { leafWeight: 10 }, `${R}.blockIO.leafWeight is not possible`);
});

const WEIGHTS: readonly (readonly [shares: number, weight: number])[] = [
  [1, 1],
  [2, 1],
  [3, 2],
  [512, 59],
  [1024, 100],
  [2048, 174],
  [102400, 4429],
  [262144, 10000],
  [999999, 10000],
];

for (const [shares, weight] of WEIGHTS) {
  test(`${shares} shares are a weight of ${weight}`, () => equal(cpuWeight(shares), weight));
}

const CPU: readonly (readonly [cpu: Json, files: readonly string[]])[] = [
  [{ shares: 1024 }, ["cpu.weight = 100"]],
  [{ quota: 50000 }, ["cpu.max = 50000 100000"]],
  [{ quota: 50000, period: 20000 }, ["cpu.max = 50000 20000"]],
  [{ quota: -1 }, ["cpu.max = max 100000"]],
  [{ period: 20000 }, ["cpu.max = max 20000"]],
  [{ quota: 50000, burst: 1000 }, ["cpu.max = 50000 100000", "cpu.max.burst = 1000"]],
  [{ idle: 0, shares: 2 }, ["cpu.idle = 0", "cpu.weight = 1"]],
  [{ idle: 1, shares: 2 }, ["cpu.idle = 1"]],
  [{ cpus: "0-3,5", mems: "0" }, ["cpuset.cpus = 0-3,5", "cpuset.mems = 0"]],
];

for (const [cpu, files] of CPU) {
  test(`cpu ${JSON.stringify(cpu)} writes ${files.join(", ")}`, () => deepEqual(written({ cpu }), [...files]));
}

test("values of cpu have their ranges", () => {
  refuses(`${R}.cpu`, { quota: 10, burst: 11 }, `${R}.cpu.burst must be at most the quota 10: current value is 11`);
  refuses(`${R}.cpu`, { idle: 2 }, `${R}.cpu.idle must be an integer from 0 to 1`);
  refuses(`${R}.cpu`, { cpus: "0\n1" }, `${R}.cpu.cpus must be one line`);
});

test("the limit of tasks: -1 is none, 0 is written as 1 like by runc", () => {
  deepEqual(written({ pids: { limit: 32 } }), ["pids.max = 32"]);
  deepEqual(written({ pids: { limit: -1 } }), ["pids.max = max"]);
  deepEqual(written({ pids: { limit: 0 } }), ["pids.max = 1"]);
});

test("weights are BFQ's, or converted for io.weight where that is not in the kernel", () => {
  const { settings } = parseWith(`${R}.blockIO`, {
    weight: 500,
    weightDevice: [{ major: 8, minor: 16, weight: 1000 }],
  }).cgroup;
  deepEqual(settings, [
    {
      file: "io.bfq.weight",
      value: "500",
      controller: "io",
      at: `${R}.blockIO.weight`,
      whenMissing: { file: "io.weight", value: "4950" },
    },
    {
      file: "io.bfq.weight",
      value: "8:16 1000",
      controller: "io",
      at: `${R}.blockIO.weightDevice[0].weight`,
      whenMissing: { file: "io.weight", value: "8:16 10000" },
    },
  ]);
  refuses(`${R}.blockIO`, { weight: 9 }, `${R}.blockIO.weight must be an integer from 10 to 1000`);
  refuses(
    `${R}.blockIO`,
    { weightDevice: [{ major: 8, minor: 0 }] },
    `${R}.blockIO.weightDevice[0].weight is required`,
  );
});

test("throttles are lines of io.max", () => {
  const device = { major: 8, minor: 0, rate: 600 };
  deepEqual(
    written({ blockIO: { throttleReadBpsDevice: [device], throttleWriteIOPSDevice: [{ ...device, rate: 0 }] } }),
    ["io.max = 8:0 rbps=600", "io.max = 8:0 wiops=max"],
  );
  refuses(
    `${R}.blockIO`,
    { throttleReadBpsDevice: [{ major: 8 }] },
    `${R}.blockIO.throttleReadBpsDevice[0].minor is required`,
  );
});

test("huge pages are limited in use, and in reservations where the kernel can", () => {
  deepEqual(written({ hugepageLimits: [{ pageSize: "2MB", limit: 209715200 }] }), [
    "hugetlb.2MB.max = 209715200",
    "hugetlb.2MB.rsvd.max = 209715200",
  ]);
  for (const pageSize of ["64kB", "2M", "0MB", "../MB", "MB", "2/MB", "02MB"]) {
    refuses(`${R}.hugepageLimits`, [{ pageSize, limit: 1 }], `${R}.hugepageLimits[0].pageSize must be a size`);
  }
});

test("rdma has one line for each device", () => {
  deepEqual(written({ rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10 }, rxe3: { hcaObjects: 0 } } }), [
    "rdma.max = mlx5_1 hca_handle=3 hca_object=10",
    "rdma.max = rxe3 hca_object=0",
  ]);
  refuses(`${R}.rdma`, { "a b": { hcaHandles: 1 } }, `${R}.rdma["a b"] must have the name of a device`);
  refuses(`${R}.rdma`, { a: {} }, `${R}.rdma["a"] must have hcaHandles, hcaObjects or both`);
});

test("unified is written last, line by line", () => {
  deepEqual(written({ unified: { "memory.high": "10", "io.max": "8:0 rbps=1\n8:16 rbps=2" }, pids: { limit: 5 } }), [
    "pids.max = 5",
    "memory.high = 10",
    "io.max = 8:0 rbps=1",
    "io.max = 8:16 rbps=2",
  ]);
  equal(parseWith(`${R}.unified`, { "cgroup.max.depth": "2" }).cgroup.settings[0]?.controller, "");
  equal(parseWith(`${R}.unified`, { "hugetlb.1GB.max": "2" }).cgroup.settings[0]?.controller, "hugetlb");
});

test("unified names files of the container's cgroup and no others: GHSA-5g49-rx9x-qfc6", () => {
  for (const name of ["../memory.max", "a/memory.max", "..", ".", "", "memory", ".max", "memory.max\n"]) {
    refuses(`${R}.unified`, { [name]: "1" }, "must be the name of a file such as memory.high");
  }
  for (const name of ["cgroup.procs", "cgroup.freeze", "cgroup.subtree_control", "cgroup.type", "cgroup.kill"]) {
    refuses(`${R}.unified`, { [name]: "1" }, "is not a limit: the runtime itself writes this file");
  }
  refuses(`${R}.unified`, { "memory.max": 1 }, `${R}.unified["memory.max"] must be a string`);
});

test("rules of devices: absent means all, -1 too", () => {
  deepEqual(
    parseWith(`${R}.devices`, [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 1, minor: -1, access: "mr" },
    ]).cgroup.devices,
    [
      { allow: false, type: "a", major: undefined, minor: undefined, read: true, write: true, mknod: true },
      { allow: true, type: "c", major: 1, minor: undefined, read: true, write: false, mknod: true },
    ],
  );
  refuses(`${R}.devices`, [{ allow: true, access: "" }], `${R}.devices[0].access must be made of r, w and m`);
  refuses(`${R}.devices`, [{ allow: true }], `${R}.devices[0].access must be made of r, w and m`);
  refuses(`${R}.devices`, [{ allow: true, access: "rx" }], `${R}.devices[0].access must be made of r, w and m`);
  refuses(`${R}.devices`, [{ allow: true, access: "r", type: "p" }], `${R}.devices[0].type must be a, b or c`);
});

test("the file of update is the object of resources alone", () => {
  const settings = parseResourcesFile('{"memory":{"limit":9223372036854775807}}');
  deepEqual(settings, [{ file: "memory.max", value: "9223372036854775807", controller: "memory", at: "memory.limit" }]);
  throws(() => parseResourcesFile('{"memory":{"limit":9223372036854775808}}'), "memory.limit must be an integer from");
});
