/** The container's seccomp filter as exec needs it, compiled: `ROOT/ID/seccomp.bpf`, the flags and the program. */
import { O_RDONLY } from "../sys/constants.ts";
import { replaceFile } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";
import type { Entry } from "../mechanisms/seccomp-cache.ts";
import { FILTER_FILE } from "./paths.ts";

export function writeFilter(sys: Sys, directory: Fd, { flags, program }: Entry): void {
  const bytes = new Uint8Array(4 + program.length);
  bytes.set(new Uint8Array(Uint32Array.of(flags).buffer));
  bytes.set(program, 4);
  replaceFile(sys, directory, FILTER_FILE, bytes, 0o600);
}

/** Undefined where the container has no filter. */
export function readFilter(sys: Sys, directory: Fd): Entry | undefined {
  const file = sys.openIfAny(directory, FILTER_FILE, O_RDONLY);
  if (file === undefined) return undefined;
  using opened = file;
  const bytes = sys.readBytes(opened, 1 << 20);
  const [flags = 0] = new Uint32Array(bytes.slice(0, 4).buffer);
  return { flags, program: bytes.slice(4) };
}
