/** The rows of table.ts that are about volumes. */
import type { Command } from "./table.ts";

/** `volume create`, `volume ls` and so on. */
export const VOLUME_COMMANDS: readonly Command[] = [
  {
    name: "volume create",
    summary: "make a volume, unless it is there",
    operands: "[NAME]",
    flags: [{ name: "label", short: "l", value: "NAME=VALUE", help: "add a label" }],
    module: "commands-volume-create",
  },
  {
    name: "volume ls",
    summary: "list the volumes",
    operands: "",
    flags: [
      { name: "format", short: "f", value: "FORMAT", help: "table or json" },
      { name: "quiet", short: "q", help: "only names" },
    ],
    module: "commands-volume-ls",
  },
  {
    name: "volume inspect",
    summary: "show all about volumes, as JSON",
    operands: "NAME...",
    flags: [],
    module: "commands-volume-inspect",
  },
  {
    name: "volume rm",
    summary: "remove volumes that no container uses",
    operands: "NAME...",
    flags: [{ name: "force", short: "f", help: "fine if there is none" }],
    module: "commands-volume-rm",
  },
  {
    name: "volume prune",
    summary: "remove all volumes that no container uses",
    operands: "",
    flags: [{ name: "force", short: "f", help: "do not ask" }],
    module: "commands-volume-prune",
  },
];
