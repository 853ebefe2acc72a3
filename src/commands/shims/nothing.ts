/** node:child_process, node:fs and node:path: commander wants them for commands that are programs of their own. */
export const nothing = undefined;
