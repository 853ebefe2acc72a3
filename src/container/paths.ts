/** Where a container's own files are: `ROOT/ID`. */
import { everyCharacter } from "../spec/text.ts";
import { Failure } from "../sys/failure.ts";

const ALLOWED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-";

/** Throws a Failure unless `id` can be the name of a container: runc's alphabet, and not "." or "..". */
export function checkId(id: string): void {
  if (id === "") throw new Failure("container id cannot be empty");
  // A file's name has 255 bytes at most, and a container that leaves is renamed: see remove.ts.
  if (id.length > 240) throw new Failure("invalid container ID format: longer than 240 characters");
  if (id === "." || id === ".." || !everyCharacter(id, (character) => ALLOWED.includes(character))) {
    throw new Failure(`invalid container ID format: ${JSON.stringify(id)} must be of letters, digits and _ + . -`);
  }
}

/** The files of a container's directory. */
export const STATE_FILE = "state.json";
export const CONFIG_FILE = "config.json";
export const FILTER_FILE = "seccomp.bpf";
export const EXEC_FIFO = "exec.fifo";
