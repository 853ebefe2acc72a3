/** The flags of `create` and `run` that go with an image: docker's, in its words. */
import type { Flag } from "./table.ts";

const NO_NETWORK =
  "a container has no network of its own but lo, or that of the host or of a namespace (see --network)";
const NO_DAEMON = "no daemon watches over containers";
const ATTACH = "without --detach its output is the caller's, and its input with --interactive";
const LOGS = `${NO_DAEMON}: what its process writes goes to standard output`;

/** What docker has and tsrun has not, and why: refused by name, not unknown. */
const REFUSED: readonly (readonly [name: string, why: string])[] = [
  ["link", NO_NETWORK],
  ["ip", NO_NETWORK],
  ["ip6", NO_NETWORK],
  ["mac-address", NO_NETWORK],
  ["network-alias", NO_NETWORK],
  ["restart", NO_DAEMON],
  ["health-cmd", NO_DAEMON],
  ["health-interval", NO_DAEMON],
  ["health-retries", NO_DAEMON],
  ["health-start-period", NO_DAEMON],
  ["health-timeout", NO_DAEMON],
  ["stop-timeout", NO_DAEMON],
  ["log-driver", LOGS],
  ["log-opt", LOGS],
  ["sig-proxy", "a container in the foreground gets the caller's signals in any case"],
  ["detach-keys", "a container in the foreground stays there"],
  ["expose", NO_NETWORK],
  ["oom-kill-disable", "cgroup v2 has no such setting"],
  ["cpu-rt-runtime", "cgroup v2 has no such setting"],
  ["cpu-rt-period", "cgroup v2 has no such setting"],
  ["isolation", "that is for Windows"],
  ["gpus", "name the device by the Container Device Interface, as in --device nvidia.com/gpu=all"],
  ["volumes-from", "give the same --volume to both"],
  ["volume-driver", "volumes are directories of the store"],
  ["storage-opt", "the store is a directory"],
  ["memory-swappiness", "cgroup v2 has no such setting"],
  ["kernel-memory", "cgroup v2 counts kernel memory as memory"],
  ["runtime", "this is the runtime"],
];

/** What `create` and `run` take beside an image: `--image` itself first. */
export const IMAGE_FLAGS: readonly Flag[] = [
  {
    name: "image",
    value: "IMAGE",
    help: "make the container from an image: a name in the store, or oci:DIR, oci-archive:FILE, docker-archive:FILE",
  },
  { name: "pull", value: "WHEN", help: "pull the image: never, missing (default) or always" },
  { name: "platform", value: "OS/ARCH", help: "the image for this platform, and no other" },
  { name: "name", value: "ID", help: "its id" },
  { name: "cidfile", value: "FILE", help: "write its id to this new file" },
  { name: "interactive", short: "i", help: "pass standard input on (without it there is nothing to read)" },
  { name: "tty", short: "t", help: "give it a terminal" },
  { name: "rm", help: "delete the container when its process ends" },

  { name: "entrypoint", value: "PROGRAM", help: "in place of the image's entrypoint and command" },
  { name: "init", help: "run it below a first process that passes signals on and collects orphans" },
  { name: "env", short: "e", value: "NAME[=VALUE]", help: "set a variable; without a value it is the caller's" },
  { name: "env-file", value: "FILE", help: "set the variables that are the lines of this file" },
  { name: "workdir", short: "w", value: "DIR", help: "the working directory" },
  { name: "user", short: "u", value: "USER[:GROUP]", help: "who it is: names or numbers" },
  { name: "group-add", value: "GROUP", help: "add a group: name or number" },
  { name: "umask", value: "MASK", help: "its umask (default: 022)" },
  { name: "stop-signal", value: "SIGNAL", help: 'what "tsrun kill" sends when it is not told what' },
  { name: "label", short: "l", value: "NAME=VALUE", help: "add a label, which is an annotation here" },
  { name: "label-file", value: "FILE", help: "add the labels that are the lines of this file" },
  { name: "annotation", value: "NAME=VALUE", help: "add an annotation" },

  { name: "volume", short: "v", value: "[SRC:]DST[:OPT]", help: "mount a path of the host, or a volume by its name" },
  {
    name: "mount",
    value: "KEY=VALUE,...",
    help: "mount: type=bind, volume or tmpfs, source, destination, readonly and so on",
  },
  { name: "tmpfs", value: "DST[:OPTIONS]", help: "mount a tmpfs, as in /tmp:size=64m" },
  { name: "read-only", help: "mount the image read-only" },
  { name: "read-only-tmpfs", help: "with --read-only: a tmpfs on /run, /tmp and /var/tmp" },
  { name: "shm-size", value: "SIZE", help: "the size of /dev/shm (default: 64m)" },

  { name: "memory", short: "m", value: "SIZE", help: "limit memory, as in 512m; with as much swap again" },
  { name: "memory-swap", value: "SIZE", help: "limit memory and swap together; -1 for no limit" },
  { name: "memory-reservation", value: "SIZE", help: "memory that is not taken away for others" },
  { name: "cpus", value: "NUMBER", help: "limit processor time, as in 1.5" },
  { name: "cpu-shares", short: "c", value: "N", help: "its weight where processors are busy (others have 1024)" },
  { name: "cpu-quota", value: "US", help: "limit processor time in each period" },
  { name: "cpu-period", value: "US", help: "the period of --cpu-quota (default: 100000)" },
  { name: "cpuset-cpus", value: "LIST", help: "the processors that it may use, as in 0-2,4" },
  { name: "cpuset-mems", value: "LIST", help: "the memory nodes that it may use" },
  { name: "blkio-weight", value: "N", help: "its weight where disks are busy, from 10 to 1000" },
  { name: "pids-limit", value: "N", help: "limit the number of processes" },
  { name: "ulimit", value: "TYPE=N[:MAX]", help: "set a limit of its process, as in nofile=1024:4096" },
  { name: "oom-score-adj", value: "N", help: "how readily it is killed when memory runs out, from -1000 to 1000" },
  { name: "sysctl", value: "NAME=VALUE", help: "set a sysctl of its namespaces" },
  { name: "cgroup-parent", value: "PATH", help: "the cgroup that its own is made in" },

  { name: "cap-add", value: "CAP", help: "add a capability, or ALL" },
  { name: "cap-drop", value: "CAP", help: "drop a capability, or ALL" },
  {
    name: "security-opt",
    value: "OPTION",
    help: "seccomp=FILE, seccomp=unconfined, no-new-privileges, systempaths=unconfined",
  },
  { name: "privileged", help: "all capabilities and devices, and nothing hidden: as good as root on the host" },
  {
    name: "device",
    value: "SRC[:DST][:rwm]",
    help: "give it a device of the host, by its path or as in vendor.com/class=name",
  },
  { name: "cdi-spec-dir", value: "DIR", help: "look for such names here (default: /etc/cdi and /var/run/cdi)" },
  { name: "device-cgroup-rule", value: "RULE", help: 'let it use devices, as in "c 10:200 rw"' },

  { name: "network", alias: "net", value: "NETWORK", help: "none (default), host, container:ID or ns:PATH" },
  { name: "pid", value: "NAMESPACE", help: "private (default), host, container:ID or ns:PATH" },
  { name: "ipc", value: "NAMESPACE", help: "private (default), shareable, none, host or ns:PATH" },
  { name: "uts", value: "NAMESPACE", help: "private (default), host, container:ID or ns:PATH" },
  { name: "cgroupns", value: "NAMESPACE", help: "private (default), host, container:ID or ns:PATH" },
  { name: "userns", value: "NAMESPACE", help: "host (default) or auto[:OPTIONS]: ids of its own" },
  { name: "hostname", value: "NAME", help: "its hostname (default: the first 12 characters of the id)" },
  { name: "domainname", value: "NAME", help: "its NIS domain name" },
  { name: "add-host", value: "NAME:ADDRESS", help: "add a line to /etc/hosts" },
  { name: "dns", value: "ADDRESS", help: "a name server, in place of the host's" },
  { name: "dns-search", value: "DOMAIN", help: 'a domain to search names in, in place of the host\'s; "." for none' },
  { name: "dns-option", alias: "dns-opt", value: "OPTION", help: "an option of the resolver, in place of the host's" },

  // What is so in any case.
  { name: "no-healthcheck", help: "its health is not looked after in any case", hidden: true },

  { name: "publish", short: "p", value: "PORTS", help: NO_NETWORK, hidden: true, refused: NO_NETWORK },
  { name: "attach", short: "a", value: "STREAM", help: ATTACH, hidden: true, refused: ATTACH },
  { name: "publish-all", short: "P", help: NO_NETWORK, hidden: true, refused: NO_NETWORK },
  ...REFUSED.map(([name, refused]) => ({ name, value: "VALUE", help: refused, hidden: true, refused }) as const),
];
