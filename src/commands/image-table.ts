/** The rows of table.ts that are about images. A command of two words (`image ls`) is found, and helped with, by both. */
import type { Command, Flag } from "./table.ts";

const FORMAT: Flag = { name: "format", short: "f", value: "FORMAT", help: "table or json" };
const QUIET: Flag = { name: "quiet", short: "q", help: "only ids" };

/** `image load`, `image ls` and so on. */
export const IMAGE_COMMANDS: readonly Command[] = [
  {
    name: "image load",
    summary: "load an image from a layout directory or an archive",
    operands: "SOURCE",
    flags: [
      { name: "name", value: "NAME", help: "what the image will be called (default: as the source calls it)" },
      { name: "progress", help: "tell on standard error how far each layer is, and which one is waited for" },
    ],
    module: "commands-image-load",
  },
  {
    name: "image ls",
    summary: "list the images in the store",
    operands: "",
    flags: [FORMAT, QUIET],
    module: "commands-image-ls",
  },
  {
    name: "image inspect",
    summary: "show all about images, as JSON",
    operands: "IMAGE...",
    flags: [],
    module: "commands-image-inspect",
  },
  {
    name: "image rm",
    summary: "remove names, and what no name needs any more",
    operands: "IMAGE...",
    flags: [],
    module: "commands-image-rm",
  },
  {
    name: "image unpack",
    summary: "write an image as an OCI bundle: DIR/rootfs and DIR/config.json",
    operands: "IMAGE DIR",
    flags: [],
    module: "commands-image-unpack",
  },
];

/** What `create` and `run` take beside an image: `--image` itself first. */
export const IMAGE_FLAGS: readonly Flag[] = [
  {
    name: "image",
    value: "IMAGE",
    help: "make the container from an image: a name in the store, or oci:DIR, oci-archive:FILE, docker-archive:FILE",
  },
  { name: "interactive", short: "i", help: "pass standard input on (without it there is nothing to read)" },
  { name: "tty", short: "t", help: "give it a terminal" },
  { name: "rm", help: "delete the container when its process ends" },
  { name: "env", short: "e", value: "NAME[=VALUE]", help: "set a variable; without a value it is the caller's" },
  { name: "workdir", short: "w", value: "DIR", help: "the working directory" },
  { name: "user", short: "u", value: "USER[:GROUP]", help: "who it is: names or numbers" },
  { name: "volume", short: "v", value: "SRC:DST[:ro]", help: "mount a file or directory of the host" },
  { name: "tmpfs", value: "DST[:OPTIONS]", help: "mount a tmpfs, as in /tmp:size=64m" },
  { name: "read-only", help: "mount the image read-only" },
  { name: "memory", short: "m", value: "SIZE", help: "limit memory, as in 512m; with as much swap again" },
  { name: "cpus", value: "NUMBER", help: "limit processor time, as in 1.5" },
  { name: "pids-limit", value: "N", help: "limit the number of processes" },
  { name: "cap-add", value: "CAP", help: "add a capability, or ALL" },
  { name: "cap-drop", value: "CAP", help: "drop a capability, or ALL" },
  { name: "security-opt", value: "OPTION", help: "seccomp=FILE, seccomp=unconfined or no-new-privileges" },
  { name: "hostname", value: "NAME", help: "its hostname (default: the first 12 characters of the id)" },
  { name: "entrypoint", value: "PROGRAM", help: "in place of the image's entrypoint and command" },
  { name: "network", value: "NETWORK", help: "none (default) or host" },
];
