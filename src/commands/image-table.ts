/** The rows of table.ts that are about images. A command of two words (`image ls`) is found, and helped with, by both. */
import type { Command, Flag } from "./table.ts";

const FORMAT: Flag = { name: "format", short: "f", value: "FORMAT", help: "table or json" };
const QUIET: Flag = { name: "quiet", short: "q", help: "only ids" };

/** Of commands that ask a registry. */
export const ACCESS_FLAGS: readonly Flag[] = [
  { name: "creds", value: "USER:PASS", help: "who asks (default: as docker's and podman's files say)" },
  { name: "authfile", value: "FILE", help: "read credentials from this file only" },
  { name: "tls-verify", help: "=false: the registry need not prove who it is, and may speak plain HTTP" },
  { name: "cert-dir", value: "DIR", help: "certificates for the registry: *.crt, *.cert with *.key" },
];

/** The same for one of two registries, in skopeo's words. */
function sided(side: string, whose: string): Flag[] {
  return ACCESS_FLAGS.map((flag) => ({ ...flag, name: `${side}${flag.name}`, help: `${whose}: ${flag.help}` }));
}

const SILENTLY: Flag = { name: "quiet", short: "q", help: "say nothing before the end" };
const PROGRESS: Flag = {
  name: "progress",
  value: "KIND",
  help: "auto, plain or json (default: auto, bars on a terminal)",
};

/** Of commands that send an image somewhere. */
const SENDING: readonly Flag[] = [{ name: "quiet", short: "q", help: "say nothing but the digest" }, PROGRESS];

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
      ...ACCESS_FLAGS,
    ],
    module: "commands-image-pull",
  },
  {
    name: "image push",
    summary: "push an image to a registry",
    operands: "IMAGE [DESTINATION]",
    flags: [
      ...SENDING,
      {
        name: "platform",
        value: "PLATFORM",
        help: "of an image for several machines only the one for this (default: all)",
      },
      { name: "digestfile", value: "FILE", help: "write the manifest's digest to this file" },
      { name: "compression", value: "KIND", help: "gzip, zstd or none, of layers that are sent anew (default: gzip)" },
      { name: "format", short: "f", value: "TYPE", help: "media types: oci or v2s2 (default: as the image has them)" },
      ...ACCESS_FLAGS,
    ],
    module: "commands-image-push",
  },
  {
    name: "image copy",
    summary:
      "copy an image past the store: registries, oci:DIR, oci-archive:FILE and docker-archive:FILE, from any to any",
    operands: "SOURCE DESTINATION",
    flags: [
      { name: "all", short: "a", help: "an index with all that it lists" },
      { name: "all-platforms", help: "the same" },
      { name: "platform", value: "PLATFORM", help: "which one of an index (default: the machine's)" },
      ...SENDING,
      { name: "digestfile", value: "FILE", help: "write the digest of what was copied to this file" },
      { name: "authfile", value: "FILE", help: "read credentials from this file only" },
      ...sided("src-", "the source's registry"),
      ...sided("dest-", "the destination's registry"),
    ],
    module: "commands-image-copy",
  },
  {
    name: "image referrers",
    summary: "list what refers to an image in its registry: signatures, bills of materials",
    operands: "IMAGE",
    flags: [FORMAT, { name: "artifact-type", value: "TYPE", help: "only what is of this type" }, ...ACCESS_FLAGS],
    module: "commands-image-referrers",
  },
  {
    name: "image save",
    summary: "write images to an archive or a directory",
    operands: "IMAGE...",
    flags: [
      { name: "output", short: "o", value: "FILE", help: "where to (default: standard output)" },
      { name: "format", value: "FORMAT", help: "docker-archive, oci-archive or oci-dir (default: docker-archive)" },
      { name: "compression", value: "KIND", help: "gzip, zstd or none, for oci-archive and oci-dir (default: gzip)" },
      { name: "quiet", short: "q", help: "say nothing" },
      PROGRESS,
    ],
    module: "commands-image-save",
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
    flags: [{ name: "force", short: "f", help: "also the last name of an image that a container uses" }],
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
