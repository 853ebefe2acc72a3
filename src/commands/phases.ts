/** TSRUN_TRACE=phases: where the time of a command went. Loaded only then. */
import type { Sys } from "../sys/sys.ts";
import { table } from "./text-table.ts";

interface Phase {
  readonly process: string;
  readonly name: string;
  /** Nanoseconds. */
  readonly begun: number;
  readonly took: number;
  readonly kernel: number;
  readonly faults: number;
}

/** Writes the phases of all processes of this command so far to standard error, in the order of their beginnings, in microseconds. */
export function writePhases(sys: Sys): void {
  const phases = sys.phases().map(parse);
  const first = phases[0]?.begun ?? 0;
  const own = String(sys.getpid());
  const rows = phases.map(({ process, name, begun, took, kernel, faults }) => [
    process === own ? "tsrun" : "init",
    micro(begun - first),
    micro(took),
    micro(kernel),
    micro(took - kernel),
    String(faults),
    name,
  ]);
  const text = table([["PROCESS", "AT", "TOOK", "KERNEL", "SCRIPT", "FAULTS", "PHASE"], ...rows]);
  const stderr = sys.inherited(2);
  sys.writeText(stderr, text);
  stderr.take();
}

function parse(line: string): Phase {
  const [process = "", begun, took, kernel, faults, name = ""] = line.split("\t");
  return {
    process,
    name,
    begun: Number(begun),
    took: Number(took),
    kernel: Number(kernel),
    faults: Number(faults),
  };
}

function micro(nanoseconds: number): string {
  return String(Math.round(nanoseconds / 1000));
}
