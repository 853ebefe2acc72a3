/** The container's seccomp filter as exec needs it, compiled: `ROOT/ID/seccomp.bpf`, the flags and the program. */
import { O_RDONLY } from "../sys/constants.ts";
import { Failure } from "../sys/failure.ts";
import { makeFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import type { Entry } from "../mechanisms/seccomp-cache.ts";
import { FILTER_FILE } from "./paths.ts";

/** The flags and the program's length. */
const HEADER = 8;

export function writeFilter(sys: Sys, directory: Fd, { flags, program }: Entry): void {
  const bytes = new Uint8Array(HEADER + program.length);
  bytes.set(new Uint8Array(Uint32Array.of(flags, program.length).buffer));
  bytes.set(program, HEADER);
  makeFile(sys, directory, FILTER_FILE, bytes, 0o600);
}

/** Undefined where the container has no filter. Throws a Failure where it is damaged. */
export function readFilter(sys: Sys, directory: Fd): Entry | undefined {
  const file = sys.openIfAny(directory, FILTER_FILE, O_RDONLY);
  if (file === undefined) return undefined;
  using opened = file;
  const bytes = sys.readBytes(opened, 1 << 20);
  const [flags = 0, length = 0] = new Uint32Array(bytes.slice(0, HEADER).buffer);
  const program = bytes.slice(HEADER);
  // A filter that is cut must not become no filter.
  if (length === 0 || program.length !== length) throw new Failure(`${FILTER_FILE} of the container is damaged`);
  return { flags, program };
}
