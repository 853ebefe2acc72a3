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
    flags: [{ name: "name", value: "NAME", help: "what the image will be called (default: as the source calls it)" }],
    module: "commands-image-load",
  },
  {
    name: "image pull",
    summary: "pull an image from a registry",
    operands: "IMAGE",
    flags: [
      {
        name: "platform",
        value: "PLATFORM",
        help: "for this machine, as in linux/arm64/v8 (default: the one it runs on)",
      },
      { name: "all-platforms", help: "for all machines that there are images for" },
      { name: "quiet", short: "q", help: "say nothing before the end" },
      { name: "progress", value: "KIND", help: "auto, plain or json (default: auto, bars on a terminal)" },
      { name: "creds", value: "USER:PASS", help: "who asks (default: as docker's and podman's files say)" },
      { name: "authfile", value: "FILE", help: "read credentials from this file only" },
      { name: "tls-verify", help: "=false: the registry need not prove who it is, and may speak plain HTTP" },
      { name: "cert-dir", value: "DIR", help: "certificates for the registry: *.crt, *.cert with *.key" },
    ],
    module: "commands-image-pull",
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
  { name: "pull", value: "WHEN", help: "pull the image: never, missing (default) or always" },
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
