/** The rows of table.ts that are about images. A command of two words (`image ls`) is found, and helped with, by both. */
import type { Command, Flag } from "./table.ts";

const FORMAT: Flag = { name: "format", short: "f", value: "FORMAT", help: "table or json" };
const QUIET: Flag = { name: "quiet", short: "q", help: "only ids" };

const SILENTLY: Flag = { name: "quiet", short: "q", help: "say nothing before the end" };
const PROGRESS: Flag = {
  name: "progress",
  value: "KIND",
  help: "auto, plain or json (default: auto, bars on a terminal)",
};

/** `image load`, `image ls` and so on. */
export const IMAGE_COMMANDS: readonly Command[] = [
  {
    name: "image load",
    summary: "load an image from a layout directory or an archive",
    operands: "[SOURCE]",
    flags: [
      { name: "input", short: "i", value: "FILE", help: "the same as SOURCE (default: standard input)" },
      { name: "name", value: "NAME", help: "what the image will be called (default: as the source calls it)" },
      SILENTLY,
      PROGRESS,
    ],
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
      SILENTLY,
      PROGRESS,
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
    flags: [
      FORMAT,
      QUIET,
      { name: "digests", help: "also the digests that their names lead to" },
      { name: "tree", help: "who has which layer, and what sharing saves" },
    ],
    module: "commands-image-ls",
  },
  {
    name: "image inspect",
    summary: "show all about images, as JSON",
    operands: "IMAGE...",
    flags: [{ name: "platform", value: "PLATFORM", help: "of several images of a name the one for this machine" }],
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
    name: "image history",
    summary: "show the steps that made an image, newest first",
    operands: "IMAGE",
    flags: [FORMAT, { name: "no-trunc", help: "show all of ids and commands" }],
    module: "commands-image-history",
  },
  {
    name: "image tag",
    summary: "give an image another name",
    operands: "IMAGE NAME",
    flags: [],
    module: "commands-image-tag",
  },
  {
    name: "image prune",
    summary: "remove images without a name, and what nothing uses",
    operands: "",
    flags: [
      { name: "all", short: "a", help: "all images that no container uses" },
      { name: "dry-run", help: "only say what would go" },
    ],
    module: "commands-image-prune",
  },
  {
    name: "image check",
    summary: "compare all that is in the store with what it was when it came",
    operands: "",
    flags: [{ name: "repair", help: "mend it; what cannot be mended is set aside, for a load or pull to bring anew" }],
    module: "commands-image-check",
  },
  {
    name: "image du",
    summary: "show what takes which space in the store",
    operands: "",
    flags: [FORMAT],
    module: "commands-image-du",
  },
  {
    name: "image unpack",
    summary: "write an image as an OCI bundle: DIR/rootfs and DIR/config.json",
    operands: "IMAGE DIR",
    flags: [],
    module: "commands-image-unpack",
  },
];
