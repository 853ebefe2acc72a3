/** The rows of table.ts that are about images. A command of two words (`image ls`) is found, and helped with, by both. */
import type { Command, Flag } from "./table.ts";

/** `image load`, `image ls` and so on. */
export const IMAGE_COMMANDS: readonly Command[] = [];

/** What `create` and `run` take beside an image: `--image` itself first. */
export const IMAGE_FLAGS: readonly Flag[] = [];
