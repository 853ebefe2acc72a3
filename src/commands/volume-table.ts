/** The rows of table.ts that are about volumes. */
import type { Command } from "./table.ts";

const NO_DRIVERS = "volumes are directories of the store, there are no drivers";

/** `volume create`, `volume ls` and so on. */
export const VOLUME_COMMANDS: readonly Command[] = [
  {
    name: "volume create",
    summary: "make a volume, unless it is there",
    operands: "[NAME]",
    flags: [
      { name: "label", short: "l", value: "NAME=VALUE", help: "add a label" },
      { name: "driver", short: "d", value: "NAME", help: NO_DRIVERS, hidden: true, refused: NO_DRIVERS },
      { name: "opt", short: "o", value: "NAME=VALUE", help: NO_DRIVERS, hidden: true, refused: NO_DRIVERS },
    ],
    module: "commands-volume-create",
  },
  {
    name: "volume ls",
    summary: "list the volumes",
    operands: "",
    flags: [
      {
        name: "filter",
        short: "f",
        value: "KIND=VALUE",
        help: "only those with name=, label=, driver=, dangling=true or dangling=false",
      },
      { name: "format", value: "FORMAT", help: "table or json" },
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
    summary: "remove the volumes that no container uses and that have no name",
    operands: "",
    flags: [
      { name: "all", short: "a", help: "also those with a name" },
      { name: "filter", value: "KIND=VALUE", help: "only those with label= or without label!=" },
      { name: "force", short: "f", help: "do not ask" },
    ],
    module: "commands-volume-prune",
  },
];
