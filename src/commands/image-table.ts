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
